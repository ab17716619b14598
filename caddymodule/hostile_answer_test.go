package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
)

// TestNoAnswerOfAHostileServerNamesWhatIsHidden has a server answer with bytes of its own: a request for the list, one
// for a stream, and a message of HTTP+SSE. What a client gets is looked at byte for byte.
func TestNoAnswerOfAHostileServerNamesWhatIsHidden(t *testing.T) {
	g, server := besieged(t, "max_answer 32KiB", "transport http {", "keepalive off", "max_response_header 64KiB", "}")
	w := &line{t: t, g: g}
	defer w.close()
	place := g.place(w, server)
	sent, leaks := 0, 0
	for _, rev := range hostile.Revisions {
		h := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {rev}}
		list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
		if rev == hostile.Modern {
			h.Set("Mcp-Method", "tools/list")
			list = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"` + rev + `"}}}`
		}
		for i := range hostile.Answers {
			a := &hostile.Answers[i]
			server.Answers(func(w io.Writer, _ *hostile.Received) bool { a.Write(w); return false })
			for _, way := range []struct {
				name, text string
				shown      bool
			}{
				{"POST", g.requestText(http.MethodPost, "/mcp", h, []byte(list)), a.Shown},
				{"GET", g.requestText(http.MethodGet, "/mcp", http.Header{"Accept": {"text/event-stream"}, "Mcp-Protocol-Version": {rev}}, nil), a.Stream},
				{"HTTP+SSE", g.requestText(http.MethodPost, place, http.Header{"Content-Type": {"application/json"}}, []byte(list)), false},
			} {
				if rev == hostile.Modern && way.name != "POST" {
					continue // it has neither
				}
				sent++
				status, head, body := w.ask(way.text)
				if what := hostile.Reveals([]byte(head + body)); what != "" {
					leaks++
					t.Errorf("%s, %s: %s: a hidden name reached the client: %s", rev, way.name, a.Name, what)
				}
				got := strings.NewReplacer("\ndata: ", "", "\ndata:", "").Replace(body)
				if way.shown && (status != 200 || !strings.Contains(got, hostile.ShownOfList)) {
					t.Errorf("%s, %s: %s: what is shown did not arrive: %d %.300q", rev, way.name, a.Name, status, body)
				}
				if status < 200 || status > 599 || strings.Contains(head, "Set-Cookie") || strings.Contains(head, "Location") {
					t.Errorf("%s, %s: %s: answered with %d %s%.300q", rev, way.name, a.Name, status, head, body)
				}
			}
		}
	}
	t.Logf("%d answers × %d revisions × JSON, streams and HTTP+SSE = %d through Caddy: %d leaks", len(hostile.Answers), len(hostile.Revisions), sent, leaks)
	if sent < fewestAnswers {
		t.Errorf("the matrix has shrunk: %d", sent)
	}
}

// place opens a stream of HTTP+SSE, and returns where the client is told to post to.
func (g *gateway) place(w *line, server *hostile.Server) string {
	g.t.Helper()
	server.Answers(func(w io.Writer, _ *hostile.Received) bool {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nevent: endpoint\ndata: /mcp\n\n")
		return false
	})
	status, _, body := w.ask(g.requestText(http.MethodGet, "/mcp", http.Header{"Accept": {"text/event-stream"}}, nil))
	place, found := strings.CutPrefix(strings.TrimSpace(body), "event: endpoint\ndata: ")
	if !found {
		g.t.Fatalf("the stream is answered with %d %q", status, body)
	}
	return place
}

// TestNoAnswerIsTakenForTheNextOne has a server keep its connection open behind an odd answer, in which more may lie than the
// gateway has read. Whoever asks next, maybe somebody else, must not get it.
func TestNoAnswerIsTakenForTheNextOne(t *testing.T) {
	g, server := besieged(t, "max_answer 32KiB")
	w := &line{t: t, g: g}
	defer w.close()
	h := http.Header{"Content-Type": {"application/json"}}
	long := strings.Repeat("a", 64<<10) // goes another way to the server than a short one
	sent, reused := 0, 0
	for i := range hostile.Answers {
		a := &hostile.Answers[i]
		if a.Again != "" {
			continue
		}
		for _, params := range []string{"{}", `{"a":"` + long + `"}`} {
			sent++
			var told atomic.Bool
			server.Answers(func(w io.Writer, q *hostile.Received) bool {
				if told.Swap(true) {
					return answerAll(w, q)
				}
				a.Write(w)
				// What is not framed ends with the connection.
				return !a.Cut && strings.Contains(a.Text, "Content-Length: ")
			})
			_, head, body := w.ask(g.requestText(http.MethodPost, "/mcp", h, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":`+params+`}`)))
			if what := hostile.Reveals([]byte(head + body)); what != "" {
				t.Errorf("%s: a hidden name reached the client: %s", a.Name, what)
			}
			if !told.Load() {
				t.Errorf("%s: it was not asked for", a.Name)
			}
			for _, id := range []string{"101", "102"} {
				_, _, body := w.ask(g.requestText(http.MethodPost, "/mcp", h, []byte(`{"jsonrpc":"2.0","id":`+id+`,"method":"ping","params":`+params+`}`)))
				if body != `{"jsonrpc":"2.0","id":`+id+`,"result":{}}` {
					t.Errorf("%s: the next client gets %.300q", a.Name, body)
				}
			}
			reused += len(server.Took())
		}
	}
	t.Logf("%d answers on connections that are kept, %d requests: none was answered with another's", sent, reused)
	if sent < fewestAnswers/6 {
		t.Errorf("the matrix has shrunk: %d", sent)
	}
}
