package guard

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// patience is how long a test waits for what should happen at once.
const patience = 20 * time.Second

// saying is an upstream whose streams say what the test says, as it is said, until it hangs up.
type saying struct {
	text chan string
	said chan struct{} // once more after each text
	over chan struct{}
}

func newSaying() *saying {
	return &saying{text: make(chan string), said: make(chan struct{}), over: make(chan struct{})}
}

func (s *saying) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case text := <-s.text:
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
			s.said <- struct{}{}
		case <-s.over:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// say has the upstream write a text.
func (s *saying) say(text string) {
	s.text <- text
	<-s.said
}

// heard is what a client hears on a stream.
type heard struct {
	t      *testing.T
	events chan string // the lines of an event, joined by |; closed at the end
}

// hear opens a stream and listens.
func (g *rig) hear(t *testing.T, method string, header http.Header, body string) *heard {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	res := g.open(ctx, method, header, body)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("a stream is answered %s", res.Status)
	}
	h := &heard{t, make(chan string, 64)}
	var done sync.WaitGroup
	done.Go(func() {
		defer close(h.events)
		defer res.Body.Close()
		var lines []string
		for scan := bufio.NewScanner(res.Body); scan.Scan(); {
			if scan.Text() != "" {
				lines = append(lines, scan.Text())
				continue
			}
			h.events <- strings.Join(lines, "|")
			lines = nil
		}
		if lines != nil {
			h.events <- "cut off: " + strings.Join(lines, "|")
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return h
}

// wants waits for exactly these events.
func (h *heard) wants(want ...string) {
	h.t.Helper()
	for _, w := range want {
		select {
		case got, open := <-h.events:
			if !open {
				h.t.Fatalf("the stream ended, want %q", w)
			}
			if got != w {
				h.t.Fatalf("the client hears\n%s, want\n%s", got, w)
			}
		case <-time.After(patience):
			h.t.Fatalf("never heard: %q", w)
		}
	}
}

// ends waits for the end.
func (h *heard) ends() {
	h.t.Helper()
	select {
	case got, open := <-h.events:
		if open {
			h.t.Fatalf("the client hears %q, want the end", got)
		}
	case <-time.After(patience):
		h.t.Fatal("the stream does not end")
	}
}

const (
	toolsChanged     = `event: message|data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	promptsChanged   = `event: message|data: {"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`
	resourcesChanged = `event: message|data: {"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`
	someProgress     = "data: " + progress
)

// become gives the caller other roles.
func (g *rig) become(roles ...string) {
	g.subject.Store(&policy.Subject{ID: "workos:alice", Roles: roles})
}

// tell does what is done from time to time for every stream, and reports whether there was something to tell.
func (g *rig) tell() bool {
	live := g.live.Load()
	changed := live.Changed()
	if changed {
		live.Tell()
	}
	return changed
}

// TestAClientIsToldWhenItsListsChange changes roles and policies while a stream is open.
func TestAClientIsToldWhenItsListsChange(t *testing.T) {
	for _, rev := range allRevisions[:3] {
		t.Run(rev, func(t *testing.T) {
			g := newRig(t, nil)
			handle := g.initialize(t, rev, "upstream-session")
			up := newSaying()
			g.answers(up.ServeHTTP)
			client := g.hear(t, http.MethodGet, withSession(rev, handle), "")
			eventually(t, "the stream is open", func() bool { return g.live.Load() != nil && g.live.Load().ready.Load() })
			if g.tell() {
				t.Error("nothing has changed")
			}
			g.become("admin")
			if !g.tell() || g.tell() {
				t.Error("it is not told once")
			}
			client.wants(toolsChanged, promptsChanged, resourcesChanged)

			// Another policy that shows the caller the same, and then one that takes a tool away.
			g.policy.Store(compile(t, strings.Replace(testPolicy, "guest: {}", "guest: {}\n  other:\n    allow: [{tools: [x]}]", 1)))
			g.become("guest", "admin")
			if g.tell() {
				t.Error("an unrelated change is told")
			}
			g.policy.Store(compile(t, strings.Replace(testPolicy, "guest: {}", "guest:\n    deny: [{tools: [shown_*]}]", 1)))
			if !g.tell() {
				t.Error("a tool that is taken away is not told")
			}
			client.wants(toolsChanged)

			// In the midst of an event, and with an id that must stay the last one.
			up.say("id: 1\ndata: " + progress[:9])
			g.become("guest")
			g.tell()
			up.say(progress[9:] + "\n\n")
			client.wants(toolsChanged, promptsChanged, resourcesChanged)
			if got := <-client.events; !strings.HasPrefix(got, "id: ") || !strings.HasSuffix(got, someProgress) {
				t.Errorf("the event between is %q", got)
			}
			g.subject.Store(nil)
			if g.tell() {
				t.Error("nobody is told of something")
			}
		})
	}
}

// TestNobodyIsToldOfWhatIsOnlyObserved holds that where nothing is hidden no change of the policy is one of the lists.
func TestNobodyIsToldOfWhatIsOnlyObserved(t *testing.T) {
	g := newRig(t, nil, func(c *Config) { c.Observe = true })
	handle := g.initialize(t, "2025-06-18", "upstream-session")
	g.answers(newSaying().ServeHTTP)
	g.hear(t, http.MethodGet, withSession("2025-06-18", handle), "")
	eventually(t, "the stream is open", func() bool { return g.live.Load() != nil && g.live.Load().ready.Load() })
	g.become("admin")
	if g.tell() {
		t.Error("it is told")
	}
}

// TestOneStreamOfASessionIsTold holds that of several streams of a session the newest is told, and nothing is lost if it
// opened after the change or ends before it.
func TestOneStreamOfASessionIsTold(t *testing.T) {
	const rev = "2025-11-25"
	g := newRig(t, nil)
	handle := g.initialize(t, rev, "upstream-session")
	open := func() (*heard, *Live, *saying) {
		up := newSaying()
		g.answers(up.ServeHTTP)
		before := g.live.Load()
		h := g.hear(t, http.MethodGet, withSession(rev, handle), "")
		eventually(t, "the stream is open", func() bool { l := g.live.Load(); return l != before && l.ready.Load() })
		return h, g.live.Load(), up
	}
	first, firstLive, _ := open()
	g.become("guest")
	second, secondLive, up := open() // it does not know yet
	if firstLive.Changed() || !secondLive.Changed() {
		t.Error("the older stream is to tell")
	}
	firstLive.Tell()
	secondLive.Tell()
	second.wants(toolsChanged, promptsChanged, resourcesChanged)
	g.become("member")
	close(up.over)
	second.ends()
	eventually(t, "the older stream tells", firstLive.Changed)
	firstLive.Tell()
	first.wants(toolsChanged, promptsChanged, resourcesChanged)
}

// TestASubscriptionIsToldOnlyWhatItAskedFor has subscriptions of revision 2026-07-28.
func TestASubscriptionIsToldOnlyWhatItAskedFor(t *testing.T) {
	const (
		rev = "2026-07-28"
		id  = `"sub-1"`
		ack = `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub-1"},"notifications":{%}}}`
		end = `event: message|data: {"jsonrpc":"2.0","id":"sub-1","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"sub-1"}}}`
	)
	told := func(kind string) string {
		return `event: message|data: {"jsonrpc":"2.0","method":"notifications/` + kind + `/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub-1"}}}`
	}
	for name, c := range map[string]struct {
		asked, server, acknowledged string
		told                        []string
	}{
		"tools":                 {`"toolsListChanged":true`, `"toolsListChanged":true`, `"toolsListChanged":true`, []string{told("tools")}},
		"a server that doesn't": {`"toolsListChanged":true,"promptsListChanged":true`, ``, `"toolsListChanged":true,"promptsListChanged":true`, []string{told("tools"), told("prompts")}},
		"a server that says no": {`"resourcesListChanged":true`, `"resourcesListChanged": false , "x":{}`, `"resourcesListChanged": true , "x":{}`, []string{told("resources")}},
		"one of two":            {`"resourcesListChanged":true,"toolsListChanged":true`, `"toolsListChanged":true `, `"toolsListChanged":true ,"resourcesListChanged":true`, []string{told("tools"), told("resources")}},
		"only a resource":       {`"resourceSubscriptions":["docs://shown/a"],"toolsListChanged":false`, `"resourceSubscriptions":["docs://shown/a"]`, `"resourceSubscriptions":["docs://shown/a"]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, nil)
			up := newSaying()
			g.answers(up.ServeHTTP)
			params := `{"notifications":{` + c.asked + `}}`
			client := g.hear(t, http.MethodPost, headersFor(rev, "subscriptions/listen", params), message(rev, id, "subscriptions/listen", params))
			g.become("admin")
			if g.tell() {
				t.Error("it is told before it is acknowledged")
			}
			up.say("data: " + strings.Replace(ack, "%", c.server, 1) + "\n\n")
			client.wants("data: " + strings.Replace(ack, "%", c.acknowledged, 1))
			eventually(t, "it may be told", func() bool { return g.live.Load().ready.Load() })
			if g.tell() != (c.told != nil) {
				t.Errorf("told: %v", c.told == nil)
			}
			client.wants(c.told...)
			g.become("guest")
			g.live.Load().End() // what changed last is told before the end
			close(up.over)
			client.wants(append(c.told, end)...)
			client.ends()
		})
	}
}

// TestNothingFollowsTheEndOfASubscription holds that one that the server ended is told nothing more, and one that broke off
// is not made out to have ended in order.
func TestNothingFollowsTheEndOfASubscription(t *testing.T) {
	const rev, params = "2026-07-28", `{"notifications":{"toolsListChanged":true}}`
	const ack = `data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true}}}`
	const result = `data: {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`
	for _, ended := range []bool{true, false} {
		g := newRig(t, nil)
		up := newSaying()
		g.answers(up.ServeHTTP)
		client := g.hear(t, http.MethodPost, headersFor(rev, "subscriptions/listen", params), message(rev, "1", "subscriptions/listen", params))
		up.say(ack + "\n\n")
		client.wants(ack)
		if ended {
			up.say(result + "\n\n")
			client.wants(result)
			eventually(t, "it is over", func() bool { return !g.live.Load().ready.Load() })
			g.become("guest")
			if g.tell() {
				t.Error("it is told something")
			}
			g.live.Load().End()
		}
		close(up.over)
		client.ends()
	}
}

// TestHTTPSSEIsToldAfterItsEndpoint holds that nothing comes before the endpoint event, on which its clients wait.
func TestHTTPSSEIsToldAfterItsEndpoint(t *testing.T) {
	g := newRig(t, nil)
	up := newSaying()
	g.answers(up.ServeHTTP)
	client := g.hear(t, http.MethodGet, http.Header{"Accept": {"text/event-stream"}}, "")
	g.become("guest")
	if g.tell() {
		t.Error("it is told before the endpoint")
	}
	up.say("event: endpoint\ndata: /message\n\n")
	if got := <-client.events; !strings.HasPrefix(got, "event: endpoint|data: /files?session=") {
		t.Fatalf("the client hears %q", got)
	}
	eventually(t, "it is told", g.tell)
	client.wants(toolsChanged, promptsChanged, resourcesChanged)
}

// TestTellingWaitsForNobodyElse has a client that does not read: whoever tells it comes back once it has left, and it is
// waited for by one at most.
func TestTellingWaitsForNobodyElse(t *testing.T) {
	g := newRig(t, nil)
	l := &Live{x: &exchange{g: g.guard, caller: Caller{Subject: g.subject.Load}}, kinds: allLists, turn: make(chan struct{}, 1)}
	g.guard.audiences.enter(l, "", sights{})
	l.ready.Store(true)
	l.take()
	var first sync.WaitGroup
	first.Go(l.Tell)
	eventually(t, "one waits", l.telling.Load)
	l.Tell() // returns
	l.closed = true
	l.give()
	first.Wait()
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// TestServersOfferToTell holds what becomes of the capabilities in an answer.
func TestServersOfferToTell(t *testing.T) {
	for _, c := range []struct{ name, offered, want string }{
		{"offered already", `{"tools":{"listChanged":true}}`, ``},
		{"not offered", `{"tools":{},"logging":{},"resources":{"subscribe": true },"prompts":{ }}`,
			`{"tools":{"listChanged":true},"logging":{},"resources":{"subscribe": true ,"listChanged":true},"prompts":{ "listChanged":true}}`},
		{"denied", `{"tools":{"listChanged": false ,"x":[{}]}}`, `{"tools":{"listChanged": true ,"x":[{}]}}`},
		{"not had", `{"experimental":{"tools":{}},"logging":{}}`, ``},
		{"odd", `{"tools":null,"prompts":true,"resources":[]}`, ``},
		{"none", `null`, ``},
	} {
		for _, rev := range []string{"2025-06-18", "2026-07-28"} {
			method, want := "initialize", c.want
			if isModern(rev) {
				method, want = "server/discover", ""
			}
			if want == "" {
				want = c.offered
			}
			answer := func(offered string) string {
				return `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"` + rev + `","capabilities":` + offered + `,"serverInfo":{"name":"s","version":"1"}}}`
			}
			g := newRig(t, jsonAnswer(200, answer(c.offered)))
			if r := g.post(rev, method, `{}`); r.body != answer(want) {
				t.Errorf("%s, %s: %s", c.name, rev, r.body)
			}
		}
	}
}

// TestAStreamThatWeEndBeforeItBeginsIsAnEmptyOne holds that a reload while a server is slow to open a stream is no failure to
// its client, which would not come back.
func TestAStreamThatWeEndBeforeItBeginsIsAnEmptyOne(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		g := newRig(t, nil)
		header, body := withSession("2025-06-18", g.initialize(t, "2025-06-18", "upstream-session")), ""
		if method == http.MethodPost {
			header, body = headersFor("2026-07-28", methodListen, ""), message("2026-07-28", "1", methodListen, `{"notifications":{"toolsListChanged":true}}`)
		}
		r := httptest.NewRequestWithContext(t.Context(), method, "/files", strings.NewReader(body))
		r.Header = header
		w := httptest.NewRecorder()
		c := Caller{Subject: g.subject.Load, Client: g.client, Resource: g.site + "/files"}
		_, err := g.guard.ServeHTTP(w, r, c, func(_ http.ResponseWriter, r *http.Request) error {
			HopOf(r.Context()).Live.End()
			return errors.New("ended")
		})
		want := map[string]int{http.MethodGet: http.StatusOK, http.MethodPost: http.StatusBadGateway}[method]
		if err != nil || w.Code != want || method == http.MethodGet && (w.Body.Len() > 0 || w.Header().Get("Content-Type") != "text/event-stream") {
			t.Errorf("%s: %v, %d %s", method, err, w.Code, w.Body)
		}
	}
}
