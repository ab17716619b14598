package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// listing is an MCP server with tools, in pages of two. It keeps what it was asked.
type listing struct {
	t      *testing.T
	era    string   // "modern", "session", "stateless": without revision 2026-07-28, and then without sessions
	tools  []string // entries
	stream bool     // answers as an event stream, which it keeps open
	fails  func(method string) bool

	mu    sync.Mutex
	asked []string
	last  http.Header
}

func (s *listing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct{ Cursor string }
	}
	if r.Method == http.MethodPost && json.Unmarshal(body, &m) != nil {
		s.t.Errorf("asked with %s", body)
	}
	if r.Method == http.MethodDelete {
		m.Method = "DELETE"
	}
	s.mu.Lock()
	s.asked, s.last = append(s.asked, m.Method), r.Header.Clone()
	s.mu.Unlock()
	switch old := r.Header.Get("Mcp-Protocol-Version") != "2026-07-28"; {
	case s.fails != nil && s.fails(m.Method):
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	case (s.era == "modern") == old, s.era == "session" && m.Method != "initialize" && r.Header.Get("Mcp-Session-Id") != "session-1":
		http.Error(w, "Bad Request: no such version", http.StatusBadRequest)
		return
	}
	if m.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	result := `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}`
	if m.Method == "initialize" && s.era == "session" {
		w.Header().Set("Mcp-Session-Id", "session-1")
	}
	if m.Method == "tools/list" {
		from := 0
		_, _ = fmt.Sscan(m.Params.Cursor, &from)
		to := min(from+2, len(s.tools))
		next := ""
		if to < len(s.tools) {
			next = fmt.Sprintf(`,"nextCursor":"%d"`, to)
		}
		result = `{"tools":[` + strings.Join(s.tools[from:to], ",") + `]` + next + `,"ttlMs":0,"cacheScope":"private","resultType":"complete"}`
	}
	answer := `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + `}`
	if !s.stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n\ndata: "+answer+"\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// methods returns what the server was asked since it was asked for that last.
func (s *listing) methods() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.asked = nil }()
	return strings.Join(s.asked, " ")
}

// looking makes a rig whose Guard can ask the server by itself.
func looking(t *testing.T, s *listing) *rig {
	t.Helper()
	s.t = t
	return newRig(t, s.ServeHTTP, askedAt(s))
}

// askedAt has the Guard ask a server.
func askedAt(s http.Handler) func(*Config) {
	return func(cfg *Config) {
		cfg.Ask = func(w http.ResponseWriter, r *http.Request, credential string) error {
			if credential != "" {
				return errors.New("no such credential")
			}
			s.ServeHTTP(w, r)
			return r.Context().Err()
		}
	}
}

func fiveTools() []string {
	var tools []string
	for i := range 5 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","title":"T%d","annotations":{"readOnlyHint":true}}`, i, i))
	}
	return tools
}

func TestTheGuardListsToolsByItself(t *testing.T) {
	for _, c := range []struct {
		era, first, again string
	}{
		{"modern", "tools/list tools/list tools/list", "tools/list tools/list tools/list"},
		{"session", "tools/list initialize notifications/initialized tools/list tools/list tools/list DELETE", "initialize notifications/initialized tools/list tools/list tools/list DELETE"},
		{"stateless", "tools/list initialize notifications/initialized tools/list tools/list tools/list", "initialize notifications/initialized tools/list tools/list tools/list"},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(c.era, " stream ", stream), func(t *testing.T) {
				s := &listing{era: c.era, tools: fiveTools(), stream: stream}
				g := looking(t, s)
				offers, err := g.guard.Offers(t.Context(), "")
				if err != nil || len(offers) != 5 || offers[4].Name != "tool_4" || !offers[4].Tool.Annotations.ReadOnly || offers[0].Tool.Title != "T0" {
					t.Fatalf("%v %+v", err, offers)
				}
				if got := s.methods(); got != c.first {
					t.Errorf("asked %s", got)
				}
				if s.last.Get("Authorization") != "" {
					t.Error("with somebody's token")
				}
				if _, err := g.guard.Offers(t.Context(), ""); err != nil || s.methods() != "" {
					t.Errorf("asked again, %v", err)
				}
				l := &looker{g: g.guard, ctx: t.Context(), shelf: g.shelf()}
				if err := l.look(); err != nil || s.methods() != c.again {
					t.Errorf("the second time: %v, %s", err, s.methods())
				}
			})
		}
	}
}

func TestAServerThatCannotBeListedIsNotAskedAllTheTime(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	s := &listing{era: "session", tools: fiveTools(), fails: func(method string) bool { return broken.Load() && method == "tools/list" }}
	g := looking(t, s)
	for range 5 {
		if _, err := g.guard.Offers(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "tools/list") {
			t.Fatalf("%v", err)
		}
	}
	if got := s.methods(); strings.Count(got, "initialize ") != 1 {
		t.Errorf("asked %s", got)
	}
	if len(g.logs.FilterMessageSnippet("could not be listed").All()) != 1 {
		t.Errorf("%+v", g.logs.All())
	}
}

func TestHalfAListIsNone(t *testing.T) {
	lists := 0
	s := &listing{era: "modern", tools: fiveTools()}
	s.fails = func(string) bool { lists++; return lists >= 2 }
	g := looking(t, s)
	if _, err := g.guard.Offers(t.Context(), ""); err == nil {
		t.Fatal("no error")
	}
	if g.shelf().Tool("tool_0") != nil {
		t.Error("tools of a list without an end count")
	}
}

func TestManyWaitForOneLook(t *testing.T) {
	begun, let := make(chan struct{}), make(chan struct{})
	s := &listing{era: "modern", tools: fiveTools()}
	var once sync.Once
	s.fails = func(string) bool { once.Do(func() { close(begun); <-let }); return false }
	g := looking(t, s)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if offers, err := g.guard.Offers(t.Context(), ""); err != nil || len(offers) != 5 {
				t.Errorf("%v %v", offers, err)
			}
		})
	}
	<-begun
	close(let)
	wg.Wait()
	if got := s.methods(); got != "tools/list tools/list tools/list" {
		t.Errorf("asked %s", got)
	}
}

func TestNobodySeesWhatAnotherCredentialIsShown(t *testing.T) {
	s := &listing{era: "modern", tools: fiveTools()}
	g := looking(t, s)
	if _, err := g.guard.Offers(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if offers, err := g.guard.Offers(t.Context(), "alice"); err == nil {
		t.Errorf("%+v", offers)
	}
}

func TestAListHasAnEnd(t *testing.T) {
	pages := 0
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		pages++
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%d,"result":{"tools":[],"nextCursor":"x"}}`, pages)
	})
	g := newRig(t, nil, askedAt(endless))
	if _, err := g.guard.Offers(t.Context(), ""); err == nil || pages != mostLooked {
		t.Errorf("%d pages, %v", pages, err)
	}
	huge := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"tools":["`+strings.Repeat("x", 1<<20))
	})
	g = newRig(t, nil, askedAt(huge), func(cfg *Config) { cfg.MaxAnswer = 64 << 10 })
	if offers, err := g.guard.Offers(t.Context(), ""); err == nil {
		t.Errorf("%+v", offers)
	}
}

func TestAServerThatIsDownIsAskedOnce(t *testing.T) {
	asked := 0
	down := func(cfg *Config) {
		cfg.Ask = func(http.ResponseWriter, *http.Request, string) error {
			asked++
			return errors.New("connection refused")
		}
	}
	g := newRig(t, nil, down)
	if _, err := g.guard.Offers(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "connection refused") || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	g = newRig(t, nil, func(cfg *Config) {
		cfg.Ask = func(http.ResponseWriter, *http.Request, string) error { panic(http.ErrAbortHandler) }
	})
	if _, err := g.guard.Offers(t.Context(), ""); err == nil {
		t.Error("no error")
	}
	g = newRig(t, nil)
	if _, err := g.guard.Offers(t.Context(), ""); !errors.Is(err, errAsk) {
		t.Error(err)
	}
}

func TestAServerThatTellsOfChangesIsAskedAgain(t *testing.T) {
	s := &listing{era: "modern", tools: fiveTools()}
	g := looking(t, s)
	if _, err := g.guard.Offers(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if g.shelf().Outdated() {
		t.Error("outdated at once")
	}
	g.answers(sseAnswer("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n", 1<<10))
	if r := g.post("2025-11-25", "tools/call", `{"name":"echo"}`); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if !g.shelf().Outdated() {
		t.Error("not noticed")
	}
}

func TestAServerThatChangesWithoutAWordIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &listing{t: t, era: "modern", tools: []string{`{"name":"echo","annotations":{"readOnlyHint":true}}`}}
		cfg := Config{
			Server: "files", Policy: func() *policy.Policy { return nil }, Sealer: func() (*seal.Sealer, error) { return testSealer, nil },
			TrustAnnotations: true,
		}
		askedAt(s)(&cfg)
		g, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		readOnly := func() bool {
			x := &exchange{g: g, out: new(Outcome), r: httptest.NewRequest(http.MethodPost, "/", nil)}
			tool, err := x.definition("echo")
			if err != nil || tool == nil {
				t.Fatalf("%+v, %v", tool, err)
			}
			return g.annotations(tool).ReadOnly
		}
		if !readOnly() {
			t.Fatal("not what the server says")
		}
		s.tools = []string{`{"name":"echo"}`}
		if !readOnly() || s.methods() != "tools/list" {
			t.Error("asked again at once")
		}
		time.Sleep(61 * time.Second)
		readOnly() // does not wait
		synctest.Wait()
		if readOnly() {
			t.Error("what the server said a minute ago still counts")
		}
	})
}
