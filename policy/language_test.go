package policy

import "testing"

// whole is a policy with everything in it that the language has, as people are told of it.
const whole = `
# mcp-policy.yaml
roles:                          # keys: role slugs of the identity provider
  member:
    allow:
      - server: github          # name or glob; default "*"
        tools: [get_*, list_*, search_*]
  engineer:
    inherit: [member]
    allow:
      - server: github
        tools: [create_issue, merge_pull_request]
        when: args.owner == "acme" && size(args.title) < 200     # CEL
        limit: 30/m per user
      - server: docs
        tools: ["*"]
        annotations: { readOnlyHint: true }
        prompts: ["*"]
        resources: ["docs://**"]
        templates: ["docs://**"]
        org: org_01H
    ask:                        # held until a person approves
      - server: github
        tools: [merge_pull_request]
    deny:
      - tools: [delete_*]
permissions:
  image_generation:
    allow:
      - server: images
        tools: [generateImage]
everyone:
  allow:
    - server: status
      tools: ["*"]
methods: [ext/ping]
mode: enforce
`

func TestTheWholeLanguage(t *testing.T) {
	p := mustCompile(t, whole)
	engineer := &Subject{Roles: []string{"engineer"}, Org: "org_01H"}
	reads := Annotations{Known: true, ReadOnly: true}
	for _, tt := range []struct {
		name, server, tool, args string
		subject                  *Subject
		says                     Annotations
		want                     string // what Verdict says, with what is seen and limited
	}{
		{name: "inherited", server: "github", tool: "get_issue", want: "allow"},
		{name: "under its condition", server: "github", tool: "create_issue", args: `{"owner":"acme","title":"x"}`, want: "allow, limited"},
		{name: "not under it", server: "github", tool: "create_issue", args: `{"owner":"evil","title":"x"}`, want: "deny, seen"},
		{name: "without what it asks for", server: "github", tool: "create_issue", args: `{"owner":"acme"}`, want: "deny, seen"},
		{name: "held, and limited", server: "github", tool: "merge_pull_request", args: `{"owner":"acme","title":"x"}`, want: "ask, limited"},
		{name: "held, but not under its condition", server: "github", tool: "merge_pull_request", args: `{"owner":"evil","title":"x"}`, want: "deny, seen"},
		{name: "denied everywhere", server: "docs", tool: "delete_page", says: reads, want: "deny"},
		{name: "reads", server: "docs", tool: "page", says: reads, want: "allow"},
		{name: "writes", server: "docs", tool: "page", says: Annotations{Known: true}, want: "deny"},
		{name: "nobody knows", server: "docs", tool: "page", want: "deny"},
		{name: "reads, in another organization", server: "docs", tool: "page", says: reads, subject: &Subject{Roles: []string{"engineer"}}, want: "deny"},
		{name: "a permission", server: "images", tool: "generateImage", subject: &Subject{Permissions: []string{"image_generation"}}, want: "allow"},
		{name: "everyone", server: "status", tool: "any", subject: &Subject{}, want: "allow"},
		{name: "everyone is no machine", server: "status", tool: "any", subject: &Subject{Machine: true}, want: "deny"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.subject
			if s == nil {
				s = engineer
			}
			args := tt.args
			if args == "" {
				args = "{}"
			}
			d := p.View(s, tt.server).Judge(Tool, tt.tool, &Facts{Subject: s, Tool: tt.says, Args: []byte(args), Now: noon})
			got := d.Verdict()
			if d.Seen {
				got += ", seen"
			}
			if d.Limit != nil {
				got += ", limited"
			}
			if got != tt.want {
				t.Errorf("%s, want %s: %+v", got, tt.want, d)
			}
		})
	}
	if v := p.View(engineer, "docs"); !v.Judge(Prompt, "p", &Facts{}).Allowed || !v.Judge(Resource, "docs://a/b", &Facts{}).Allowed || !v.Judge(Template, "docs://{x}", &Facts{}).Allowed {
		t.Error("prompts, resources and templates are judged by annotations")
	}
	if !p.AllowsMethod("ext/ping") || p.Observe() {
		t.Error("methods or mode are not read")
	}
}
