package guard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// fleet is a Next in front of several servers. It goes where the Hop says, or to the next in turn.
type fleet struct {
	names  []string
	turn   int
	answer func(w http.ResponseWriter, r *http.Request, server string)
}

var errNoServer = errors.New("no such server")

func (f *fleet) next(w http.ResponseWriter, r *http.Request) error {
	server, hop := f.names[f.turn%len(f.names)], HopOf(r.Context())
	if hop != nil && hop.Upstream != "" {
		hop.Gone = true
		for _, name := range f.names {
			hop.Gone = hop.Gone && name != hop.Upstream
		}
		if hop.Gone {
			return errNoServer
		}
		server = hop.Upstream
	} else {
		f.turn++
	}
	if hop != nil {
		hop.From = server
	}
	f.answer(w, r, server)
	return nil
}

// ask sends a request through a guard to the fleet.
func (f *fleet) ask(t *testing.T, g *Guard, method string, header http.Header, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/files", strings.NewReader(body))
	r.Header = header.Clone()
	w := httptest.NewRecorder()
	subject := &policy.Subject{ID: "workos:alice", Roles: []string{"member"}}
	c := Caller{Subject: func() *policy.Subject { return subject }, Client: "c", Resource: "https://a.example/files"}
	if _, err := g.ServeHTTP(w, r, c, f.next); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestATaskStaysAtItsServer has tasks of several servers, of which each knows only its own.
func TestATaskStaysAtItsServer(t *testing.T) {
	servers := map[string]*taskServer{"one": {}, "two": {}, "three": {}}
	f := &fleet{names: []string{"one", "two", "three"}, answer: func(w http.ResponseWriter, r *http.Request, server string) {
		servers[server].ServeHTTP(w, r)
	}}
	guard := func() *Guard {
		t.Helper()
		p := compile(t, testPolicy)
		g, err := New(Config{
			Server: "files", Policy: func() *policy.Policy { return p }, Sealer: func() (*seal.Sealer, error) { return testSealer, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for rev, methods := range taskMethods {
		g := guard()
		params := `{"name":"echo","task":{}}`
		body := strings.Replace(message(rev, "1", "tools/call", params), `Capabilities":{}`, `Capabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`, 1)
		handles := make(map[string]string)
		for range f.names {
			server := f.names[f.turn%len(f.names)]
			handles[server] = taskID(f.ask(t, g, http.MethodPost, headersFor(rev, "tools/call", params), body).Body.String())
		}
		ask := func(method, handle string) string {
			params := `{"taskId":"` + handle + `"}`
			h := headersFor(rev, method, params)
			if isModern(rev) {
				h.Set("Mcp-Name", handle)
			}
			return f.ask(t, g, http.MethodPost, h, message(rev, "1", method, params)).Body.String()
		}
		g = guard() // a restart, or another node
		for server, handle := range handles {
			for _, method := range methods {
				before := len(servers[server].asked)
				if got := ask(method, handle); strings.Contains(got, "error") || len(servers[server].asked) != before+1 {
					t.Errorf("%s: %s for a task of %s went elsewhere: %s", rev, method, server, got)
				}
			}
		}
		f.names = []string{"one", "three"}
		if got := ask("tasks/get", handles["two"]); !strings.Contains(got, "-32602") || !strings.Contains(got, "Unknown task") {
			t.Errorf("%s: a task of a server that left: %s", rev, got)
		}
		f.names = []string{"one", "two", "three"}
	}
}

// TestASessionStaysAtItsServer has sessions of several servers, each of which must be gone back to, also by a gateway that
// knows nothing but the sealer's secret.
func TestASessionStaysAtItsServer(t *testing.T) {
	for _, rev := range allRevisions[:3] {
		var met string
		f := &fleet{names: []string{"a:1", "b:1", "c:1"}, answer: func(w http.ResponseWriter, r *http.Request, server string) {
			met = server + " " + r.Header.Get("Mcp-Session-Id")
			if r.Header.Get("Mcp-Session-Id") == "" {
				w.Header().Set("Mcp-Session-Id", "session-at-"+server)
			}
			if r.Method == http.MethodPost {
				jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`)(w, r)
				return
			}
			sseAnswer("id: 7\ndata: "+progress+"\n\n", 99)(w, r)
		}}
		sessions := map[string]string{}
		g := newRig(t, nil).guard
		for range 6 {
			w := f.ask(t, g, http.MethodPost, headersFor(rev, "initialize", ""), message(rev, "1", "initialize", `{"protocolVersion":"`+rev+`","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`))
			handle := w.Header().Get("Mcp-Session-Id")
			if handle == "" || strings.Contains(handle, ":1") {
				t.Fatalf("%s: session %q", rev, handle)
			}
			sessions[handle] = strings.Fields(met)[0]
		}
		for _, g := range []*Guard{g, newRig(t, nil).guard} {
			for handle, server := range sessions {
				want := server + " session-at-" + server
				for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
					body := ""
					if method == http.MethodPost {
						body = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
					}
					w := f.ask(t, g, method, withSession(rev, handle), body)
					if met != want {
						t.Errorf("%s: %s went to %s, want %s", rev, method, met, want)
					}
					if again := w.Header().Get("Mcp-Session-Id"); again != "" && again != handle {
						t.Errorf("%s: the session is now %q", rev, again)
					}
				}
			}
		}
		f.names = []string{"a:1", "b:1"} // the third has left
		for handle, server := range sessions {
			w := f.ask(t, g, http.MethodPost, withSession(rev, handle), `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
			if server != "c:1" {
				if w.Code != 200 {
					t.Errorf("%s: a session of %s is answered %d", rev, server, w.Code)
				}
				continue
			}
			reply{w.Code, w.Header(), w.Body.String()}.wantError(t, 404, -32001)
			w = f.ask(t, g, http.MethodGet, withSession(rev, handle), "")
			reply{w.Code, w.Header(), w.Body.String()}.wantError(t, 404, -32001)
		}
	}
}

// TestAStreamWithoutASessionIsResumedAtItsServer holds that an event's handle says where it is from.
func TestAStreamWithoutASessionIsResumedAtItsServer(t *testing.T) {
	var met string
	f := &fleet{names: []string{"a:1", "b:1"}, answer: func(w http.ResponseWriter, r *http.Request, server string) {
		met = server + " " + r.Header.Get("Last-Event-Id")
		sseAnswer("id: 7\ndata: "+progress+"\n\n", 99)(w, r)
	}}
	g := newRig(t, nil).guard
	for range 3 {
		w := f.ask(t, g, http.MethodPost, headersFor("2025-06-18", "tools/list", ""), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		server := strings.Fields(met)[0]
		handle, _, _ := strings.Cut(strings.TrimPrefix(w.Body.String(), "id: "), "\n")
		header := headersFor("2025-06-18", "ping", "")
		header.Set("Last-Event-Id", handle)
		for range 3 {
			if f.ask(t, g, http.MethodGet, header, ""); met != server+" 7" {
				t.Errorf("it is resumed at %q, and began at %s", met, server)
			}
		}
		f.names = append(f.names, "c:1")
	}
	w := f.ask(t, g, http.MethodPost, headersFor("2025-06-18", "tools/list", ""), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	handle, _, _ := strings.Cut(strings.TrimPrefix(w.Body.String(), "id: "), "\n")
	header := headersFor("2025-06-18", "ping", "")
	header.Set("Last-Event-Id", handle)
	f.names = []string{"d:1"}
	w = f.ask(t, g, http.MethodGet, header, "")
	if w.Code != 400 || !strings.Contains(w.Body.String(), "-32602") {
		t.Errorf("a server that has left: %d %s", w.Code, w.Body)
	}
}

// TestRequestsWithoutSessionsAreForAnyServer holds that revision 2026-07-28, which has no sessions, leaves balancing free
// even for a client that sends an old session along.
func TestRequestsWithoutSessionsAreForAnyServer(t *testing.T) {
	met := map[string]bool{}
	f := &fleet{names: []string{"a:1", "b:1"}, answer: func(w http.ResponseWriter, r *http.Request, server string) {
		met[server] = true
		if r.Header.Get("Mcp-Session-Id") != "" {
			t.Error("the session went on")
		}
		jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`)(w, r)
	}}
	g := newRig(t, nil).guard
	for range 4 {
		header := headersFor("2026-07-28", "tools/list", "")
		header.Set("Mcp-Session-Id", "old")
		f.ask(t, g, http.MethodPost, header, message("2026-07-28", "1", "tools/list", "{}"))
	}
	if len(met) != 2 {
		t.Errorf("only %v were met", met)
	}
}

// TestASessionFromBeforeServersWereSealedWithItGoesOn holds that a handle of an earlier release is good.
func TestASessionFromBeforeServersWereSealedWithItGoesOn(t *testing.T) {
	g := newRig(t, nil).guard
	x := exchange{g: g, person: "workos:alice", caller: Caller{Subject: func() *policy.Subject { return &policy.Subject{ID: "workos:alice"} }, Client: "c", Resource: "https://a.example/files"}}
	handle, err := x.sealHandle(purposeSession, "old")
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{names: []string{"a:1"}, answer: func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Header.Get("Mcp-Session-Id") != "old" {
			t.Errorf("session %q went on", r.Header.Get("Mcp-Session-Id"))
		}
		jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`)(w, r)
	}}
	if w := f.ask(t, g, http.MethodPost, withSession("2025-06-18", handle), `{"jsonrpc":"2.0","id":1,"method":"ping"}`); w.Code != 200 {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}
