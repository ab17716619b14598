package policy_test

import (
	"fmt"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func Example() {
	doc, err := policy.Parse("mcp-policy.yaml", []byte(`
roles:
  member:
    allow:
      - server: github
        tools: [get_*, list_*]
  engineer:
    inherit: [member]
    allow:
      - server: github
        tools: [create_issue]
    deny:
      - tools: [get_secret*]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := policy.Compile(doc)
	if err != nil {
		fmt.Println(err)
		return
	}
	view := p.View(&policy.Subject{ID: "local:alice", Roles: []string{"engineer"}}, "github")
	for _, tool := range []string{"get_issue", "create_issue", "get_secrets", "merge"} {
		d := view.Decide(policy.Tool, tool)
		fmt.Println(tool, d.Allowed, d.Rule)
	}
	fmt.Println(view.Describe())
	// Output:
	// get_issue true mcp-policy.yaml:5 (role member, allow)
	// create_issue true mcp-policy.yaml:10 (role engineer, allow)
	// get_secrets false mcp-policy.yaml:13 (role engineer, deny)
	// merge false no rule allows it
	// [the tools create_issue, get_* and list_*, but not get_secret*]
}

func ExampleParse_errors() {
	_, err := policy.Parse("mcp-policy.yaml", []byte(`
roles:
  member:
    alow:
      - tools: [get_*]
    deny:
      - tools: []
`))
	fmt.Println(err)
	// Output:
	// mcp-policy.yaml:4: unknown key "alow"; did you mean allow?
	// mcp-policy.yaml:7: tools is an empty list and names nothing; write ["*"] to name all, or leave the key out
}
