package guard

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestWhatIsKeptKeepsItsBytes(t *testing.T) {
	g := newRig(t, nil, func(c *Config) { c.MaxTTL = time.Minute })
	for _, c := range []struct {
		name, in, want string
		list           bool // which does not say for whom it may be kept
	}{
		{"nothing to leave out",
			"{ \"jsonrpc\":\"2.0\", \"id\" :1,\n\"result\":{\"tools\" : [ {\"name\":\"shown_a\",\"x\":1e400 , \"é\":\"\\u00e9\\ud800\"} ,\t{\"name\":\"echo\"}], \"more\":[1,2.50], \"_meta\":{} } }",
			"", true},
		{"the first left out",
			`{"jsonrpc":"2.0","id":1,"result":{"a":9007199254740993,"tools":[ {"name":"x"}, {"name":"echo","n":9007199254740993} , {"name":"shown_a"} ],"b":0.10}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"a":9007199254740993,"tools":[{"name":"echo","n":9007199254740993} , {"name":"shown_a"} ],"b":0.10}}`, true},
		{"the middle left out",
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"echo"} , {"name":"x"}, {"name":"y"} ,{"name":"shown_a"} ]}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"echo"},{"name":"shown_a"} ]}}`, true},
		{"the last left out",
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"echo"} , {"name":"x"} ]}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"echo"}]}}`, true},
		{"all left out",
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"x"} , {"name":"y"} ],"resultType":"complete"}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[],"resultType":"complete"}}`, true},
		{"null for an empty list", `{"jsonrpc":"2.0","id":1,"result":{"tools":null,"nextCursor":null}}`, "", true},
		{"the empty string for no other page", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor" : ""}}`, "", true},
		{"the hints of caches",
			`{"jsonrpc":"2.0","id":1,"result":{"ttlMs":3600000,"cacheScope":"public","tools":[],"resultType":"complete"}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"ttlMs":60000,"cacheScope":"private","tools":[],"resultType":"complete"}}`, false},
		{"hints that may stay", `{"jsonrpc":"2.0","id":1,"result":{"ttlMs":6e4,"cacheScope":"private","tools":[]}}`, "", false},
		{"hints that are none",
			`{"jsonrpc":"2.0","id":1,"result":{"ttlMs":"1","cacheScope":["public"],"tools":[]}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"ttlMs":0,"cacheScope":"private","tools":[]}}`, false},
		{"the hints of a resource",
			`{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"docs://shown/a","text":"t"}],"cacheScope":"public","ttlMs":1}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"docs://shown/a","text":"t"}],"cacheScope":"private","ttlMs":1}}`, false},
		{"a result of a tool",
			`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\ud800 lone"}],"structuredContent":{"tools":[{"name":"free text"}],"Tools":1,"a":1,"a":2}}}`, "", false},
		{"an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"m","data":{"a":[{"tools":[]}]}}}`, "", false},
		{"capabilities in an error", `{"jsonrpc":"2.0","id":1,"error":{"data":{"requiredCapabilities":{"sampling":{"tools":{}}},"x":[[],{"tools": [ ]},null]},"code":-32021,"message":"m"}}`, "", false},
		{"an id with escapes in it", `{"jsonrpc":"2.0","id":1,"result":{"\u0061":"\/"}}`, "", false},
	} {
		if c.want == "" {
			c.want = c.in
		}
		for _, rev := range allRevisions {
			t.Run(rev+"/"+c.name, func(t *testing.T) {
				want := c.want
				if c.list {
					want = scoped(rev, want)
				}
				g.answers(jsonAnswer(200, c.in))
				if r := g.post(rev, "tools/list", `{}`); r.body != want {
					t.Errorf("JSON: got\n%s\nwant\n%s", r.body, want)
				}
				g.answers(sseAnswer(dataLines(c.in)+"\n", 9))
				if got := events(g.post(rev, "tools/list", `{}`).body); len(got) != 1 || got[0] != want {
					t.Errorf("SSE: got\n%q\nwant\n%s", got, want)
				}
			})
		}
	}
}

// scoped is what a revision gets of a list that does not say for whom it may be kept. The message ends with its result.
func scoped(rev, message string) string {
	if !isModern(rev) || strings.Contains(message, "cacheScope") {
		return message
	}
	at := strings.LastIndexByte(message[:strings.LastIndexByte(message, '}')], '}')
	return message[:at] + `,"cacheScope":"private"` + message[at:]
}

func TestWhatIsFilteredForOneIsNotKeptForAll(t *testing.T) {
	g := newRig(t, nil)
	for in, want := range map[string]string{
		`{"result":{"tools":[{"name":"echo"}] },"id":1,"jsonrpc":"2.0"}`:                                      `{"result":{"tools":[{"name":"echo"}] ,"cacheScope":"private"},"id":1,"jsonrpc":"2.0"}`,
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"hidden_vault"}],"nextCursor":"","ttlMs":60000}}`: `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"","ttlMs":60000,"cacheScope":"private"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"prompts":[]}}`:                                                    `{"jsonrpc":"2.0","id":1,"result":{"prompts":[],"cacheScope":"private"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"resources":[]}}`:                                                  `{"jsonrpc":"2.0","id":1,"result":{"resources":[],"cacheScope":"private"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[]}}`:                                          `{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[],"cacheScope":"private"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}`:                                                   `{"jsonrpc":"2.0","id":1,"result":{"contents":[],"cacheScope":"private"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"public","tools":[]}}`:                                `{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"private","tools":[]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`:                                                    `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`:                                                                `{"jsonrpc":"2.0","id":1,"result":{}}`,
	} {
		g.answers(jsonAnswer(200, in))
		if r := g.post("2026-07-28", "tools/list", `{}`); r.body != want {
			t.Errorf("got\n%s\nwant\n%s", r.body, want)
		}
	}
	// What is remembered for one revision is not what another gets.
	g.answers(jsonAnswer(200, strings.Replace(string(toolList(100)), `"id":7`, `"id":1`, 1)))
	for range 3 {
		for _, rev := range allRevisions {
			if r := g.post(rev, "tools/list", `{}`); r.status != 200 || strings.Contains(r.body, `"cacheScope":"private"`) != isModern(rev) {
				t.Errorf("%s: %d %.80s…", rev, r.status, r.body)
			}
		}
	}
}

func TestTheSameListForOthersIsFilteredForThem(t *testing.T) {
	list := string(toolList(100))
	g := newRig(t, nil)
	as := func(id, role string, cursor string) string {
		t.Helper()
		g.subject.Store(&policy.Subject{ID: "workos:" + role, Roles: []string{role}})
		answer := strings.Replace(list, `"id":7`, `"id":`+id, 1)
		if cursor != "" {
			answer = strings.Replace(answer, `]}}`, `],"nextCursor":"`+cursor+`"}}`, 1)
		}
		g.answers(jsonAnswer(200, answer))
		r := g.send(http.MethodPost, headersFor("2025-11-25", "tools/list", ""), message("2025-11-25", id, "tools/list", "{}"))
		if r.status != 200 || !strings.HasPrefix(r.body, `{"jsonrpc":"2.0","id":`+id+`,"result":{"tools":[`) {
			t.Fatalf("%d %.100s", r.status, r.body)
		}
		return r.body
	}
	for range 4 { // from the second time on it is remembered
		for i, id := range []string{"1", `"a \u0062"`, "-12345678901", "1"} {
			body := as(id, "member", "")
			if strings.Contains(body, "hidden") || strings.Count(body, "shown_") != 67 {
				t.Fatalf("%d: a member sees %d", i, strings.Count(body, "shown_"))
			}
			if o := g.last(); o.Filtered != 33 {
				t.Errorf("%d: outcome %+v", i, o)
			}
			if body := as(id, "admin", ""); body != strings.Replace(list, `"id":7`, `"id":`+id, 1) {
				t.Fatalf("%d: an administrator does not see it as it is", i)
			}
			if body := as(id, "guest", ""); strings.Contains(body, "_") {
				t.Fatalf("%d: a guest sees %.200s", i, body)
			}
		}
	}
	// The cursor is sealed anew for each, and opens for each.
	seen := map[string]bool{}
	for range 5 {
		for _, role := range []string{"member", "admin"} {
			body := as("1", role, "page-2")
			_, rest, _ := strings.Cut(body, `"nextCursor":"`)
			handle := strings.TrimSuffix(rest, `"}}`)
			if seen[handle] || strings.Contains(body, "page-2") {
				t.Fatalf("cursor %q", handle)
			}
			seen[handle] = true
			g.post("2025-11-25", "tools/list", `{"cursor":"`+handle+`"}`)
			if got := string(g.received()[len(g.received())-1].body); !strings.Contains(got, `"cursor":"page-2"`) {
				t.Fatalf("went on as %s", got)
			}
		}
	}
	// A changed policy is felt at once.
	g.policy.Store(compile(t, `roles: { member: { allow: [{ tools: [shown_0] }] } }`))
	if body := as("1", "member", ""); strings.Count(body, "shown_") != 1 {
		t.Errorf("under another policy a member sees %d", strings.Count(body, "shown_"))
	}
}
