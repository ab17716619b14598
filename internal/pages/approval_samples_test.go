package pages

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func approve(a Approve) func(*Pages, http.ResponseWriter) {
	a.Action, a.Hidden, a.Now = "/connections/approve", []Field{{"token", "t0ken"}}, today
	return func(p *Pages, w http.ResponseWriter) { p.Approve(w, nil, a) }
}

// merging is a call that waits.
var merging = WaitingCall{
	ID: "0123456789abcdef0123456789abcdef01234567", Client: program, Server: "github", Kind: "tool", Name: "merge_pull_request", Asked: today.Add(-70e9),
	Args: "{\n  \"owner\": \"acme\",\n  \"repo\": \"website\",\n  \"pullNumber\": 1842,\n  \"merge_method\": \"squash\",\n  \"commit_title\": \"Ship the new front page, with everything that we said we would ship and a line that is longer than a phone is wide\"\n}",
}

func init() {
	long, odd := merging, merging
	long.Client, long.Args, long.Asked = proved, strings.Repeat("abcdefghij\n", 400), today
	odd.Client, odd.Server, odd.Name, odd.Args, odd.ID = hostile, "<i>x</i>", `"><b>rm</b>`, "</code></pre><script>alert(1)</script>", `"><i>`
	samples = append(samples,
		sample{"approve", approve(Approve{Call: merging, Person: "Alice Jones", Email: "alice@example.com", Org: "Acme Corporation"})},
		sample{"approve-long", approve(Approve{Call: long, Person: "alice", Email: "alice", Impersonator: "staff@example.com"})},
		sample{"approve-hostile", approve(Approve{Call: odd, Person: "<b>\u202eAlice</b>"})},
		sample{"connections-asking", connections(Connections{Person: "Alice Jones", Agents: agents[:2], Asking: &Asking{
			Action: "/connections/approve", Hidden: []Field{{"token", "t0ken"}}, Waiting: []WaitingCall{merging, long, odd},
			Standing: []StandingUse{
				{ID: "s1", Client: proved, Server: "github", Kind: "tool", Name: "create_issue", Since: today.AddDate(0, 0, -2)},
				{ID: `"><i>`, Client: Client{}, Server: "<i>x</i>", Kind: "tool", Name: "<b>x</b>", Since: today},
			},
		}})},
		sample{"connections-asked-nothing", connections(Connections{Person: "Alice Jones", Asking: &Asking{Action: "/connections/approve"}})},
	)
}

// Every form of what waits goes to its page with the session's token, and says what of which call.
func TestFormsOfApprovals(t *testing.T) {
	p := New()
	for name, want := range map[string][]string{
		"approve":                   {"once deny always call=" + merging.ID},
		"connections-asking":        {"once deny always call=" + merging.ID, "once deny always call=" + merging.ID, `once deny always call="><i>`, "ask-again standing=s1", `ask-again standing="><i>`},
		"connections-asked-nothing": nil,
	} {
		var got []string
		for _, form := range drawPage(t, p, find(t, name)).all("form") {
			if attr(form, "action") != "/connections/approve" {
				continue
			}
			var does, fields []string
			for n := range form.Descendants() {
				switch {
				case n.Data == "button" && (attr(n, "name") != "action" || attr(n, "type") != "submit" || attr(n, "aria-label") == ""):
					t.Errorf("%s: a button named %q", name, attr(n, "name"))
				case n.Data == "button":
					does = append(does, attr(n, "value"))
				case n.Data == "input" && attr(n, "name") == "token":
					if attr(n, "value") != "t0ken" {
						t.Errorf("%s: another token", name)
					}
				case n.Data == "input":
					fields = append(fields, attr(n, "name")+"="+attr(n, "value"))
				}
			}
			got = append(got, strings.Join(append(does, fields...), " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: forms %q, want %q", name, got, want)
		}
	}
	if d := drawPage(t, p, find(t, "approve")); words(d.all("pre")[0]) != strings.Join(strings.Fields(merging.Args), " ") {
		t.Errorf("the arguments are %q", words(d.all("pre")[0]))
	}
}
