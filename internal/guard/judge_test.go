package guard

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestObservingLetsPassWhatThePolicyDeniesAndNothingElse(t *testing.T) {
	body := `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"hidden_vault"},` + shownTool + `,{"name":7},{"name":"a\u0000"},{"name":"\u0085"}]}}`
	for _, edit := range []func(*Config){
		func(c *Config) { c.Observe = true },
		func(c *Config) {
			p := compile(t, testPolicy+"mode: observe\n")
			c.Policy = func() *policy.Policy { return p }
		},
	} {
		g := newRig(t, jsonAnswer(200, body), edit)
		for _, rev := range allRevisions {
			if r := g.post(rev, "tools/list", `{}`); r.body != scoped(rev, tools(`{"name":"hidden_vault"},`+shownTool)) {
				t.Errorf("%s: list: %s", rev, r.body)
			}
			if o := g.last(); o.Filtered != 4 || o.Decision != Allow {
				t.Errorf("%s: list: outcome %+v", rev, o)
			}
			before := len(g.received())
			g.post(rev, "tools/call", `{"name":"hidden_vault"}`)
			if o := g.last(); len(g.received()) != before+1 || o.Decision != Observe || o.Name != hiddenName {
				t.Errorf("%s: call: outcome %+v", rev, o)
			}
			g.post(rev, "tasks/get", `{"taskId":"t"}`)
			g.post(rev, "tools/list", `{"cursor":"made up"}`)
			_ = g.send(http.MethodPost, honestCall(rev), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"hidden_vault"}}`)
			if n := len(g.received()) - before; n != 1 {
				t.Errorf("%s: %d went on", rev, n)
			}
			if o := g.last(); o.Decision != Refuse {
				t.Errorf("%s: outcome %+v", rev, o)
			}
		}
	}
}

func TestWithoutAPolicyOrASubjectNothingPasses(t *testing.T) {
	g := newRig(t, jsonAnswer(200, tools(shownTool)))
	g.policy.Store(nil)
	if r := g.post("2025-11-25", "tools/list", `{}`); r.body != tools("") {
		t.Errorf("without a policy: %s", r.body)
	}
	g.post("2025-11-25", "tools/call", `{"name":"echo"}`).wantError(t, 200, -32602)
	g.post("2025-11-25", "ext/ping", `{}`).wantError(t, 200, -32601)
	g.policy.Store(compile(t, testPolicy))
	g.subject.Store(nil)
	g.post("2025-11-25", "tools/list", `{}`).wantError(t, 503, -32603)
}

func TestCompletionAndSubscriptionsGoByWhatTheyName(t *testing.T) {
	ok := `{"jsonrpc":"2.0","id":1,"result":{}}`
	g := newRig(t, jsonAnswer(200, ok))
	notFound := func(rev string) int {
		if isModern(rev) {
			return -32602
		}
		return -32002
	}
	for _, rev := range allRevisions {
		for params, code := range map[string]int{
			`{"ref":{"type":"ref/prompt","name":"shown_a"},"argument":{"name":"a","value":"v"}}`:                  0,
			`{"ref":{"type":"ref/resource","uri":"docs://shown/{a}"},"argument":{"name":"a","value":"v"}}`:        0,
			`{"ref":{"type":"ref/resource","uri":"docs://shown/a"},"argument":{"name":"a","value":"v"}}`:          0,
			`{"ref":{"type":"ref/prompt","name":"hidden_vault"},"argument":{"name":"a","value":"v"}}`:             -32602,
			`{"ref":{"type":"ref/resource","uri":"docs://hidden_vault/{a}"},"argument":{"name":"a","value":"v"}}`: notFound(rev),
			`{"ref":{"type":"ref/resource","uri":"docs://hidden_vault/a"},"argument":{"name":"a","value":"v"}}`:   notFound(rev),
			`{"ref":{"type":"ref/tool","name":"echo"},"argument":{"name":"a","value":"v"}}`:                       -32602,
			`{"ref":{"type":"ref/prompt"},"argument":{"name":"a","value":"v"}}`:                                   -32602,
			`{"argument":{"name":"a","value":"v"}}`:                                                               -32602,
			`{"ref":{"type":"ref/resource","name":"shown_a","uri":"docs://shown/{a}"},"argument":{"name":"a"}}`:   -32602,
		} {
			r := g.post(rev, "completion/complete", params)
			if code != 0 {
				r.wantError(t, 200, code)
			} else if r.body != ok {
				t.Errorf("%s: %s: %s", rev, params, r.body)
			}
		}
		watch := []string{"resources/subscribe", "resources/unsubscribe", "resources/read"}
		if isModern(rev) {
			watch = watch[2:]
		}
		for _, method := range watch {
			if r := g.post(rev, method, `{"uri":"docs://shown/a"}`); r.body != ok {
				t.Errorf("%s: %s: %s", rev, method, r.body)
			}
			g.post(rev, method, `{"uri":"docs://hidden_vault/a"}`).wantError(t, 200, notFound(rev))
			g.post(rev, method, `{}`).wantError(t, status(rev, method), code(rev, method))
		}
	}
	const rev = "2026-07-28"
	if r := g.post(rev, "subscriptions/listen", `{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["docs://shown/a","docs://shown/b"]}}`); r.body != ok {
		t.Errorf("listen: %s", r.body)
	}
	g.post(rev, "subscriptions/listen", `{"notifications":{"resourceSubscriptions":["docs://shown/a","docs://hidden_vault/b"]}}`).wantError(t, 200, -32602)
	g.post(rev, "subscriptions/listen", `{"notifications":{"resourceSubscriptions":["docs://hidden_vault/b","docs://shown/a"]}}`).wantError(t, 200, -32602)
	g.post(rev, "subscriptions/listen", `{"notifications":{"taskIds":["t"]}}`).wantError(t, 200, -32602)
}

func TestARuleAgainstATemplateIsNotOverruledByAResource(t *testing.T) {
	const denying = `
roles:
  member:
    allow:
      - resources: ["docs://**"]
        templates: ["docs://shown/**"]
    deny:
      - templates: ["docs://hidden_vault/**"]
`
	ok := `{"jsonrpc":"2.0","id":1,"result":{}}`
	g := newRig(t, jsonAnswer(200, ok))
	complete := func(uri string) reply {
		return g.post("2025-11-25", "completion/complete", `{"ref":{"type":"ref/resource","uri":"`+uri+`"},"argument":{"name":"a","value":"v"}}`)
	}
	g.policy.Store(compile(t, denying))
	complete("docs://hidden_vault/x").wantError(t, 200, -32002)
	if r := complete("docs://other/x"); r.body != ok {
		t.Errorf("a resource that no template names: %s", r.body)
	}
	g.policy.Store(compile(t, denying+"mode: observe\n"))
	if r := complete("docs://hidden_vault/x"); r.body != ok {
		t.Errorf("observing: %s", r.body)
	}
	if o := g.last(); o.Decision != Observe || o.Kind != policy.Template {
		t.Errorf("outcome %+v", o)
	}
}

func TestTheFirstThatIsOnlyObservedIsReported(t *testing.T) {
	g := newRig(t, sseAnswer(": on\n\n", 1<<20), func(c *Config) { c.Observe = true })
	g.post("2026-07-28", "subscriptions/listen", `{"notifications":{"resourceSubscriptions":["docs://shown/a","docs://hidden_vault/a","docs://hidden_b/a","docs://shown/b"]}}`)
	if o := g.last(); o.Decision != Observe || o.Name != "docs://hidden_vault/a" || o.Rule != policy.NoRule {
		t.Errorf("subscriptions: outcome %+v", o)
	}
	g.answers(answerAs("", 202, ""))
	g.send(http.MethodPost, honestLegacy(), `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hidden_vault"}},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}]`)
	if o := g.last(); o.Decision != Observe || o.Name != hiddenName {
		t.Errorf("a batch: outcome %+v", o)
	}
}

func TestWhatIsLoggedOfARequestIsBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	failing := rawAnswer("HTTP/1.1 200 OK\r\n" + long[:100_000] + "\r\n\r\n")
	g := newRig(t, failing)
	for name, send := range map[string]func(){
		"a name":                 func() { g.post("2025-11-25", "tools/call", `{"name":"`+long+`"}`) },
		"a name that is allowed": func() { g.post("2025-11-25", "tools/call", `{"name":"shown_`+long+`"}`) },
		"a uri":                  func() { g.post("2025-11-25", "resources/read", `{"uri":"docs://`+long+`"}`) },
		"a method":               func() { g.post("2025-11-25", "m/"+long, `{}`) },
		"an HTTP method":         func() { g.send(strings.Repeat("M", 1<<12), nil, "") },
		"a member":               func() { g.post("2025-11-25", "tools/call", `{"__proto__":1,"`+long+`":1}`) },
		"a version":              func() { g.post(strings.Repeat("v", 1<<12), "ping", `{}`) },
		"an upstream's words":    func() { g.post("2025-11-25", "ping", `{}`) },
	} {
		send()
		o := g.last()
		if n := len(o.Name) + len(o.Method) + len(o.Reason) + len(o.Protocol) + len(o.Rule); n > 2000 || !utf8.ValidString(o.Name) {
			t.Errorf("%s: an outcome of %d bytes: %.200s", name, n, o.Reason)
		}
	}
	for _, line := range g.logs.All() {
		for _, f := range line.Context {
			if f.Type != zapcore.StringType || len(f.String) > 2000 {
				t.Errorf("%s is logged with %d bytes", f.Key, len(f.String))
			}
		}
	}
}

// status and code are the answer to a request that lacks its uri: revision
// 2026-07-28 misses the header first.
func status(rev, method string) int {
	if isModern(rev) && methods[method].named {
		return 400
	}
	return 200
}

func code(rev, method string) int {
	if isModern(rev) && methods[method].named {
		return -32020
	}
	return -32602
}
