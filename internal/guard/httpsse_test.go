//lint:file-ignore SA1019 What a revision deprecates, clients and servers of older ones go on using.

package guard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// oldServer is a server of HTTP+SSE whose every byte is the test's.
type oldServer struct {
	first  string           // what its stream begins with
	write  chan string      // the rest of it
	posted chan string      // targets and bodies that it got
	answer http.HandlerFunc // to what is posted
}

func newOldServer(endpoint string) *oldServer {
	return &oldServer{
		first: "event: endpoint\ndata: " + endpoint + "\n\n", write: make(chan string), posted: make(chan string, 99),
		answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "Accepted")
		},
	}
}

func (s *oldServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/event-stream")
		for text, ok := s.first, true; ok; {
			_, _ = io.WriteString(w, text)
			w.(http.Flusher).Flush()
			select {
			case text, ok = <-s.write:
			case <-r.Context().Done():
				return
			}
		}
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.posted <- r.URL.RequestURI() + " " + string(body)
	s.answer(w, r)
}

// went returns what went on to the server since the last time.
func (s *oldServer) went() (all []string) {
	for {
		select {
		case one := <-s.posted:
			all = append(all, one)
		default:
			return all
		}
	}
}

// oldClient is a client of HTTP+SSE: the stream it reads and the place it posts to.
type oldClient struct {
	t     *testing.T
	g     *rig
	in    *bufio.Reader
	place string
	leave context.CancelFunc
}

// listen opens a stream and reads its endpoint event.
func (g *rig) listen(t *testing.T) *oldClient {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	res := g.open(ctx, http.MethodGet, http.Header{"Accept": {"text/event-stream"}}, "")
	c := &oldClient{t: t, g: g, in: bufio.NewReader(res.Body), leave: cancel}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the stream is answered with %d", res.StatusCode)
	}
	first := block(t, c.in)
	place, found := strings.CutPrefix(first, "event: endpoint\ndata: /files?session=")
	if !found || strings.ContainsAny(place, "/:?&=%+ ") {
		t.Fatalf("the stream begins with %q", first)
	}
	c.place = "?session=" + strings.TrimSpace(place)
	return c
}

// post posts a message to a place.
func (g *rig) postTo(place string, header http.Header, body string) reply {
	g.t.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	for k, v := range header {
		h[k] = v
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	res := g.openAt(ctx, place, http.MethodPost, h, body)
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(b)}
}

func (c *oldClient) post(body string) reply { c.t.Helper(); return c.g.postTo(c.place, nil, body) }

const oldCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":%q,"arguments":{}}}`

func TestHTTPSSEIsServedAtTheMountAlone(t *testing.T) {
	up := newOldServer("/message?sessionId=upstream-1")
	g := newRig(t, up.ServeHTTP)
	c := g.listen(t)
	if strings.Contains(c.place, "message") || strings.Contains(c.place, "upstream-1") {
		t.Errorf("the place %s tells where it is", c.place)
	}
	r := c.post(fmt.Sprintf(oldCall, "echo"))
	if r.status != http.StatusAccepted || r.body != "" || r.header.Get("Content-Type") != "" || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a message is answered with %d %q %v", r.status, r.body, r.header)
	}
	if got, want := up.went(), "/message?sessionId=upstream-1 "+fmt.Sprintf(oldCall, "echo"); len(got) != 1 || got[0] != want {
		t.Errorf("%q went on, want %q", got, want)
	}
	if o := g.lastBut(1); o.Decision != Allow || o.Protocol != "2024-11-05" || o.Session == "" || o.Name != "echo" {
		t.Errorf("outcome %+v", o)
	}
	const answer = `{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`
	up.write <- "event: message\ndata: " + answer + "\n\n"
	if got := block(t, c.in); got != "event: message\ndata: "+answer+"\n\n" {
		t.Errorf("answered %q", got)
	}
	close(up.write)
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}

const unsupportedOld = `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"2026-07-28"}}}`

// TestNothingHiddenIsRunOverHTTPSSE sends what may not go on. The answers that a client waits for come on its stream.
func TestNothingHiddenIsRunOverHTTPSSE(t *testing.T) {
	up := newOldServer("/message")
	g := newRig(t, up.ServeHTTP)
	c := g.listen(t)
	for name, test := range map[string]struct {
		header   http.Header
		body     string
		status   int
		onStream string
	}{
		"a hidden tool":     {nil, fmt.Sprintf(oldCall, hiddenName), 202, `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown tool: hidden_vault"}}`},
		"a hidden resource": {nil, `{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"docs://hidden_vault/a"}}`, 202, `{"jsonrpc":"2.0","id":"a","error":{"code":-32002,"message":"Resource not found","data":{"uri":"docs://hidden_vault/a"}}}`},
		"an unknown method": {nil, `{"jsonrpc":"2.0","id":1,"method":"tools/run"}`, 202, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found: tools/run"}}`},
		"a task's method":   {nil, `{"jsonrpc":"2.0","id":1,"method":"tasks/list"}`, 202, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found: tasks/list"}}`},
		"a made-up cursor":  {nil, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}`, 202, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid cursor"}}`},
		"a revision that names itself in the header": {http.Header{"Mcp-Protocol-Version": {"2025-11-25"}}, fmt.Sprintf(oldCall, hiddenName), 202, `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown tool: hidden_vault"}}`},

		"an unknown notification": {nil, `{"jsonrpc":"2.0","method":"notifications/tools/run"}`, 400, ""},
		"a call without an id":    {nil, `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"hidden_vault"}}`, 400, ""},
		"a batch":                 {nil, "[" + fmt.Sprintf(oldCall, hiddenName) + "]", 400, ""},
		"a batch of 2025-03-26":   {http.Header{"Mcp-Protocol-Version": {"2025-03-26"}}, "[" + fmt.Sprintf(oldCall, "echo") + "]", 400, ""},
		"two messages":            {nil, fmt.Sprintf(oldCall, "echo") + fmt.Sprintf(oldCall, hiddenName), 400, ""},
		"a member twice":          {nil, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","name":"hidden_vault"}}`, 400, ""},
		"a revision without this transport": {http.Header{"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"hidden_vault"}},
			message("2026-07-28", "1", "tools/call", `{"name":"hidden_vault"}`), 202, unsupportedOld},
		"a revision without this transport, in the body": {nil, message("2026-07-28", "1", "tools/list", "{}"), 202, unsupportedOld},
		"a notification of that revision": {http.Header{"Mcp-Protocol-Version": {"2026-07-28"}},
			`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, 400, ""},
		"that revision in the body, another in the header": {http.Header{"Mcp-Protocol-Version": {"2025-11-25"}}, message("2026-07-28", "1", "tools/list", "{}"), 400, ""},
		"a session of the other transport":                 {http.Header{"Mcp-Session-Id": {"x"}}, fmt.Sprintf(oldCall, "echo"), 400, ""},
		"another content type":                             {http.Header{"Content-Type": {"text/plain"}}, fmt.Sprintf(oldCall, "echo"), 415, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := make(chan reply, 1)
			go func() { r <- g.postTo(c.place, test.header, test.body) }()
			if test.onStream != "" {
				if got, want := block(t, c.in), "event: message\ndata: "+test.onStream+"\n\n"; got != want {
					t.Errorf("on the stream is %q, want %q", got, want)
				}
			}
			switch got := <-r; {
			case got.status != test.status, got.status == 202 && got.body != "":
				t.Errorf("answered %d %s, want %d", got.status, got.body, test.status)
			case got.status >= 400 && strings.Contains(got.body, hiddenName):
				t.Errorf("answered %s", got.body)
			}
			if got := up.went(); len(got) > 0 {
				t.Errorf("%q went on", got)
			}
			if o := g.lastBut(1); o.Decision != Deny && o.Decision != Refuse {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

// TestAnEndpointIsOfOneCallerAtOneMount posts to a place as someone else.
func TestAnEndpointIsOfOneCallerAtOneMount(t *testing.T) {
	up := newOldServer("/message")
	g := newRig(t, up.ServeHTTP)
	c := g.listen(t)
	call := fmt.Sprintf(oldCall, "echo")
	refused := func(who, place string) {
		t.Helper()
		r := g.postTo(place, nil, call)
		r.wantError(t, 404, -32001)
		if got := up.went(); len(got) > 0 {
			t.Errorf("%s: %q went on", who, got)
		}
	}
	refused("made up", "?session=made-up")
	refused("empty", "?session=")
	refused("cut", c.place[:len(c.place)-1])
	refused("with more behind it", c.place+"&session=x")
	refused("encoded", strings.Replace(c.place, "=", "=%41", 1))
	g.client = "client-b"
	refused("another client", c.place)
	g.client = "client-a"
	g.subject.Store(&policy.Subject{ID: "workos:bob", Roles: []string{"admin"}})
	refused("another person", c.place)
	g.subject.Store(&policy.Subject{ID: "workos:alice", Roles: []string{"member"}})
	other := newRig(t, up.ServeHTTP)
	other.site = "https://elsewhere.example.com"
	other.postTo(c.place, nil, call).wantError(t, 404, -32001)
	sealed, err := testSealerFor(g).sealHandle(purposeSession, "a\n\n/message")
	if err != nil {
		t.Fatal(err)
	}
	refused("a session", "?session="+sealed)
	if r := c.post(call); r.status != 202 || len(up.went()) != 1 {
		t.Errorf("its own caller gets %d", r.status)
	}
	if r := g.send(http.MethodPost, headersFor("2025-11-25", "tools/list", "{}"), message("2025-11-25", "1", "tools/list", "{}")); r.status != 202 || len(up.went()) != 1 {
		t.Errorf("what has no place goes to the endpoint: %d", r.status)
	}
}

// testSealerFor makes handles as the rig's caller gets them.
func testSealerFor(g *rig) *exchange {
	return &exchange{g: g.guard, out: new(Outcome), person: g.subject.Load().ID, caller: Caller{Subject: g.subject.Load, Client: g.client, Resource: g.site + "/files"}}
}

// TestAnotherNodeOpensAnEndpoint holds that messages find their way without the stream, and that only refusals need it.
func TestAnotherNodeOpensAnEndpoint(t *testing.T) {
	up := newOldServer("/message?sessionId=1")
	g := newRig(t, up.ServeHTTP)
	c := g.listen(t)
	other := newRig(t, up.ServeHTTP)
	if r := other.postTo(c.place, nil, fmt.Sprintf(oldCall, "echo")); r.status != 202 {
		t.Errorf("answered %d %s", r.status, r.body)
	}
	if got := up.went(); len(got) != 1 || !strings.HasPrefix(got[0], "/message?sessionId=1 ") {
		t.Errorf("%q went on", got)
	}
	r := other.postTo(c.place, nil, fmt.Sprintf(oldCall, hiddenName))
	r.wantError(t, 404, -32001)
	if o := other.last(); o.Decision != Deny || o.Status != 404 || len(up.went()) > 0 {
		t.Errorf("outcome %+v", o)
	}
	c.leave()
	g.last()
	c.post(fmt.Sprintf(oldCall, hiddenName)).wantError(t, 404, -32001)
}

// TestAnswersToPostsSayNothing has the server answer messages in every way.
func TestAnswersToPostsSayNothing(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		status int
	}{
		"accepted":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, 202},
		"with text":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Accepted hidden_vault") }, 202},
		"no content": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 202},
		"a list":     {jsonAnswer(200, tools(`{"name":"hidden_vault"}`)), 202},
		"a stream":   {sseAnswer("event: endpoint\ndata: /hidden\n\ndata: "+tools(`{"name":"hidden_vault"}`)+"\n\n", 9), 202},
		"a session": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Mcp-Session-Id", "hidden")
			w.WriteHeader(202)
		}, 202},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://hidden.example/", http.StatusTemporaryRedirect)
		}, 502},
		"unauthorized": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Www-Authenticate", "hidden")
			w.WriteHeader(401)
		}, 502},
		"forbidden":         {jsonAnswer(403, `{"hidden":1}`), 502},
		"a failure":         {jsonAnswer(500, `{"hidden":1}`), 502},
		"not understood":    {jsonAnswer(400, tools(`{"name":"hidden_vault"}`)), 400},
		"an unknown stream": {jsonAnswer(404, `{"hidden":1}`), 404},
	} {
		t.Run(name, func(t *testing.T) {
			up := newOldServer("/message")
			up.answer = test.answer
			g := newRig(t, up.ServeHTTP)
			r := g.listen(t).post(fmt.Sprintf(oldCall, "echo"))
			if r.status != test.status || r.status == 202 && r.body != "" || strings.Contains(fmt.Sprint(r), "hidden") {
				t.Errorf("answered %d %q %v", r.status, r.body, r.header)
			}
		})
	}
}

func TestAClientAnswersItsServerOverHTTPSSE(t *testing.T) {
	up := newOldServer("/message")
	g := newRig(t, up.ServeHTTP)
	c := g.listen(t)
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":3,"result":{"roots":[]}}`,
		`{"jsonrpc":"2.0","id":4,"error":{"code":-1,"message":"no"}}`,
	} {
		if r := c.post(body); r.status != 202 || len(up.went()) != 1 {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
}

// TestRefusalsAndMessagesShareAStream writes to a stream from both sides at once.
func TestRefusalsAndMessagesShareAStream(t *testing.T) {
	const each = 50
	up := newOldServer("/message")
	g := newRig(t, up.ServeHTTP)
	c := g.listen(t)
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for range each {
				if r := c.post(fmt.Sprintf(oldCall, hiddenName)); r.status != 202 {
					t.Errorf("answered %d %s", r.status, r.body)
				}
			}
		})
	}
	busy.Go(func() {
		for range each {
			up.write <- "event: message\ndata: " + progress + "\n\n"
		}
	})
	counts := map[string]int{}
	for range 5 * each {
		counts[block(t, c.in)]++
	}
	busy.Wait()
	if len(counts) != 2 || counts["event: message\ndata: "+progress+"\n\n"] != each {
		t.Errorf("arrived: %v", counts)
	}
}

// TestTheGoSDKWorksOverHTTPSSE runs an honest client against an honest server.
func TestTheGoSDKWorksOverHTTPSSE(t *testing.T) {
	for _, rev := range append([]string{"", "2024-11-05"}, allRevisions[:3]...) {
		t.Run(rev, func(t *testing.T) {
			server := sdkServer()
			g := newRig(t, mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil).ServeHTTP)
			converse(t, g, server, &mcp.SSEClientTransport{Endpoint: g.front.URL + "/files"}, rev, &mcp.StreamableHTTPOptions{})
		})
	}
}

// TestARefusalWaitsForNoClientForEver has a stream that is being written to, to a client that does not read.
func TestARefusalWaitsForNoClientForEver(t *testing.T) {
	g := newRig(t, nil).guard
	l := &Live{x: &exchange{g: g}, turn: make(chan struct{}, 1)}
	g.audiences.enter(l, "", sights{})
	l.take()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if l.deliver(gone, []byte("{}")) {
		t.Error("a message was sent out of turn")
	}
	l.waiting.Store(maxWaiting)
	if l.deliver(t.Context(), []byte("{}")) {
		t.Error("more wait than may")
	}
	if l.waiting.Load() != maxWaiting {
		t.Errorf("%d wait, want %d", l.waiting.Load(), maxWaiting)
	}
	l.waiting.Store(0)
	l.give()
	l.close()
	if l.deliver(t.Context(), []byte("{}")) {
		t.Error("a message was sent on a stream that has ended")
	}
}
