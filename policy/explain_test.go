package policy

import (
	"strings"
	"testing"
	"time"
)

// explained is a policy with a rule of every sort.
const explained = `roles:
  engineer:
    inherit: [member]
    allow:
      - server: github
        tools: [create_issue]
        when: args.owner == "acme" && size(args.title) < 10
        limit: 30/m
      - server: docs
        tools: ["*"]
        annotations: { readOnlyHint: true }
    ask:
      - tools: [merge]
    deny:
      - tools: [delete_*]
        when: user.email != "root@example.com"
  member:
    allow:
      - server: github
        tools: [get_*, merge, delete_repo]
`

func TestExplain(t *testing.T) {
	p := mustCompile(t, explained)
	engineer := Subject{Roles: []string{"engineer"}, Email: "ann@example.com"}
	root := engineer
	root.Email = "root@example.com"
	for _, c := range []struct {
		name    string
		q       Question
		verdict string
		rule    string // part of the deciding rule
		limit   string
		listed  bool
		why     string // part of all that is said of the rules
	}{
		{"allowed by a plain rule", Question{Subject: engineer, Server: "github", Name: "get_me"}, "allow", "p.yaml:19 (role member, allow)", "", true, "p.yaml:19 (role member, allow) yes"},
		{"nothing allows it", Question{Subject: engineer, Server: "github", Name: "fork"}, "deny", NoRule, "", false, ""},
		{"allowed by a condition", Question{Subject: engineer, Server: "github", Name: "create_issue", Args: []byte(`{"owner":"acme","title":"Hello"}`)}, "allow", "p.yaml:5", "30/m per user", true, "yes"},
		{"one part of a condition is false", Question{Subject: engineer, Server: "github", Name: "create_issue", Args: []byte(`{"owner":"evil","title":"Hello"}`)}, "deny", NoRule, "", true, `no: args.owner == "acme" is false`},
		{"both parts are", Question{Subject: engineer, Server: "github", Name: "create_issue", Args: []byte(`{"owner":"evil","title":"Hello, world"}`)}, "deny", NoRule, "", true, `no: args.owner == "acme" is false; size(args.title) < 10 is false`},
		{"a part can't be judged", Question{Subject: engineer, Server: "github", Name: "create_issue", Args: []byte(`{"owner":"acme"}`)}, "deny", NoRule, "", true, `error: size(args.title) < 10 can't be judged: no such key: title`},
		{"the arguments are not known", Question{Subject: engineer, Server: "github", Name: "create_issue"}, "allow", "p.yaml:5", "30/m per user", true, `unknown: args.owner == "acme" depends on the arguments; size(args.title) < 10 depends on the arguments`},
		{"an annotation is not there", Question{Subject: engineer, Server: "docs", Name: "read"}, "deny", NoRule, "", false, "error: nothing is known of the tool's annotations"},
		{"an annotation says otherwise", Question{Subject: engineer, Server: "docs", Name: "write", Tool: Annotations{Known: true}}, "deny", NoRule, "", false, "no: readOnlyHint is false"},
		{"an annotation says so", Question{Subject: engineer, Server: "docs", Name: "read", Tool: Annotations{Known: true, ReadOnly: true}}, "allow", "p.yaml:9", "", true, "yes"},
		{"a person is asked", Question{Subject: engineer, Server: "github", Name: "merge"}, "ask", "p.yaml:13 (role engineer, ask)", "", true, "p.yaml:19 (role member, allow) yes\np.yaml:13 (role engineer, ask) yes"},
		{"denied by a condition", Question{Subject: engineer, Server: "github", Name: "delete_repo"}, "deny", "p.yaml:15 (role engineer, deny)", "", false, "p.yaml:15 (role engineer, deny) yes"},
		{"not denied", Question{Subject: root, Server: "github", Name: "delete_repo"}, "allow", "p.yaml:19", "", true, `p.yaml:15 (role engineer, deny) no: user.email != "root@example.com" is false`},
		{"a name that is none", Question{Subject: engineer, Server: "github", Name: ""}, "deny", nameEmpty, "", false, ""},
		{"a URI that is none", Question{Subject: engineer, Server: "github", Kind: Resource, Name: "a://b/../c"}, "deny", "dot segment", "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x := p.Explain(&c.q)
			var lines []string
			for _, r := range x.Rules {
				line := r.Rule + " " + r.Applies
				if r.Why != "" {
					line += ": " + r.Why
				}
				lines = append(lines, line)
			}
			why := strings.Join(lines, "\n")
			if x.Verdict != c.verdict || x.Allowed != (c.verdict != VerdictDeny) || !strings.Contains(x.Rule, c.rule) || x.Limit != c.limit || x.Listed != c.listed {
				t.Errorf("%+v", x)
			}
			if !strings.Contains(why, c.why) || c.why == "" && why != "" {
				t.Errorf("says\n%s\nwant\n%s", why, c.why)
			}
		})
	}
}

func TestALimitIsWrittenAsItIsRead(t *testing.T) {
	for _, text := range []string{"30/m per user", "1/s per client", "1000000/d per tool", "5/h per user"} {
		l, ok := parseLimit(text)
		if !ok || l.String() != text {
			t.Errorf("%s is written %s", text, &l)
		}
	}
	if got := (&Limit{Count: 2, Per: 90 * time.Second, By: 7}).String(); got != "2 in 1m30s per limitby(7)" {
		t.Error(got)
	}
}
