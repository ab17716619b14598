package guard

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// fuzzGuard is a Guard without a network.
func fuzzGuard(tb testing.TB) (*Guard, Caller) {
	tb.Helper()
	p := compile(tb, testPolicy)
	g, err := New(Config{
		Server: "files", MaxBody: 1 << 20, MaxAnswer: 1 << 20,
		Policy: func() *policy.Policy { return p }, Sealer: func() (*seal.Sealer, error) { return testSealer, nil },
		NewRequestID: func() string { return "req" },
	})
	if err != nil {
		tb.Fatal(err)
	}
	s := &policy.Subject{ID: "workos:alice", Roles: []string{"member"}}
	return g, Caller{Subject: func() *policy.Subject { return s }, Client: "client"}
}

// pass sends a request through the Guard and returns what would go on.
func pass(g *Guard, c Caller, h http.Header, body []byte) (on []received, w *httptest.ResponseRecorder) {
	return passTo(g, c, "/files", h, body)
}

// passTo is pass for another place than the mount; empty means the mount.
func passTo(g *Guard, c Caller, place string, h http.Header, body []byte) (on []received, w *httptest.ResponseRecorder) {
	if place == "" {
		place = "/files"
	}
	r := httptest.NewRequest(http.MethodPost, place, bytes.NewReader(body))
	r.Header = h
	w = httptest.NewRecorder()
	_, _ = g.ServeHTTP(w, r, c, func(w http.ResponseWriter, r *http.Request) error {
		on = append(on, copyOf(r))
		w.WriteHeader(http.StatusAccepted)
		return nil
	})
	return on, w
}

// FuzzRequest holds that whatever goes on names nothing hidden, to any reader, and
// that it goes on as it came.
func FuzzRequest(f *testing.F) {
	for _, rev := range []string{"2025-03-26", "2026-07-28"} {
		for _, a := range hostile.Attacks {
			for c := range a.Cases(rev) {
				if len(c.Body) < 10_000 {
					f.Add(c.Body, c.Header.Get("Mcp-Protocol-Version"), c.Header.Get("Mcp-Method"), c.Header.Get("Mcp-Name"))
				}
				break // the other methods differ in names alone
			}
		}
		f.Add([]byte(message(rev, "1", "tools/call", `{"name":"echo","arguments":{"a":[1,{"b":"\u00e9"}]}}`)), rev, "tools/call", "echo")
		f.Add([]byte(message(rev, "1", "tools/call", `{"name":"shown_é","arguments":null}`)), rev, "tools/call", "shown_é")
		f.Add([]byte(message(rev, `"x"`, "resources/read", `{"uri":"docs://shown/a"}`)), rev, "resources/read", "docs://shown/a")
	}
	g, c := fuzzGuard(f)
	f.Fuzz(func(t *testing.T, body []byte, version, method, name string) {
		h := http.Header{"Content-Type": {"application/json"}}
		for k, v := range map[string]string{"Mcp-Protocol-Version": version, "Mcp-Method": method, "Mcp-Name": name} {
			if v != "" {
				h[k] = []string{v}
			}
		}
		on, w := pass(g, c, h, body)
		for _, r := range on {
			if runsHidden(r) {
				t.Fatalf("it would be run: %q %v", r.body, r.header)
			}
			if !bytes.Equal(r.body, body) && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
				t.Fatalf("it went on changed: %q", r.body)
			}
			if !json.Valid(r.body) || !utf8.Valid(r.body) {
				t.Fatalf("it went on and is not JSON: %q", r.body)
			}
		}
		if len(on) == 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("answered %d %q", w.Code, w.Body)
		}
	})
}

// FuzzHeader holds that headers never say something else than what was judged.
func FuzzHeader(f *testing.F) {
	for _, v := range []string{"echo", "hidden_vault", "=?base64?ZWNobw==?=", "=?base64?aGlkZGVuX3ZhdWx0?=", "=?base64?=", "=?base64??=", " echo ", "echo\x00", "\u00e9", "=?BASE64?ZWNobw==?="} {
		f.Add("Mcp-Name", v, "2026-07-28", "application/json")
		f.Add("mcp_name", v, "2025-11-25", "application/json; charset=utf-8")
	}
	f.Add("Mcp-Method", "tools/list", "2026-07-28", "Application/JSON ; charset=\"UTF-8\"")
	f.Add("Mcp-Protocol-Version", "2025-03-26", "2026-07-28", "text/plain")
	g, c := fuzzGuard(f)
	f.Fuzz(func(t *testing.T, key, value, rev, kind string) {
		if name, ok := decodeName(value); ok && name != value && (!strings.HasPrefix(value, "=?base64?") || !utf8.ValidString(name)) {
			t.Fatalf("%q is decoded as %q", value, name)
		}
		h := headersFor(rev, "tools/call", `{"name":"echo"}`)
		h["Content-Type"] = []string{kind}
		if http.CanonicalHeaderKey(key) == key || strings.Contains(key, "_") {
			h[key] = append(h[key], value)
		}
		on, _ := pass(g, c, h, []byte(message(rev, "1", "tools/call", `{"name":"echo"}`)))
		for _, r := range on {
			if runsHidden(r) {
				t.Fatalf("it would be run: %v", r.header)
			}
			for _, k := range []string{"Mcp-Name", "Mcp-Method", "Mcp-Protocol-Version", "Content-Type"} {
				if len(r.header[k]) > 1 {
					t.Fatalf("%s went on twice: %v", k, r.header)
				}
			}
			if !strings.EqualFold(strings.TrimSpace(strings.SplitN(kind, ";", 2)[0]), "application/json") {
				t.Fatalf("a body of type %q went on", kind)
			}
			if m := r.header.Get("Mcp-Method"); m != "" && m != "tools/call" {
				t.Fatalf("it went on as %q", m)
			}
		}
	})
}

// FuzzFilter holds that no answer brings a hidden name to a client, that what is kept was there before, and that how an answer
// is cut makes no difference.
func FuzzFilter(f *testing.F) {
	for _, l := range hostile.Leaks {
		if !l.Large {
			f.Add([]byte(l.Message), 3, false)
			f.Add([]byte("id: 1\n"+dataLines(l.Message)+"\n"), 1, true)
		}
	}
	f.Add(toolList(5), 100, false)
	f.Add([]byte("data: {\r\ndata:}\r\n\r\n: x\n\nevent: y\rdata\r\r"), 2, true)
	g, c := fuzzGuard(f)
	view := g.cfg.Policy().View(c.Subject(), "files")
	f.Fuzz(func(t *testing.T, answer []byte, size int, stream bool) {
		w := inPiecesOf(g, c, answer, max(1, min(size, 1<<16)), stream)
		once := inPiecesOf(g, c, answer, inOne, stream)
		if w.Code != once.Code || !bytes.Equal(handles.ReplaceAll(w.Body.Bytes(), nil), handles.ReplaceAll(once.Body.Bytes(), nil)) {
			t.Fatalf("in pieces of %d, %q becomes\n%d %q, in one\n%d %q", size, answer, w.Code, w.Body, once.Code, once.Body)
		}
		messages := []string{w.Body.String()}
		if stream {
			messages = events(w.Body.String())
		}
		for _, m := range messages {
			if m == "" {
				continue
			}
			if !json.Valid([]byte(m)) {
				t.Fatalf("a client gets %q", m)
			}
			for _, e := range hostile.Listed([]byte(m)) {
				if !view.Decide(kinds[e.List], e.Name).Allowed {
					t.Fatalf("a client sees %q among the %s in %q", e.Name, e.List, m)
				}
			}
			keptWasThere(t, answer, m)
		}
	})
}

// handles are sealed handles, which are others each time.
var handles = regexp.MustCompile(`[A-Za-z0-9_-]{38,}`)

// inPiecesOf has the guard answer a request for tools with an answer that comes in pieces of a size.
func inPiecesOf(g *Guard, c Caller, answer []byte, size int, stream bool) *httptest.ResponseRecorder {
	y := way{method: http.MethodPost, body: asksForTools, size: size}
	kind := typeJSON
	if stream {
		kind = typeStream
	}
	return y.answered(g, c, "2025-11-25", kind, string(answer))
}

// keptWasThere checks that the entries of a filtered list are bytes of the answer.
func keptWasThere(t *testing.T, answer []byte, m string) {
	t.Helper()
	var list struct {
		Result struct{ Tools []json.RawMessage }
	}
	if json.Unmarshal([]byte(m), &list) != nil {
		return
	}
	// What a stream breaks into lines is put together with line feeds.
	flat := strings.NewReplacer("\r\ndata: ", "\n", "\r\ndata:", "\n", "\ndata: ", "\n", "\ndata:", "\n", "\rdata: ", "\n", "\rdata:", "\n").Replace(string(answer))
	for _, e := range list.Result.Tools {
		if !strings.Contains(flat, string(e)) && !strings.Contains(string(e), "\n") {
			t.Fatalf("the entry %s was not in %q", e, answer)
		}
	}
}

// FuzzSession holds that no made-up handle opens.
func FuzzSession(f *testing.F) {
	g, c := fuzzGuard(f)
	x := &exchange{g: g, out: new(Outcome), caller: c, person: c.Subject().ID}
	own, err := x.sealHandle(purposeSession, "upstream-session")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{own, own[:len(own)-1], own + "A", strings.ToLower(own), "", "upstream-session", own + "=", " " + own} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, handle string) {
		h := honestLegacy()
		h["Mcp-Session-Id"] = []string{handle}
		on, w := pass(g, c, h, []byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if len(on) == 1 {
			// Only what was sealed, in the one way of writing it.
			raw, err := base64.RawURLEncoding.Strict().DecodeString(strings.Trim(handle, " \t"))
			if plain, open := x.openHandle(purposeSession, base64.RawURLEncoding.EncodeToString(raw)); err != nil || open != nil || on[0].header.Get("Mcp-Session-Id") != plain {
				t.Fatalf("%q went on as %q", handle, on[0].header.Get("Mcp-Session-Id"))
			}
			return
		}
		if len(on) != 0 || w.Code != http.StatusNotFound && w.Code != http.StatusBadRequest {
			t.Fatalf("%q: %d, %d went on", handle, w.Code, len(on))
		}
	})
}

// FuzzArguments holds that a call goes on only if every reader finds in its arguments what the policy asks for, also those that
// fold case, leave out signs or take the last of two.
func FuzzArguments(f *testing.F) {
	for _, args := range []string{
		`{"owner":"acme"}`, `{"owner":"acme","Owner":"evil"}`, `{"\u006fwner":"acme","o\u017fner":1}`, `{"owner":"evil"}`, `{"owner":"acme","own_er":"evil"}`, `[]`, `null`,
		`{"a":[1e400,9007199254740993,{"owner":"evil"}],"owner":"acme"}`, `{"owner":"acme"},"name":"echo"`, `{"__proto__":{"owner":"evil"},"owner":"acme"}`,
	} {
		f.Add([]byte(args))
	}
	g, c := fuzzGuard(f)
	p := compile(f, conditions)
	g.cfg.Policy = func() *policy.Policy { return p }
	f.Fuzz(func(t *testing.T, args []byte) {
		body := append(append([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"merge","arguments":`), args...), "}}"...)
		on, w := pass(g, c, http.Header{"Content-Type": {"application/json"}, "Mcp-Protocol-Version": {"2025-11-25"}}, body)
		for _, r := range on {
			var exact struct {
				Params struct{ Arguments map[string]any }
			}
			var folding struct {
				Params struct{ Arguments struct{ Owner any } }
			}
			if json.Unmarshal(r.body, &exact) != nil || json.Unmarshal(r.body, &folding) != nil || exact.Params.Arguments["owner"] != "acme" || folding.Params.Arguments.Owner != "acme" {
				t.Fatalf("it went on: %q", r.body)
			}
			for name := range exact.Params.Arguments {
				if bare := strings.NewReplacer("_", "", "-", "").Replace(name); name != "owner" && strings.EqualFold(bare, "owner") {
					t.Fatalf("it went on with another spelling: %q", r.body)
				}
			}
		}
		if len(on) == 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("answered %d %q", w.Code, w.Body)
		}
	})
}
