package guard

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// fewestHandles is how many handles are tried at least: the matrix does not shrink unnoticed.
const fewestHandles = 4_000

// spot is where a client names a handle.
type spot struct {
	name     string
	purposes []string // that a handle there may have
	only     func(rev string) bool
	request  func(rev, handle string) (method, target string, h http.Header, body string)
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // of a string, which does not fail
	return string(b)
}

// inHeader names the handle in a header.
func inHeader(method, header, body string) func(rev, handle string) (string, string, http.Header, string) {
	return func(rev, handle string) (string, string, http.Header, string) {
		h := headersFor(rev, "ping", "{}")
		h[header] = []string{handle}
		return method, "/files", h, body
	}
}

// inBody names the handle in params, in which % stands for it.
func inBody(method, params string) func(rev, handle string) (string, string, http.Header, string) {
	return func(rev, handle string) (string, string, http.Header, string) {
		params := strings.ReplaceAll(params, "%", quoted(handle))
		h := headersFor(rev, method, params)
		if strings.HasPrefix(method, "tasks/") && isModern(rev) {
			h.Set("Mcp-Name", handle)
		}
		return http.MethodPost, "/files", h, message(rev, "1", method, params)
	}
}

func hasTasks(rev string) bool { return rev == "2025-11-25" || isModern(rev) }

var spots = []spot{
	{"a session, POST", []string{purposeSession}, isLegacy, inHeader("POST", "Mcp-Session-Id", `{"jsonrpc":"2.0","id":1,"method":"ping"}`)},
	{"a session, GET", []string{purposeSession}, isLegacy, inHeader("GET", "Mcp-Session-Id", "")},
	{"a session, DELETE", []string{purposeSession}, isLegacy, inHeader("DELETE", "Mcp-Session-Id", "")},
	{"a session for an answer", []string{purposeSession}, isLegacy, inHeader("POST", "Mcp-Session-Id", `{"jsonrpc":"2.0","id":1,"result":{}}`)},
	{"an event", []string{purposeEvent, purposeTaskEvent}, isLegacy, inHeader("GET", "Last-Event-Id", "")},
	{"a cursor of tools", []string{purposeCursor}, nil, inBody("tools/list", `{"cursor":%}`)},
	{"a cursor of prompts", []string{purposeCursor}, nil, inBody("prompts/list", `{"cursor":%}`)},
	{"a cursor of resources", []string{purposeCursor}, nil, inBody("resources/list", `{"cursor":%}`)},
	{"a cursor of templates", []string{purposeCursor}, nil, inBody("resources/templates/list", `{"cursor":%}`)},
	{"state of a call", []string{purposeState}, nil, inBody("tools/call", `{"name":"echo","requestState":%}`)},
	{"state of a prompt", []string{purposeState}, nil, inBody("prompts/get", `{"name":"shown_a","requestState":%}`)},
	{"state of a resource", []string{purposeState}, nil, inBody("resources/read", `{"uri":"docs://shown/a","requestState":%}`)},
	{"a task", []string{purposeTask}, hasTasks, inBody("tasks/get", `{"taskId":%}`)},
	{"a task to end", []string{purposeTask}, hasTasks, inBody("tasks/cancel", `{"taskId":%}`)},
	{"a task to watch", []string{purposeTask}, isModern, inBody("subscriptions/listen", `{"notifications":{"taskIds":[%]}}`)},
	{"an endpoint of HTTP+SSE", []string{purposeEndpoint}, isLegacy, func(_, handle string) (string, string, http.Header, string) {
		return "POST", "/files?" + endpointQuery + handle, http.Header{"Content-Type": {typeJSON}}, `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	}},
}

// TestNobodyElsesHandleOpens tries handles of every purpose and of every other person, client, server, site and gateway wherever a
// client may name one, and one's own with every sort of change.
func TestNobodyElsesHandleOpens(t *testing.T) {
	g, c := fuzzGuard(t)
	c.Resource = "https://a.example/files"
	const plain = "echo\none\n/messages"
	sealed := func(purpose string, edit func(*Guard, *Caller)) string {
		g, c := &Guard{cfg: g.cfg}, c
		edit(g, &c)
		x := &exchange{g: g, out: new(Outcome), caller: c, person: c.Subject().ID}
		handle, err := x.sealHandle(purpose, plain)
		if err != nil {
			t.Fatal(err)
		}
		return handle
	}
	own := func(*Guard, *Caller) {}
	holders := map[string]func(*Guard, *Caller){
		"one's own": own,
		"another person's": func(_ *Guard, c *Caller) {
			c.Subject = func() *policy.Subject { return &policy.Subject{ID: "workos:bob", Roles: []string{"admin"}} }
		},
		"nobody's":               func(_ *Guard, c *Caller) { c.Subject = func() *policy.Subject { return &policy.Subject{} } },
		"another client's":       func(_ *Guard, c *Caller) { c.Client = "client-b" },
		"a client's that is two": func(_ *Guard, c *Caller) { c.Client = "client5:files" },
		"another server's":       func(g *Guard, _ *Caller) { g.cfg.Server = "other" },
		"another site's":         func(_ *Guard, c *Caller) { c.Resource = "https://b.example/files" },
		"another gateway's": func(g *Guard, _ *Caller) {
			g.cfg.Sealer = func() (*seal.Sealer, error) { return seal.New([32]byte{9}), nil }
		},
	}
	purposes := []string{purposeSession, purposeCursor, purposeState, purposeEvent, purposeTaskEvent, purposeTask, purposeEndpoint, "", "mcp"}
	tried, opened := 0, 0
	try := func(rev string, s *spot, what, handle string, may bool) {
		tried++
		method, target, h, body := s.request(rev, handle)
		r := httptest.NewRequest(method, "/files", bytes.NewReader([]byte(body)))
		_, r.URL.RawQuery, _ = strings.Cut(target, "?")
		r.Header = h
		w := httptest.NewRecorder()
		went := false
		_, _ = g.ServeHTTP(w, r, c, func(w http.ResponseWriter, r *http.Request) error {
			went = true
			if got := copyOf(r); bytes.Contains(got.body, []byte(handle)) || slices.Contains(got.header["Mcp-Session-Id"], handle) {
				t.Errorf("%s, %s: %s: the handle itself went on", rev, s.name, what)
			}
			w.WriteHeader(http.StatusAccepted)
			return nil
		})
		switch {
		case went && !may:
			opened++
			t.Errorf("%s, %s: %s: it went on", rev, s.name, what)
		case !went && may:
			t.Errorf("%s, %s: %s: refused with %d %s", rev, s.name, what, w.Code, w.Body)
		case !went && (w.Code < 400 && !strings.Contains(w.Body.String(), `"error"`)):
			t.Errorf("%s, %s: %s: answered with %d %s", rev, s.name, what, w.Code, w.Body)
		}
	}
	for _, rev := range hostile.Revisions {
		for i := range spots {
			s := &spots[i]
			if s.only != nil && !s.only(rev) {
				continue
			}
			for whose, edit := range holders {
				for _, purpose := range purposes {
					may := whose == "one's own" && slices.Contains(s.purposes, purpose)
					try(rev, s, whose+", for "+purpose, sealed(purpose, edit), may)
				}
			}
			handle := sealed(s.purposes[0], own)
			for what, changed := range map[string]string{
				"as the server has it": "one", "its text": plain, "nothing": "", "a letter": "A", "twice": handle + handle, "twice, with a comma": handle + "," + handle,
				"one letter less": handle[:len(handle)-1], "one letter more": handle + "A", "its half": handle[:len(handle)/2], "padded": handle + "=", "in capitals": strings.ToUpper(handle),
				"in the other alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(handle) + "+", "escaped": "%" + handle[1:], "with a NUL": handle + "\x00", "huge": strings.Repeat("A", 100<<10),
			} {
				if changed == "" && s.purposes[0] == purposeCursor {
					continue // asks for the first page
				}
				try(rev, s, what, changed, false)
			}
			for at := 0; at < len(handle); at += 3 {
				other := byte('A')
				if handle[at] == other {
					other = 'B'
				}
				try(rev, s, "a letter changed", handle[:at]+string(other)+handle[at+1:], false)
			}
		}
	}
	t.Logf("%d places for handles × %d revisions × %d holders × %d purposes, and changes = %d handles: %d opened for others", len(spots), len(hostile.Revisions), len(holders), len(purposes), tried, opened)
	if tried < fewestHandles {
		t.Errorf("the matrix has shrunk: %d handles", tried)
	}
}
