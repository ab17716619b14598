package guard

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// mirroring are tools with arguments that are repeated in header fields.
const mirroring = `{"name":"echo","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},` +
	`"n":{"type":"integer","x-mcp-header":"N"},"on":{"type":"boolean","x-mcp-header":"On"},` +
	`"to":{"type":"object","properties":{"tenant":{"type":"string","x-mcp-header":"Tenant"}}}}}}` +
	`,{"name":"hidden_vault","inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`

// lists has the guard see a list of tools.
func (g *rig) lists(entries string) {
	g.t.Helper()
	g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"tools":[`+entries+`],"ttlMs":0,"cacheScope":"private"}}`))
	if r := g.post("2026-07-28", "tools/list", `{}`); r.status != 200 {
		g.t.Fatalf("tools/list: %d %s", r.status, r.body)
	}
	g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
}

// calls calls a tool with header fields, and returns what the upstream got of them.
func (g *rig) calls(rev, tool, arguments string, fields map[string]string) (reply, http.Header) {
	params := fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, arguments)
	h := headersFor(rev, "tools/call", params)
	for name, value := range fields {
		h[textproto.CanonicalMIMEHeaderKey("Mcp-Param-"+name)] = strings.Split(value, "\n")
	}
	before := len(g.received())
	r := g.send(http.MethodPost, h, message(rev, "1", "tools/call", params))
	if seen := g.received(); len(seen) > before {
		return r, seen[before].header
	}
	return r, nil
}

func TestFieldsThatRepeatArgumentsSayTheSame(t *testing.T) {
	g := newRig(t, nil)
	g.lists(mirroring)
	for _, c := range []struct {
		name, arguments string
		fields          map[string]string
		modern, legacy  bool // it goes on
	}{
		{"nothing", `{}`, nil, true, true},
		{"the same text", `{"region":"us-west1"}`, map[string]string{"Region": "us-west1"}, true, true},
		{"in another case of the name", `{"region":"us-west1"}`, map[string]string{"rEGION": "us-west1"}, true, true},
		{"escaped in the body", `{"region":"us\u002dwest1"}`, map[string]string{"Region": "us-west1"}, true, true},
		{"in Base64", `{"region":"Hello, 世界"}`, map[string]string{"Region": "=?base64?SGVsbG8sIOS4lueVjA==?="}, true, true},
		{"with spaces, in Base64", `{"region":" padded "}`, map[string]string{"Region": "=?base64?IHBhZGRlZCA=?="}, true, true},
		{"with a line feed, in Base64", `{"region":"line1\nline2"}`, map[string]string{"Region": "=?base64?bGluZTEKbGluZTI=?="}, true, true},
		{"nested", `{"to":{"tenant":"acme"}}`, map[string]string{"Tenant": "acme"}, true, true},
		{"an integer", `{"n":42}`, map[string]string{"N": "42"}, true, true},
		{"an integer, as a fraction", `{"n":42}`, map[string]string{"N": "42.0"}, true, true},
		{"a boolean", `{"on":true}`, map[string]string{"On": "true"}, true, true},
		{"null and no field", `{"region":null}`, nil, true, true},
		{"an object where text belongs", `{"region":{}}`, nil, true, true},

		{"missing", `{"region":"us-west1"}`, nil, false, true},
		{"one of two missing", `{"region":"us-west1","n":1}`, map[string]string{"N": "1"}, false, true},
		{"another value", `{"region":"us-west1"}`, map[string]string{"Region": "eu-west1"}, false, false},
		{"another case", `{"region":"us-west1"}`, map[string]string{"Region": "US-WEST1"}, false, false},
		{"a field without its argument", `{}`, map[string]string{"Region": "us-west1"}, false, false},
		{"a field for null", `{"region":null}`, map[string]string{"Region": "null"}, false, false},
		{"a field for another argument", `{"region":"a","other":"b"}`, map[string]string{"Region": "b"}, false, false},
		{"twice, the same", `{"region":"a"}`, map[string]string{"Region": "a\na"}, false, false},
		{"twice", `{"region":"a"}`, map[string]string{"Region": "a\nb"}, false, false},
		{"bad Base64", `{"region":"a"}`, map[string]string{"Region": "=?base64?YQ?="}, false, false},
		{"markers in another case", `{"region":"a"}`, map[string]string{"Region": "=?BASE64?YQ==?="}, false, false},
		{"characters beyond ASCII", `{"region":"ü"}`, map[string]string{"Region": "ü"}, false, false},
		{"another integer", `{"n":42}`, map[string]string{"N": "43"}, false, false},
		{"an integer of another text", `{"n":"42"}`, map[string]string{"N": "42.0"}, false, false},
		{"an integer beyond what all tell apart", `{"n":9007199254740993}`, map[string]string{"N": "9007199254740992"}, false, false},
		{"a number that JSON has not", `{"n":16}`, map[string]string{"N": "0x10"}, false, false},
		{"a boolean in capitals", `{"on":true}`, map[string]string{"On": "True"}, false, false},
		{"an object as text", `{"region":{}}`, map[string]string{"Region": "{}"}, false, false},
		{"nested elsewhere", `{"tenant":"acme"}`, map[string]string{"Tenant": "acme"}, false, false},
	} {
		for _, rev := range allRevisions {
			t.Run(rev+"/"+c.name, func(t *testing.T) {
				r, went := g.calls(rev, "echo", c.arguments, c.fields)
				if passes := c.legacy && !isModern(rev) || c.modern && isModern(rev); !passes {
					if r.wantError(t, 400, -32020); went != nil {
						t.Error("it went on")
					}
					return
				}
				if went == nil {
					t.Fatalf("answered %d %s", r.status, r.body)
				}
				for name, value := range c.fields {
					if got := went.Get("Mcp-Param-" + name); got != value {
						t.Errorf("%s became %q", name, got)
					}
				}
			})
		}
	}
}

func TestFieldsThatNobodyCanCompareDoNotGoOn(t *testing.T) {
	fields := map[string]string{"Region": "evil", "Tenant": "evil", "Unknown": "evil"}
	for _, rev := range allRevisions {
		g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
		none := func(what string, r reply, went http.Header) {
			t.Helper()
			if went == nil {
				t.Fatalf("%s, %s: %d %s", rev, what, r.status, r.body)
			}
			for name := range went {
				if strings.HasPrefix(name, "Mcp-Param-") {
					t.Errorf("%s, %s: %s went on", rev, what, name)
				}
			}
		}
		r, went := g.calls(rev, "echo", `{"region":"evil"}`, fields)
		none("before the tool was seen", r, went)
		g.lists(mirroring)
		r, went = g.calls(rev, "echo", `{}`, map[string]string{"Unknown": "evil"})
		none("one that the tool has not", r, went)
		r, went = g.calls(rev, "shown_other", `{"region":"evil"}`, fields)
		none("of a tool without any", r, went)
		// Of what is hidden, a difference says nothing.
		r, _ = g.calls(rev, "hidden_vault", `{"a":"b"}`, map[string]string{"A": "c"})
		r.wantError(t, 200, -32602)
		// A definition that changed.
		g.lists(`{"name":"echo","inputSchema":{"type":"object"}}`)
		r, went = g.calls(rev, "echo", `{"region":"evil"}`, fields)
		none("after the tool changed", r, went)
	}
}

func TestAPageIsForWhoMaySeeItsTool(t *testing.T) {
	const page, hidden, other = "ui://shown/a.html", "ui://hidden_vault/a.html", "ui://other/a.html"
	const tools = `{"name":"shown_a","_meta":{"ui":{"resourceUri":"` + page + `"}}},{"name":"hidden_vault","_meta":{"ui/resourceUri":"` + hidden + `"}}`
	const list = `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"` + page + `","name":"p"},{"uri":"` + hidden + `","name":"h"},{"uri":"` + other + `","name":"o"}]}}`
	for _, rev := range allRevisions {
		g := newRig(t, nil)
		reads := func(uri string) bool {
			t.Helper()
			g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}`))
			r := g.post(rev, "resources/read", `{"uri":"`+uri+`"}`)
			return strings.Contains(r.body, "contents")
		}
		listed := func() string {
			g.answers(jsonAnswer(200, list))
			return g.post(rev, "resources/list", `{}`).body
		}
		if reads(page) || strings.Contains(listed(), "ui://") {
			t.Errorf("%s: a page before its tool was seen", rev)
		}
		g.lists(tools)
		if !reads(page) || reads(hidden) || reads(other) || reads("ui://shown/../shown/a.html") {
			t.Errorf("%s: reads the page: %v, the hidden: %v, one of no tool: %v", rev, reads(page), reads(hidden), reads(other))
		}
		for range 3 { // also when it is remembered
			if got := listed(); !strings.Contains(got, page) || strings.Contains(got, "hidden") || strings.Contains(got, other) {
				t.Errorf("%s: listed %s", rev, got)
			}
		}
		if !isModern(rev) {
			if r := g.post(rev, "resources/subscribe", `{"uri":"`+page+`"}`); strings.Contains(r.body, "error") {
				t.Errorf("%s: subscribing: %s", rev, r.body)
			}
			g.answers(sseAnswer("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\""+page+"\"}}\n\n"+
				"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\""+hidden+"\"}}\n\n", 40))
			h := headersFor(rev, "", "")
			h.Del("Content-Type")
			if got := events(g.send(http.MethodGet, h, "").body); len(got) != 1 || !strings.Contains(got[0], page) {
				t.Errorf("%s: told of %q", rev, got)
			}
		}
		// The other way round, a rule against the page counts.
		g.policy.Store(compile(t, strings.Replace(testPolicy, "  guest: {}", "    deny:\n      - resources: [\"ui://**\"]\n  guest: {}", 1)))
		if reads(page) {
			t.Errorf("%s: a page that is denied", rev)
		}
		g.policy.Store(compile(t, testPolicy))
		g.subject.Store(&policy.Subject{ID: "workos:alice", Roles: []string{"guest"}})
		if reads(page) {
			t.Errorf("%s: a page without its tool", rev)
		}
	}
}

func TestToolsOfALargeListAreRemembered(t *testing.T) {
	g := newRig(t, nil)
	large := `{"name":"shown_large","description":"` + strings.Repeat("x", holdAnswer) + `"},`
	g.lists(large + mirroring)
	r, _ := g.calls("2026-07-28", "echo", `{"region":"a"}`, nil)
	r.wantError(t, 400, -32020)
}

func TestTheLastDefinitionCountsAlsoIfItWasMetBefore(t *testing.T) {
	g := newRig(t, nil)
	const plain = `{"name":"echo","inputSchema":{"type":"object"}}`
	for range 3 {
		g.lists(mirroring)
	}
	for range 3 {
		g.lists(plain)
	}
	if r, _ := g.calls("2026-07-28", "echo", `{"region":"a"}`, nil); r.status != 200 {
		t.Errorf("after the tool lost its fields: %d %s", r.status, r.body)
	}
	g.lists(mirroring)
	r, _ := g.calls("2026-07-28", "echo", `{"region":"a"}`, nil)
	r.wantError(t, 400, -32020)
	g.lists(plain)
	if r, _ := g.calls("2026-07-28", "echo", `{"region":"a"}`, nil); r.status != 200 {
		t.Errorf("after it lost them again: %d %s", r.status, r.body)
	}
}
