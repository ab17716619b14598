package policy

import (
	"strings"
	"testing"
)

// company is the policy most of the semantics are tested on.
const company = `
roles:
  guest:
    allow:
      - server: github
        tools: [get_*]
  member:
    inherit: [guest]
    allow:
      - server: github
        tools: [list_*, search_*, "*_status"]
      - server: git*
        prompts: [review]
      - server: docs
        resources: ["docs://guide/**", "docs://notes/*"]
        templates: ["docs://guide/{page}", "docs://{+any}"]
    deny:
      - tools: [get_secret*]
  admin:
    allow:
      - tools: ["*"]
        prompts: ["*"]
        resources: ["**"]
        templates: ["**"]
  careful_admin:
    inherit: [admin, member]
  partner:
    allow:
      - server: github
        tools: [merge]
        org: org_a
      - server: github
        tools: [close]
    deny:
      - tools: [close]
        org: org_b
  idle: {}
  unicode:
    allow:
      - tools: ["caf\u00e9", "Stra\u00dfe", "kelvin", "is_safe", "日本*"]
    deny:
      - tools: ["cafe\u0301", "Kelvin"]
permissions:
  image_generation:
    allow:
      - server: images
        tools: [generateImage]
  no_search:
    deny:
      - tools: [search_*]
  reader:
    inherit: [guest]
everyone:
  allow:
    - server: status
      tools: ["*"]
  deny:
    - server: status
      tools: [reset]
methods: [ext/ping]
`

func TestSemantics(t *testing.T) {
	p := mustCompile(t, company)
	person := func(roles ...string) *Subject { return &Subject{Roles: roles} }
	tests := []struct {
		name    string
		subject *Subject
		server  string
		kind    Kind
		thing   string
		want    bool
		rule    string // part of the reason
	}{
		{"nobody may use anything", person(), "github", Tool, "get_x", false, NoRule},
		{"no subject may use nothing", nil, "status", Tool, "ping", false, NoRule},
		{"an unknown role gives nothing", person("root"), "github", Tool, "get_x", false, NoRule},
		{"a role is matched exactly", person("Guest"), "github", Tool, "get_x", false, NoRule},
		{"a role with an empty body gives nothing", person("idle"), "github", Tool, "get_x", false, NoRule},
		{"allow", person("guest"), "github", Tool, "get_x", true, "p.yaml:5 (role guest, allow)"},
		{"allow at another server only", person("guest"), "gitlab", Tool, "get_x", false, NoRule},
		{"a server is matched exactly", person("guest"), "GitHub", Tool, "get_x", false, NoRule},
		{"allow of another name only", person("guest"), "github", Tool, "put_x", false, NoRule},
		{"a tool is no prompt", person("guest"), "github", Prompt, "get_x", false, NoRule},
		{"a kind that does not exist", person("admin"), "github", Kind(9), "get_x", false, NoRule},
		{"inherit brings allows", person("member"), "github", Tool, "get_x", true, "(role guest, allow)"},
		{"inherit does not flow down", person("guest"), "github", Tool, "list_x", false, NoRule},
		{"inherit brings denies", person("careful_admin"), "github", Tool, "get_secrets", false, "(role member, deny)"},
		{"what an heir allows is not undone", person("careful_admin"), "github", Tool, "delete", true, "(role admin, allow)"},
		{"deny beats an allow of the same role", person("member"), "github", Tool, "get_secret", false, "(role member, deny)"},
		{"deny beats an allow of another role", person("admin", "member"), "x", Tool, "get_secret", false, "(role member, deny)"},
		{"deny beats it in any order of roles", person("member", "admin"), "x", Tool, "get_secret", false, "(role member, deny)"},
		{"the role alone is not denied", person("admin"), "x", Tool, "get_secret", true, "(role admin, allow)"},
		{"a permission's deny beats a role's allow", &Subject{Roles: []string{"member"}, Permissions: []string{"no_search"}}, "github", Tool, "search_x", false, "(permission no_search, deny)"},
		{"a permission allows", &Subject{Permissions: []string{"image_generation"}}, "images", Tool, "generateImage", true, "(permission image_generation, allow)"},
		{"a permission is no role", person("image_generation"), "images", Tool, "generateImage", false, NoRule},
		{"a role is no permission", &Subject{Permissions: []string{"admin"}}, "images", Tool, "x", false, NoRule},
		{"a group is no role", &Subject{Groups: []string{"admin"}}, "images", Tool, "x", false, NoRule},
		{"a permission inherits a role", &Subject{Permissions: []string{"reader"}}, "github", Tool, "get_x", true, "(role guest, allow)"},
		{"server default is every server", person("admin"), "anything", Tool, "x", true, "(role admin, allow)"},
		{"server glob", person("member"), "gitlab", Prompt, "review", true, "(role member, allow)"},
		{"everyone allows a person without roles", person(), "status", Tool, "ping", true, "(everyone, allow)"},
		{"everyone denies", person("admin"), "status", Tool, "reset", false, "(everyone, deny)"},
		{"everyone does not apply to machine clients", &Subject{Machine: true}, "status", Tool, "ping", false, NoRule},
		{"everyone's deny does not either", &Subject{Machine: true, Roles: []string{"admin"}}, "status", Tool, "reset", true, "(role admin, allow)"},
		{"org of the rule", &Subject{Roles: []string{"partner"}, Org: "org_a"}, "github", Tool, "merge", true, "(role partner, allow)"},
		{"another org", &Subject{Roles: []string{"partner"}, Org: "org_b"}, "github", Tool, "merge", false, NoRule},
		{"no org", person("partner"), "github", Tool, "merge", false, NoRule},
		{"an org is matched exactly", &Subject{Roles: []string{"partner"}, Org: "Org_a"}, "github", Tool, "merge", false, NoRule},
		{"an org the policy does not know", &Subject{Roles: []string{"partner"}, Org: "org_c"}, "github", Tool, "close", true, "(role partner, allow)"},
		{"deny only in its org", &Subject{Roles: []string{"partner"}, Org: "org_b"}, "github", Tool, "close", false, "(role partner, deny)"},

		{"glob at the end", person("member"), "github", Tool, "ci_status", true, ""},
		{"a glob's star may be empty", person("guest"), "github", Tool, "get_", true, ""},
		{"a glob crosses slashes in names", person("guest"), "github", Tool, "get_a/b.c", true, ""},
		{"a glob crosses line ends in names", person("guest"), "github", Tool, "get_a\nb", true, ""},
		{"a glob is anchored at the start", person("guest"), "github", Tool, "xget_a", false, NoRule},
		{"names are matched in their case", person("guest"), "github", Tool, "Get_x", false, NoRule},
		{"deny is matched in its case", person("member"), "github", Tool, "get_Secret", true, ""},
		{"no name", person("admin"), "x", Tool, "", false, nameEmpty},
		{"a name with NUL", person("admin"), "x", Tool, "get_x\x00", false, nameNUL},
		{"a name with bad UTF-8", person("admin"), "x", Tool, "get_\xff", false, nameInvalid},
		{"a name with a surrogate", person("admin"), "x", Tool, "get_\xed\xa0\x80", false, nameInvalid},
		{"the longest name", person("admin"), "x", Tool, strings.Repeat("a", MaxName), true, ""},
		{"a longer name", person("admin"), "x", Tool, strings.Repeat("a", MaxName+1), false, nameLong},

		{"composed as written", person("unicode"), "x", Tool, "caf\u00e9", true, ""},
		{"decomposed is another name", person("unicode"), "x", Tool, "cafe\u0301", false, "(role unicode, deny)"},
		{"long s is not s", person("unicode"), "x", Tool, "i\u017f_safe", false, NoRule},
		{"Kelvin sign is not k", person("unicode"), "x", Tool, "\u212aelvin", false, NoRule},
		{"Kelvin sign is not K either", &Subject{Roles: []string{"unicode", "admin"}}, "x", Tool, "\u212aelvin", true, "(role admin, allow)"},
		{"sharp s is not ss", person("unicode"), "x", Tool, "Strasse", false, NoRule},
		{"no invisible characters beside", person("unicode"), "x", Tool, "kelvin\u200b", false, NoRule},
		{"a glob takes whole characters", person("unicode"), "x", Tool, "日本語", true, ""},

		{"** crosses slashes in URIs", person("member"), "docs", Resource, "docs://guide/a/b", true, "(role member, allow)"},
		{"* does not", person("member"), "docs", Resource, "docs://notes/a/b", false, NoRule},
		{"* up to the next slash", person("member"), "docs", Resource, "docs://notes/a", true, ""},
		{"a template is not a resource", person("member"), "docs", Resource, "docs://{+any}", false, NoRule},
		{"a template as written", person("member"), "docs", Template, "docs://guide/{page}", true, ""},
		{"another template", person("member"), "docs", Template, "docs://guide/{pages}", false, NoRule},
		{"a trap is denied to an admin too", person("admin"), "docs", Resource, "docs://a/../b", false, uriDots},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := p.View(tt.subject, tt.server).Decide(tt.kind, tt.thing)
			if got.Allowed != tt.want || !strings.Contains(got.Rule, tt.rule) || got.Rule == "" {
				t.Errorf("Decide(%v, %q) = %+v, want %v because of %q", tt.kind, tt.thing, got, tt.want, tt.rule)
			}
		})
	}
}

func TestTheZeroValuesDenyEverything(t *testing.T) {
	admin := &Subject{Roles: []string{"admin"}}
	views := map[string]*View{
		"zero view":      {},
		"zero policy":    new(Policy).View(admin, "x"),
		"empty document": mustView(t, &Document{}, admin),
		"no subject":     mustCompile(t, company).View(nil, "status"),
	}
	for name, v := range views {
		for k := range kinds {
			if d := v.Decide(k, "x:/a"); d.Allowed || d.Rule != NoRule {
				t.Errorf("%s: %v is %+v", name, k, d)
			}
		}
		if !v.Empty() || v.Describe() != nil {
			t.Errorf("%s is not empty", name)
		}
	}
	if p := new(Policy); p.AllowsMethod("") || p.Observe() || p.HasRole("") || p.HasPermission("") {
		t.Error("the zero policy allows something")
	}
}

func TestPolicyFacts(t *testing.T) {
	p := mustCompile(t, company+"mode: observe\n")
	if !p.Observe() || mustCompile(t, company).Observe() || mustCompile(t, company+"mode: enforce\n").Observe() {
		t.Error("Observe does not follow mode")
	}
	for method, want := range map[string]bool{"ext/ping": true, "ext/pin": false, "ext/ping/x": false, "Ext/ping": false, "": false} {
		if p.AllowsMethod(method) != want {
			t.Errorf("AllowsMethod(%q) is not %v", method, want)
		}
	}
	if !p.HasRole("idle") || p.HasRole("reader") || p.HasRole("") {
		t.Error("HasRole is wrong")
	}
	if !p.HasPermission("reader") || p.HasPermission("idle") {
		t.Error("HasPermission is wrong")
	}
	if got := strings.Join(p.Permissions(), " "); got != "image_generation no_search reader" {
		t.Errorf("Permissions() = %s", got)
	}
	if got := strings.Join(p.Roles(), " "); got != "admin careful_admin guest idle member partner unicode" {
		t.Errorf("Roles() = %s", got)
	}
}

func mustView(tb testing.TB, d *Document, s *Subject) *View {
	tb.Helper()
	p, err := Compile(d)
	if err != nil {
		tb.Fatal(err)
	}
	return p.View(s, "x")
}

func TestKindsAreNamed(t *testing.T) {
	for k, want := range map[Kind]string{Tool: "tool", Prompt: "prompt", Resource: "resource", Template: "template", 9: "kind(9)"} {
		if k.String() != want {
			t.Errorf("%d is called %s", k, k)
		}
	}
}
