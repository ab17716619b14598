package guard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// honestCall has the headers of an honest call of echo.
func honestCall(rev string) http.Header {
	h := headersFor(rev, "tools/call", `{"name":"echo"}`)
	if rev != "2025-03-26" {
		h.Set("Mcp-Protocol-Version", rev)
	}
	return h
}

func TestAnHonestCallGoesOnAsItCame(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}`))
	for _, rev := range allRevisions {
		t.Run(rev, func(t *testing.T) {
			h := honestCall(rev)
			h.Set("Mcp-Param-Region", "us-west1")
			h.Set("Mcp-Param-Tenant_id", "acme")
			h.Set("Mcp_Param_Tenant", "acme")
			h.Set("Cookie", "session=agent")
			h.Set("Content-Type", ` Application/JSON ; Charset="UTF-8" `)
			// Numbers and the order of members survive only if nothing is re-encoded.
			body := message(rev, "1", "tools/call", `{"arguments":{"z":9007199254740993,"a":1e400,"\u0061b":"é"} , "name":"echo"}`)
			r := g.send(http.MethodPost, h, body)
			if want := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}`; r.status != 200 || r.body != want {
				t.Fatalf("answered %d %s", r.status, r.body)
			}
			got := g.received()[len(g.received())-1]
			if string(got.body) != body || got.length != int64(len(body)) {
				t.Fatalf("the upstream got %d bytes: %s", got.length, got.body)
			}
			for k, want := range map[string]string{
				"Content-Type": "application/json", "Accept-Encoding": "identity", "Mcp-Param-Region": "",
				"Mcp-Param-Tenant_id": "", "Mcp_Param_Tenant": "",
				"Authorization": "", "Cookie": "", "Mcp-Protocol-Version": h.Get("Mcp-Protocol-Version"), "Mcp-Name": h.Get("Mcp-Name"), "Accept": h.Get("Accept"),
			} {
				if got.header.Get(k) != want {
					t.Errorf("%s: %q went on, want %q", k, got.header.Get(k), want)
				}
			}
			if o := g.last(); o.Decision != Allow || o.Name != "echo" || !o.HasTarget || o.Method != "tools/call" || o.Status != 200 || o.UpstreamStatus != 200 || o.Protocol != rev || o.Upstream <= 0 || !strings.Contains(o.Rule, "member") {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

func TestNullForWhatMayBeLeftOutIsNone(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
	for _, rev := range allRevisions {
		for params, method := range map[string]string{
			`{"name":"echo","arguments":null}`:    "tools/call",
			`{"name":"shown_a","arguments":null}`: "prompts/get",
			`{"cursor":null}`:                     "tools/list",
		} {
			before := len(g.received())
			r := g.post(rev, method, params)
			if got := g.received()[before:]; r.status != 200 || len(got) != 1 || string(got[0].body) != message(rev, "1", method, params) {
				t.Errorf("%s: %s: %d %s", rev, params, r.status, r.body)
			}
		}
	}
	before := len(g.received())
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":null}}`,
	} {
		if r := g.send(http.MethodPost, honestLegacy(), body); r.status != 200 || !strings.Contains(r.body, "result") {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
		// Revision 2026-07-28 names itself in _meta.
		h := honestCall("2026-07-28")
		if strings.Contains(body, "list") {
			h = headersFor("2026-07-28", "tools/list", "{}")
		}
		g.send(http.MethodPost, h, body).wantError(t, 400, -32602)
	}
	// What is called has to have a name all the same.
	for _, method := range []string{"tools/call", "prompts/get", "resources/read", "completion/complete"} {
		g.send(http.MethodPost, honestLegacy(), `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":null}`).wantError(t, 200, -32602)
	}
	g.send(http.MethodPost, honestLegacy(), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":null}}`).wantError(t, 400, -32600)
	if n := len(g.received()) - before; n != 2 {
		t.Errorf("%d went on", n)
	}
}

func TestDenialsAreWordedAsForWhatDoesNotExist(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{}`))
	for _, rev := range allRevisions {
		notFound := -32002
		if isModern(rev) {
			notFound = -32602
		}
		for _, c := range []struct {
			method, params string
			code           int
			message        string
		}{
			{"tools/call", `{"name":"hidden_vault"}`, -32602, "Unknown tool: hidden_vault"},
			{"tools/call", `{"name":"no \"such\" tool"}`, -32602, `Unknown tool: no "such" tool`},
			{"prompts/get", `{"name":"hidden_vault"}`, -32602, "Unknown prompt: hidden_vault"},
			{"resources/read", `{"uri":"docs://hidden_vault/a"}`, notFound, "Resource not found"},
		} {
			t.Run(fmt.Sprintf("%s/%s/%s", rev, c.method, c.params), func(t *testing.T) {
				r := g.post(rev, c.method, c.params)
				r.wantError(t, 200, c.code)
				if id, _, message := r.rpcError(t); message != c.message || string(id) != "1" {
					t.Errorf("answered id %s with %q", id, message)
				}
				if o := g.last(); o.Decision != Deny || !o.HasTarget || o.UpstreamStatus != 0 || o.Rule == "" {
					t.Errorf("outcome %+v", o)
				}
			})
		}
	}
	if n := len(g.received()); n != 0 {
		t.Errorf("the upstream got %d requests", n)
	}
}

func TestUnknownMethodsAreRefusedUnlessThePolicyHasThem(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
	for _, rev := range allRevisions {
		status := 200
		if isModern(rev) {
			status = 404
		}
		refused := []string{"ext/other", "sampling/createMessage", "tools/call/", "constructor"}
		switch rev {
		case "2025-11-25":
			refused = append(refused, "tasks/update")
		case "2026-07-28":
			refused = append(refused, "tasks/list", "tasks/result")
		default:
			refused = append(refused, "tasks/get", "tasks/list", "tasks/result", "tasks/cancel", "tasks/update")
		}
		if isModern(rev) {
			refused = append(refused, "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")
		} else {
			refused = append(refused, "server/discover", "subscriptions/listen")
		}
		for _, method := range refused {
			g.post(rev, method, `{}`).wantError(t, status, -32601)
		}
		if n := len(g.received()); n != 0 {
			t.Fatalf("%s: %d requests went on", rev, n)
		}
		if r := g.post(rev, "ext/ping", `{}`); r.status != 200 || !strings.Contains(r.body, "result") {
			t.Errorf("%s: a method of the policy: %d %s", rev, r.status, r.body)
		}
		g.seen = nil
	}
	h := headersFor("2026-07-28", "tasks/result", "{}")
	h.Set("Mcp-Name", "t")
	g.send(http.MethodPost, h, message("2026-07-28", "1", "tasks/result", `{"taskId":"t"}`)).wantError(t, 404, -32601)
	// Not even the policy can let pass what another revision of the specification has.
	g.policy.Store(compile(t, testPolicy[:strings.Index(testPolicy, "methods:")]+"methods: [tasks/result, notifications/tasks]\n"))
	g.post("2025-06-18", "tasks/result", `{"taskId":"t"}`).wantError(t, 200, -32601)
	g.send(http.MethodPost, honestLegacy(), `{"jsonrpc":"2.0","method":"notifications/tasks"}`).wantError(t, 400, -32601)
	if n := len(g.received()); n != 0 {
		t.Errorf("%d requests went on", n)
	}
}

func TestMalformedBodiesGetTheProtocolsOwnError(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{}`))
	for _, c := range []struct {
		name, body string
		code       int
	}{
		{"nothing", ``, -32700},
		{"not JSON", `{`, -32700},
		{"a string", `"tools/list"`, -32600},
		{"an empty batch", `[]`, -32600},
		{"no method", `{"jsonrpc":"2.0","id":1}`, -32600},
		{"JSON-RPC 1.0", `{"id":1,"method":"tools/list"}`, -32600},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.send(http.MethodPost, http.Header{"Content-Type": {"application/json"}}, c.body).wantError(t, 400, c.code)
			if o := g.last(); o.Decision != Refuse || o.Reason == "" || o.Status != 400 {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`), func(c *Config) { c.MaxBody = 1000 })
	fits := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("a", 1000) + `"}}`
	fits = strings.Replace(fits, strings.Repeat("a", len(fits)-1000), "", 1)
	if r := g.send(http.MethodPost, honestLegacy(), fits); len(fits) != 1000 || r.status != 200 {
		t.Fatalf("%d bytes: %d %s", len(fits), r.status, r.body)
	}
	g.send(http.MethodPost, honestLegacy(), fits+" ").wantError(t, 413, -32600)

	// Without a Content-Length, only reading shows how long it is.
	req, _ := http.NewRequest(http.MethodPost, g.front.URL, struct{ *strings.Reader }{strings.NewReader(fits + " ")})
	req.Header, req.ContentLength = honestLegacy(), -1
	res, err := g.front.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("chunked: %d", res.StatusCode)
	}
	if n := len(g.received()); n != 1 {
		t.Errorf("the upstream got %d requests", n)
	}
}

// unreadable is a body that must not be read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

func TestABodyThatSaysItIsTooLargeIsNotRead(t *testing.T) {
	g, c := fuzzGuard(t)
	r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(unreadable{t}))
	r.Header, r.ContentLength = honestLegacy(), DefaultMaxBody+1
	w := httptest.NewRecorder()
	if _, err := g.ServeHTTP(w, r, c, nil); err != nil || w.Code != 413 {
		t.Errorf("%v: %d", err, w.Code)
	}
}

func TestNamesInBase64AreDecodedStrictly(t *testing.T) {
	for value, want := range map[string]string{
		"echo": "echo", "": "", "=?base64?ZWNobw==?=": "echo", "=?base64??=": "", "=?base64?w6k=?=": "é", "=?BASE64?ZWNobw==?=": "=?BASE64?ZWNobw==?=",
		"=?base64?ZWNobw==": "=?base64?ZWNobw==", "ZWNobw==?=": "ZWNobw==?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=": "=?base64?literal?=",
	} {
		if got, ok := decodeName(value); !ok || got != want {
			t.Errorf("%q is decoded as %q, %v", value, got, ok)
		}
	}
	for _, value := range []string{"=?base64?=", "=?base64?ZWNobw?=", "=?base64?ZWNobx==?=", "=?base64?ZWN obw==?=", "=?base64?ZWNo\nbw==?=", "=?base64?_w==?=", "=?base64?/w==?=", "=?base64?=?="} {
		if got, ok := decodeName(value); ok {
			t.Errorf("%q is decoded as %q", value, got)
		}
	}
}

// honestLegacy has the headers of a client of revision 2025-03-26.
func honestLegacy() http.Header { return headersFor("2025-03-26", "ping", "{}") }

func TestHeadersOfRevision20260728(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
	const rev = "2026-07-28"
	body := message(rev, "1", "tools/call", `{"name":"echo"}`)
	accented := message(rev, "1", "tools/call", `{"name":"shown_é"}`)
	for _, c := range []struct {
		name         string
		header       string
		values       []string
		body         string
		status, code int
		message      string
		goesOn       string // as Mcp-Name
	}{
		{name: "as they must be", status: 200},
		{name: "name in Base64", header: "Mcp-Name", values: []string{"=?base64?ZWNobw==?="}, status: 200, goesOn: "=?base64?ZWNobw==?="},
		{name: "name between spaces", header: "Mcp-Name", values: []string{"  echo\t"}, status: 200},
		{name: "a name beyond ASCII in Base64", header: "Mcp-Name", values: []string{"=?base64?c2hvd25fw6k=?="}, body: accented, status: 200},
		{name: "a name beyond ASCII as it is", header: "Mcp-Name", values: []string{" shown_é"}, body: accented, status: 200, goesOn: "shown_é"},
		{name: "another name beyond ASCII", header: "Mcp-Name", values: []string{"shown_è"}, body: accented, status: 400, code: -32020, message: "differs"},
		{name: "a name beyond ASCII, composed otherwise", header: "Mcp-Name", values: []string{"shown_e\u0301"}, body: accented, status: 400, code: -32020, message: "differs"},
		{name: "a name in Latin-1", header: "Mcp-Name", values: []string{"shown_\xe9"}, body: accented, status: 400, code: -32020, message: "characters"},
		{name: "a name beyond ASCII with a control character", header: "Mcp-Name", values: []string{"shown_é\u0085"}, body: accented, status: 400, code: -32020, message: "characters"},
		{name: "Base64 with letters beyond ASCII", header: "Mcp-Name", values: []string{"=?base64?é?="}, body: accented, status: 400, code: -32020, message: "Base64"},
		{name: "a method beyond ASCII", header: "Mcp-Method", values: []string{"tools/cäll"}, status: 400, code: -32020, message: "characters"},
		{name: "no name", header: "Mcp-Name", status: 400, code: -32020, message: "missing"},
		{name: "no method", header: "Mcp-Method", status: 400, code: -32020, message: "missing"},
		{name: "no version", header: "Mcp-Protocol-Version", status: 400, code: -32020, message: "missing"},
		{name: "markers of Base64 in capitals", header: "Mcp-Name", values: []string{"=?BASE64?ZWNobw==?="}, status: 400, code: -32020},
		{name: "name in another case", header: "Mcp-Name", values: []string{"Echo"}, status: 400, code: -32020},
		{name: "method in another case", header: "Mcp-Method", values: []string{"TOOLS/CALL"}, status: 400, code: -32020},
		{name: "an older version", header: "Mcp-Protocol-Version", values: []string{"2025-06-18"}, status: 400, code: -32020},
		{name: "a version that is unknown to both", header: "Mcp-Protocol-Version", values: []string{"v999"}, body: strings.Replace(body, rev, "v999", 1), status: 400, code: -32022},
		{name: "an unknown version in the body alone", body: strings.Replace(body, rev, "v999", 1), status: 400, code: -32020},
		{name: "no _meta", body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`, status: 400, code: -32602},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := headersFor(rev, "tools/call", `{"name":"echo"}`)
			if c.header != "" {
				h[c.header] = c.values
			}
			if c.body == "" {
				c.body = body
			}
			r := g.send(http.MethodPost, h, c.body)
			if c.code == 0 {
				if r.status != c.status {
					t.Fatalf("answered %d %s", r.status, r.body)
				}
				if got := g.received()[len(g.received())-1].header["Mcp-Name"]; c.goesOn != "" && !slices.Equal(got, []string{c.goesOn}) {
					t.Errorf("%q went on, want %q", got, c.goesOn)
				}
				return
			}
			r.wantError(t, c.status, c.code)
			if id, _, message := r.rpcError(t); string(id) != "1" || !strings.Contains(message, c.message) {
				t.Errorf("answered id %s with %s", id, message)
			}
		})
	}
	r := g.send(http.MethodPost, http.Header{"Content-Type": {"application/json"}, "Mcp-Protocol-Version": {"v999"}}, `{"jsonrpc":"2.0","id":"a","method":"ping"}`)
	if want := `{"jsonrpc":"2.0","id":"a","error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"requested":"v999"}}}`; r.body != want {
		t.Errorf("got %s", r.body)
	}
}
