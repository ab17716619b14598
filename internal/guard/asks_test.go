package guard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// asking are the ways of a server to ask for each kind of thing.
var asking = map[Asks]string{
	AskElicitation: `{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example","elicitationId":"1","message":"m"}}`,
	AskSampling:    `{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[]}}`,
	AskRoots:       `{"params":{},"method":"roots/list"}`,
}

func mayNotAskFor(not Asks) func(*Config) { return func(c *Config) { c.MayNotAsk = not } }

func TestAServerAsksOnlyForWhatItMay(t *testing.T) {
	for not := range AskRoots << 1 {
		for kind, ask := range asking {
			t.Run(fmt.Sprintf("not %03b, asks %03b", not, kind), func(t *testing.T) {
				g := newRig(t, nil, mayNotAskFor(not))
				allowed := not&kind == 0
				request := `{"jsonrpc":"2.0","id":7,` + ask[1:]
				h := headersFor("2025-11-25", "", "")
				h.Del("Content-Type")
				g.answers(sseAnswer("data: "+request+"\n\n", 30))
				want := 0
				if allowed {
					want = 1
				}
				if got := events(g.send(http.MethodGet, h, "").body); len(got) != want || allowed && got[0] != request {
					t.Errorf("a stream: %q", got)
				}
				if got := events(g.post("2025-06-18", "tools/call", `{"name":"echo"}`).body); len(got) != want {
					t.Errorf("a call's stream: %q", got)
				}
				// From 2026-07-28 on, in results.
				result := `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":` + ask + `},"requestState":"s"}}`
				for _, answer := range []http.HandlerFunc{jsonAnswer(200, result), sseAnswer("data: "+result+"\n\n", 30)} {
					g.answers(answer)
					r := g.post("2026-07-28", "tools/call", `{"name":"echo"}`)
					if data := events(r.body); len(data) == 1 {
						r.body = data[0]
					}
					if allowed {
						if !strings.Contains(r.body, ask) {
							t.Errorf("an input request: %s", r.body)
						}
						continue
					}
					_, code, message := r.rpcError(t)
					if r.status != 200 || code != -32603 || !strings.Contains(message, "may not ask") {
						t.Errorf("an input request: %d %s", r.status, r.body)
					}
					if o := g.last(); o.Decision != Failed {
						t.Errorf("outcome %+v", o)
					}
				}
			})
		}
	}
}

func TestAnErrorThatElicitsIsElicitation(t *testing.T) {
	const failure = `{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"https://a.example"}]}}}`
	for _, code := range []string{"-32042", "-32042.0", "-3.2042e4"} {
		answer := strings.Replace(failure, "-32042", code, 1)
		g := newRig(t, jsonAnswer(200, answer), mayNotAskFor(AskElicitation))
		if r := g.post("2025-11-25", "tools/call", `{"name":"echo"}`); strings.Contains(r.body, "a.example") {
			t.Errorf("%s: %s", code, r.body)
		}
	}
	g := newRig(t, jsonAnswer(200, failure), mayNotAskFor(AskSampling))
	if r := g.post("2025-11-25", "tools/call", `{"name":"echo"}`); r.body != failure {
		t.Errorf("it became %s", r.body)
	}
	g = newRig(t, sseAnswer("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{\"elicitationId\":\"1\"}}\n\n", 30), mayNotAskFor(AskElicitation))
	h := headersFor("2025-11-25", "", "")
	h.Del("Content-Type")
	if got := events(g.send(http.MethodGet, h, "").body); len(got) != 0 {
		t.Errorf("news of an elicitation: %q", got)
	}
}

func TestInputRequestsOfAnotherKindDoNotPass(t *testing.T) {
	for _, requests := range []string{
		`{"a":{"method":"tools/call","params":{"name":"hidden_vault"}}}`,
		`{"a":{"method":"elicitation/create","method":"tools/call"}}`,
		`{"a":{"method":"elicitation/create","Method":"tools/call"}}`,
		`{"a":{"params":{}}}`,
		`{"a":"elicitation/create"}`,
		`[]`,
	} {
		g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":`+requests+`}}`))
		g.post("2026-07-28", "tools/call", `{"name":"echo"}`).wantError(t, 502, -32603)
	}
	const extension = `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"ext/ping"}}}}`
	g := newRig(t, jsonAnswer(200, extension))
	if r := g.post("2026-07-28", "tools/call", `{"name":"echo"}`); r.body != extension {
		t.Errorf("a method of the policy: %s", r.body)
	}
}

func TestAServerIsNotToldThatItCouldAskForWhatItMayNot(t *testing.T) {
	const capabilities = `{ "experimental":{"sampling":{}}, "roots":{"listChanged":true} ,"s\u0061mpling":{}, "elicitation":{"url":{}},` +
		`"tasks":{"list":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}},"extensions":{}}`
	for not, want := range map[Asks]string{
		0:                          capabilities,
		AskRoots:                   strings.Replace(capabilities, ` "roots":{"listChanged":true} ,`, "", 1),
		AskSampling:                `{"experimental":{"sampling":{}},"roots":{"listChanged":true},"elicitation":{"url":{}},"tasks":{"list":{},"requests":{"elicitation":{"create":{}}}},"extensions":{}}`,
		AskSampling | AskRoots | 1: `{"experimental":{"sampling":{}},"tasks":{"list":{},"requests":{}},"extensions":{}}`,
	} {
		g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`), mayNotAskFor(not))
		got := func() string { return string(g.received()[len(g.received())-1].body) }
		g.post("2025-11-25", "initialize", `{"protocolVersion":"2025-11-25","capabilities":`+capabilities+`,"clientInfo":{"name":"c","version":"1"}}`)
		if body := got(); !sameJSON(t, body, message("2025-11-25", "1", "initialize", `{"protocolVersion":"2025-11-25","capabilities":`+want+`,"clientInfo":{"name":"c","version":"1"}}`)) || not == 0 && !strings.Contains(body, capabilities) {
			t.Errorf("not %03b: initialize became %s", not, body)
		}
		for _, method := range []string{"tools/call", "tools/list", "server/discover"} {
			params := `{"name":"echo"}`
			whole := strings.Replace(message("2026-07-28", "1", method, params), `Capabilities":{}`, `Capabilities":`+capabilities, 1)
			g.send(http.MethodPost, headersFor("2026-07-28", method, params), whole)
			if body := got(); !sameJSON(t, body, strings.Replace(whole, capabilities, want, 1)) {
				t.Errorf("not %03b: %s became %s", not, method, body)
			}
		}
	}
}

// sameJSON reports whether two texts are the same JSON.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	return decoded(t, a) == decoded(t, b)
}

// decoded returns JSON in one form for all that say the same.
func decoded(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	b, _ := json.Marshal(v)
	return string(b)
}
