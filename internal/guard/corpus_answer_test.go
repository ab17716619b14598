package guard

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
)

// fewestAnswers is how many answers there are at least: the matrix does not shrink unnoticed.
const fewestAnswers = 7_000

// way is how a message of the server's comes to the client.
type way struct {
	name   string
	only   func(rev string) bool // nil: in every revision
	method string
	header map[string]string
	body   func(rev string) (method, body string) // of a POST
	write  func(message string) (kind, text string)
	size   int // of the pieces it is written in
}

const inOne = 1 << 30

func asJSON(message string) (kind, text string) { return typeJSON, message }
func asEvent(message string) (kind, text string) {
	return typeStream, ": hello\n\nevent: message\n" + dataLines(message) + "\n"
}

// asLines is an event whose data is cut into lines behind every opening bracket.
func asLines(message string) (kind, text string) {
	return typeStream, "id: 7\r\n" + strings.ReplaceAll(dataLines(strings.ReplaceAll(message, "[", "[\n")), "\n", "\r\n") + "\r\n"
}

// asOld is an event of HTTP+SSE.
func asOld(message string) (kind, text string) {
	return typeStream, "event: endpoint\ndata: /messages\n\nevent: message\r" + strings.ReplaceAll(dataLines(message), "\n", "\r") + "\r"
}

func inArray(write func(string) (string, string)) func(string) (string, string) {
	return func(message string) (kind, text string) {
		return write(`[{"jsonrpc":"2.0","id":"a","result":{}},` + message + `]`)
	}
}

func asksForTools(rev string) (method, body string) {
	return "tools/list", message(rev, "1", "tools/list", "{}")
}

func listens(rev string) (method, body string) {
	return "subscriptions/listen", message(rev, "1", "subscriptions/listen", `{"notifications":{"resourceSubscriptions":["docs://shown/a"]}}`)
}

func asksTwice(string) (method, body string) {
	return "", `[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`
}

func isBatched(rev string) bool { return rev == "2025-03-26" }
func isLegacy(rev string) bool  { return !isModern(rev) }

var ways = []way{
	{name: "JSON", method: "POST", body: asksForTools, write: asJSON, size: inOne},
	{name: "JSON, byte by byte", method: "POST", body: asksForTools, write: asJSON, size: 1},
	{name: "SSE", method: "POST", body: asksForTools, write: asEvent, size: inOne},
	{name: "SSE, byte by byte", method: "POST", body: asksForTools, write: asEvent, size: 1},
	{name: "SSE, in lines", method: "POST", body: asksForTools, write: asLines, size: 7},
	{name: "a batch, JSON", only: isBatched, method: "POST", body: asksTwice, write: inArray(asJSON), size: inOne},
	{name: "a batch, SSE", only: isBatched, method: "POST", body: asksTwice, write: inArray(asEvent), size: 5},
	{name: "a batch, answered one by one", only: isBatched, method: "POST", body: asksTwice, write: asEvent, size: inOne},
	{name: "a subscription", only: isModern, method: "POST", body: listens, write: asEvent, size: 11},
	{name: "GET", only: isLegacy, method: "GET", write: asEvent, size: inOne},
	{name: "GET, byte by byte", only: isLegacy, method: "GET", write: asLines, size: 1},
	{name: "GET, resumed", only: isLegacy, method: "GET", header: map[string]string{"Last-Event-Id": "7"}, write: asEvent, size: 13},
	{name: "HTTP+SSE", only: isLegacy, method: "GET", write: asOld, size: inOne},
	{name: "HTTP+SSE, byte by byte", only: isLegacy, method: "GET", write: asOld, size: 1},
}

// answered has the guard answer a request with an upstream's bytes.
func (y *way) answered(g *Guard, c Caller, rev string, kind, text string) *httptest.ResponseRecorder {
	method, body := "", ""
	if y.body != nil {
		method, body = y.body(rev)
	}
	r := httptest.NewRequest(y.method, "/files", strings.NewReader(body))
	r.Header = headersFor(rev, method, "{}")
	for k, v := range y.header {
		if k == "Last-Event-Id" {
			x := &exchange{g: g, out: new(Outcome), caller: c, person: c.Subject().ID}
			v, _ = x.sealHandle(purposeEvent, v)
		}
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	_, _ = g.ServeHTTP(w, r, c, func(w http.ResponseWriter, r *http.Request) error {
		if hop := HopOf(r.Context()); hop != nil {
			hop.Asked, hop.Upstream = httptest.NewRequest(http.MethodGet, "http://upstream.example/sse", nil).URL, "one"
		}
		w.Header().Set("Content-Type", kind)
		return inPieces(w, text, y.size)
	})
	return w
}

// inPieces writes text in pieces of a size, each of them flushed.
func inPieces(w http.ResponseWriter, text string, size int) error {
	for rest := text; len(rest) > 0; {
		n := min(size, len(rest))
		if _, err := w.Write([]byte(rest[:n])); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// TestNoAnswerNamesWhatIsHidden has a server send every message in every revision and in every way there is.
func TestNoAnswerNamesWhatIsHidden(t *testing.T) {
	g, c := fuzzGuard(t)
	sent, leaks := 0, 0
	for _, rev := range hostile.Revisions {
		for _, y := range ways {
			if y.only != nil && !y.only(rev) {
				continue
			}
			for _, l := range hostile.Leaks {
				if l.Large && y.size < 100 {
					continue
				}
				sent++
				kind, text := y.write(l.Message)
				w := y.answered(g, c, rev, kind, text)
				got := w.Body.String()
				var all strings.Builder
				_ = w.Result().Header.Write(&all)
				if what := hostile.Reveals([]byte(all.String() + got)); what != "" && !l.Free {
					leaks++
					t.Errorf("%s, %s: %s: a hidden name reached the client: %s", rev, y.name, l.Name, what)
				}
				if data := events(got); kind == typeStream {
					got = strings.ReplaceAll(strings.Join(data, ""), "\n", "")
				}
				want := l.Shown
				if l.Free && want == "" {
					want = l.Message
				}
				switch {
				case want != "":
					if w.Code != 200 || !strings.Contains(got, want) {
						t.Errorf("%s, %s: %s: %.200s did not arrive: %d %.500s", rev, y.name, l.Name, want, w.Code, got)
					}
				case kind == typeJSON && (w.Code != 502 || !json.Valid(w.Body.Bytes())):
					t.Errorf("%s, %s: %s: answered with %d %.500s", rev, y.name, l.Name, w.Code, got)
				}
			}
		}
	}
	t.Logf("%d messages × %d revisions × up to %d transports and ways to cut them = %d answers: %d leaks",
		len(hostile.Leaks), len(hostile.Revisions), len(ways), sent, leaks)
	if sent < fewestAnswers {
		t.Errorf("the matrix has shrunk: %d answers", sent)
	}
}

// dataLines writes text as the data of an event.
func dataLines(text string) string {
	return "data: " + strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == '\r' }), "\ndata: ") + "\n"
}
