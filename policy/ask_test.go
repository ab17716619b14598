package policy

import (
	"strings"
	"testing"
)

// held is a policy in which some things need a person's approval.
const held = `
roles:
  member:
    allow:
      - tools: [get_*, merge]
        resources: ["docs://**"]
    ask:
      - tools: [merge, drop]
        resources: ["docs://secret/**"]
  owner:
    allow:
      - tools: ["*"]
    deny:
      - tools: [merge_all]
  careful:
    inherit: [member]
    allow:
      - tools: [merge_*]
    ask:
      - {server: s, tools: [merge_*], org: org_a}
permissions:
  supervised:
    ask: [{tools: [get_*]}]
everyone:
  ask: [{tools: [reset]}]
`

func TestAskHoldsWhatIsAllowed(t *testing.T) {
	p := mustCompile(t, held)
	roles := func(roles ...string) *Subject { return &Subject{Roles: roles} }
	for _, tt := range []struct {
		name    string
		subject *Subject
		kind    Kind
		thing   string
		want    string // allow, ask or deny
		rule    string
	}{
		{"what is not asked for", roles("member"), Tool, "get_x", "allow", "(role member, allow)"},
		{"ask beats allow", roles("member"), Tool, "merge", "ask", "p.yaml:8 (role member, ask)"},
		{"ask beats another role's allow", roles("member", "owner"), Tool, "merge", "ask", "(role member, ask)"},
		{"in any order of roles", roles("owner", "member"), Tool, "merge", "ask", "(role member, ask)"},
		{"not without the role", roles("owner"), Tool, "merge", "allow", "(role owner, allow)"},
		{"ask alone allows nothing", roles("member"), Tool, "drop", "deny", NoRule},
		{"but holds what another role allows", roles("member", "owner"), Tool, "drop", "ask", "(role member, ask)"},
		{"deny beats ask", &Subject{Roles: []string{"owner", "careful"}, Org: "org_a"}, Tool, "merge_all", "deny", "(role owner, deny)"},
		{"an ask is inherited", roles("careful"), Tool, "merge", "ask", "(role member, ask)"},
		{"only in its organization", roles("careful"), Tool, "merge_x", "allow", "(role careful, allow)"},
		{"in its organization", &Subject{Roles: []string{"careful"}, Org: "org_a"}, Tool, "merge_x", "ask", "(role careful, ask)"},
		{"a permission's ask", &Subject{Roles: []string{"member"}, Permissions: []string{"supervised"}}, Tool, "get_x", "ask", "(permission supervised, ask)"},
		{"everyone's ask", roles("owner"), Tool, "reset", "ask", "(everyone, ask)"},
		{"everyone is no machine", &Subject{Roles: []string{"owner"}, Machine: true}, Tool, "reset", "allow", "(role owner, allow)"},
		{"a resource", roles("member"), Resource, "docs://secret/a", "ask", "(role member, ask)"},
		{"a resource in another spelling", roles("member"), Resource, "docs://%73ecret/a", "ask", "(role member, ask)"},
		{"another resource", roles("member"), Resource, "docs://a", "allow", "(role member, allow)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, f := range []*Facts{nil, {}, {Args: []byte("{}")}} {
				d := p.View(tt.subject, "s").Judge(tt.kind, tt.thing, f)
				got := map[bool]string{true: "allow", false: "deny"}[d.Allowed]
				if d.Ask {
					got = "ask"
				}
				if got != tt.want || d.Ask && !d.Allowed || !strings.Contains(d.Rule, tt.rule) {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}

// A limit of what is allowed holds when its use has to be approved, too.
func TestAskKeepsTheLimit(t *testing.T) {
	p := mustCompile(t, `everyone: {allow: [{tools: [a], limit: 5/h}], ask: [{tools: [a]}]}`)
	if d := p.View(&Subject{}, "s").Decide(Tool, "a"); !d.Allowed || !d.Ask || d.Limit == nil || !strings.Contains(d.Rule, "ask") {
		t.Errorf("%+v", d)
	}
}
