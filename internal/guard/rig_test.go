package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// The policy of the tests: what is named shown… may be seen, what is named
// hidden… may not, and nothing else may.
const testPolicy = `
roles:
  member:
    allow:
      - server: files
        tools: [shown_*, echo]
        prompts: [shown_*]
        resources: ["docs://shown/**"]
        templates: ["docs://shown/**"]
  guest: {}
  admin:
    allow:
      - tools: ["*"]
        prompts: ["*"]
        resources: ["**"]
        templates: ["**"]
methods: [ext/ping]
`

// Names that must never reach a client or be run.
const (
	hiddenName = "hidden_vault"
	hiddenURI  = "docs://hidden_vault/a"
)

// allRevisions are the revisions of Streamable HTTP.
var allRevisions = []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

func isModern(rev string) bool { return rev == "2026-07-28" }

func compile(tb testing.TB, text string) *policy.Policy {
	tb.Helper()
	d, err := policy.Parse("test.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := policy.Compile(d)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// nobody is a caller for filters that are tried on their own.
var nobody = &exchange{g: &Guard{cfg: Config{Catalog: new(catalog.Catalog)}}}

var testSealer = seal.New([32]byte{1, 2, 3})

// rig is a gateway with the Guard, a reverse proxy and an upstream behind it.
type rig struct {
	t        *testing.T
	guard    *Guard
	front    *httptest.Server
	upstream *httptest.Server
	logs     *observer.ObservedLogs

	policy  atomic.Pointer[policy.Policy]
	subject atomic.Pointer[policy.Subject]
	live    atomic.Pointer[Live] // of the stream that was opened last
	client  string
	site    string
	person  bool // there is one who can approve

	mu       sync.Mutex
	answer   http.HandlerFunc // of the upstream
	seen     []received
	sent     int
	ended    sync.Cond // there is another outcome
	outcomes []Outcome
}

// received is a request as the upstream got it.
type received struct {
	method string
	header http.Header
	body   []byte
	length int64
}

// newRig starts a gateway whose upstream answers as answer says. edit changes the
// Guard's configuration.
func newRig(t *testing.T, answer http.HandlerFunc, edit ...func(*Config)) *rig {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	g := &rig{t: t, answer: answer, logs: logs, client: "client-a", site: "https://a.example"}
	g.ended.L = &g.mu
	g.policy.Store(compile(t, testPolicy))
	g.subject.Store(&policy.Subject{ID: "workos:alice", Roles: []string{"member"}})
	cfg := Config{
		Server: "files", Logger: zap.New(core),
		Policy:       g.policy.Load,
		Sealer:       func() (*seal.Sealer, error) { return testSealer, nil },
		NewRequestID: func() string { return "req-1" },
	}
	for _, e := range edit {
		e(&cfg)
	}
	var err error
	if g.guard, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	g.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		g.seen = append(g.seen, received{r.Method, r.Header.Clone(), body, r.ContentLength})
		answer := g.answer
		g.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer(w, r)
	}))
	t.Cleanup(g.upstream.Close)
	g.front = httptest.NewServer(g)
	t.Cleanup(g.front.Close)
	return g
}

// ServeHTTP is the gateway.
func (g *rig) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var out Outcome
	defer func() {
		g.mu.Lock()
		g.outcomes = append(g.outcomes, out)
		g.mu.Unlock()
		g.ended.Broadcast()
	}()
	target, _ := url.Parse(g.upstream.URL)
	next := func(w http.ResponseWriter, r *http.Request) (err error) {
		proxy := &httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(target)
				hop := HopOf(p.In.Context())
				if hop == nil {
					return
				}
				if hop.Live != nil {
					g.live.Store(hop.Live)
				}
				hop.Asked, hop.From = target.JoinPath("/mcp/sse"), target.Host
				if hop.Target != nil {
					p.Out.URL.Path, p.Out.URL.RawPath, p.Out.URL.RawQuery = hop.Target.Path, hop.Target.RawPath, hop.Target.RawQuery
				}
			},
			ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, e error) { err = e },
		}
		proxy.ServeHTTP(w, r)
		return err
	}
	c := Caller{Subject: g.subject.Load, Grant: "grant", Client: g.client, Person: g.person, Resource: g.site + "/files"}
	if err := g.guard.Serve(&out, w, r, c, next); err != nil && r.Context().Err() == nil {
		g.t.Logf("guard: %v", err)
	}
}

// received returns what the upstream got so far.
func (g *rig) received() []received {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]received(nil), g.seen...)
}

// answers sets how the upstream answers.
func (g *rig) answers(h http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = h
}

// last waits until every request has ended, and returns the Outcome of the last.
func (g *rig) last() Outcome { return g.lastBut(0) }

// lastBut is last for a rig that has streams open.
func (g *rig) lastBut(open int) Outcome {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.outcomes) < g.sent-open {
		g.ended.Wait()
	}
	return g.outcomes[len(g.outcomes)-1]
}

// reply is what a client got.
type reply struct {
	status int
	header http.Header
	body   string
}

// send sends a request and reads the whole answer.
func (g *rig) send(method string, header http.Header, body string) reply {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	res := g.open(ctx, method, header, body)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		g.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// open sends a request and leaves the answer to be read.
func (g *rig) open(ctx context.Context, method string, header http.Header, body string) *http.Response {
	g.t.Helper()
	return g.openAt(ctx, "", method, header, body)
}

// openAt is open for a place below the mount, or a query of it.
func (g *rig) openAt(ctx context.Context, place, method string, header http.Header, body string) *http.Response {
	g.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, g.front.URL+place, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	g.mu.Lock()
	g.sent++
	g.mu.Unlock()
	res, err := g.front.Client().Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	return res
}

// post sends a message with the headers that go with it.
func (g *rig) post(rev, method, params string) reply {
	g.t.Helper()
	return g.send(http.MethodPost, headersFor(rev, method, params), message(rev, "1", method, params))
}

// message makes a request, with the _meta that the revision asks for.
func message(rev, id, method, params string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(params, "{"), "}")
	if meta := metaFor(rev); meta != "" {
		inner = strings.TrimSuffix(meta+","+inner, ",")
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{%s}}`, id, method, inner)
}

// metaFor is the _meta member that the revision asks for.
func metaFor(rev string) string {
	if !isModern(rev) {
		return ""
	}
	return `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + rev + `","io.modelcontextprotocol/clientCapabilities":{}}`
}

// headersFor makes the headers of an honest client.
func headersFor(rev, method, params string) http.Header {
	h := http.Header{
		"Content-Type":         {"application/json"},
		"Accept":               {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {rev},
		"Authorization":        {"Bearer agent-token"},
	}
	if rev == "2025-03-26" || method == "initialize" && !isModern(rev) {
		h.Del("Mcp-Protocol-Version")
	}
	if isModern(rev) {
		h.Set("Mcp-Method", method)
		var p struct{ Name, URI string }
		if json.Unmarshal([]byte(params), &p) == nil && methods[method].named {
			h.Set("Mcp-Name", p.Name+p.URI)
		}
	}
	return h
}

// rpcError returns the code and message of a JSON-RPC error answer.
func (r reply) rpcError(t *testing.T) (id json.RawMessage, code int, message string) {
	t.Helper()
	var m struct {
		ID    json.RawMessage
		Error *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || m.Error == nil {
		t.Fatalf("not a JSON-RPC error: %d %q", r.status, r.body)
	}
	return m.ID, m.Error.Code, m.Error.Message
}

// wantError checks a JSON-RPC error answer.
func (r reply) wantError(t *testing.T, status, code int) {
	t.Helper()
	if _, got, message := r.rpcError(t); r.status != status || got != code {
		t.Fatalf("answered %d with %d (%s), want %d with %d", r.status, got, message, status, code)
	}
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("headers of a refusal: %v", r.header)
	}
}

// jsonAnswer answers with a JSON body.
func jsonAnswer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sseAnswer answers with a stream, written in pieces of size bytes.
func sseAnswer(stream string, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			_, _ = io.WriteString(w, rest[:n])
			w.(http.Flusher).Flush()
			rest = rest[n:]
		}
	}
}

// events returns the data of the events of a stream.
func events(stream string) (data []string) {
	for block := range strings.SplitSeq(stream, "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(block, "\n") {
			if d, ok := strings.CutPrefix(line, "data: "); ok {
				lines = append(lines, d)
			}
		}
		if len(lines) > 0 {
			data = append(data, strings.Join(lines, "\n"))
		}
	}
	return data
}
