package guard

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// talk is an upstream's stream that a test writes to event by event.
type talk struct {
	write chan string
	gone  chan struct{}
}

func newTalk() *talk { return &talk{make(chan string), make(chan struct{})} }

func (s *talk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case text, ok := <-s.write:
			if !ok {
				return
			}
			_, _ = io.WriteString(w, text)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			close(s.gone)
			return
		}
	}
}

// block reads one event, up to its blank line.
func block(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		b.WriteString(line)
		if line == "\n" {
			return b.String()
		}
	}
}

const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}`

func TestEventsGoOnAsTheyCome(t *testing.T) {
	for _, rev := range allRevisions {
		t.Run(rev, func(t *testing.T) {
			up := newTalk()
			g := newRig(t, up.ServeHTTP)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			res := g.open(ctx, http.MethodPost, headersFor(rev, "tools/list", "{}"), message(rev, "1", "tools/list", "{}"))
			if k := res.Header; k.Get("Content-Type") != "text/event-stream" || k.Get("Cache-Control") != "no-store, no-transform" || k.Get("X-Accel-Buffering") != "no" {
				t.Errorf("headers %v", k)
			}
			in := bufio.NewReader(res.Body)
			// Each is read before the next is written.
			up.write <- "event: message\ndata: " + progress + "\n\n"
			if got := block(t, in); got != "event: message\ndata: "+progress+"\n\n" {
				t.Errorf("got %q", got)
			}
			up.write <- ": keep alive\n\n"
			if got := block(t, in); got != ":\n\n" {
				t.Errorf("got %q", got)
			}
			up.write <- "data: " + tools(shownTool+`,{"name":"hidden_vault"}`) + "\n\n"
			if got := block(t, in); got != "data: "+scoped(rev, tools(shownTool))+"\n\n" {
				t.Errorf("got %q", got)
			}
			close(up.write)
			if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
				t.Errorf("the stream ended with %q, %v", rest, err)
			}
			if o := g.last(); o.Filtered != 1 || o.Decision != Allow || o.Status != 200 {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

func TestTheClientsLeavingEndsTheStream(t *testing.T) {
	up := newTalk()
	g := newRig(t, up.ServeHTTP)
	ctx, cancel := context.WithCancel(context.Background())
	g.open(ctx, http.MethodGet, http.Header{"Accept": {"text/event-stream"}}, "")
	cancel()
	select {
	case <-up.gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the upstream was not told")
	}
	if o := g.last(); o.Decision != Allow || o.Method != "GET" {
		t.Errorf("outcome %+v", o)
	}
}

func TestAnOpenStreamFeelsAChangedRole(t *testing.T) {
	up := newTalk()
	g := newRig(t, up.ServeHTTP)
	res := g.open(t.Context(), http.MethodGet, http.Header{"Accept": {"text/event-stream"}}, "")
	in := bufio.NewReader(res.Body)
	list := "data: " + tools(shownTool) + "\n\n"
	update := `data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a"}}` + "\n\n"
	up.write <- list + update
	if got := block(t, in) + block(t, in); got != list+update {
		t.Errorf("as member: %q", got)
	}
	g.subject.Store(&policy.Subject{ID: "workos:alice", Roles: []string{"guest"}})
	up.write <- list + update + ":\n\n"
	if got := block(t, in) + block(t, in); got != "data: "+tools("")+"\n\n:\n\n" {
		t.Errorf("as guest: %q", got)
	}
	g.subject.Store(&policy.Subject{ID: "workos:alice", Roles: []string{"member"}})
	g.policy.Store(compile(t, `roles: { member: { allow: [{ tools: [other] }] } }`))
	up.write <- list
	if got := block(t, in); got != "data: "+tools("")+"\n\n" {
		t.Errorf("under another policy: %q", got)
	}
	g.subject.Store(nil)
	up.write <- list
	if rest, err := io.ReadAll(in); len(rest) > 0 || err == nil {
		t.Errorf("when the grant had ended: %q, %v", rest, err)
	}
}

func TestWhatAServerMaySendOnAStream(t *testing.T) {
	for _, c := range []struct {
		message        string
		legacy, modern bool
	}{
		{`{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[{"name":"t"}]}}`, true, false},
		{`{"jsonrpc":"2.0","id":5,"method":"elicitation/create","params":{"message":"m"}}`, true, false},
		{`{"jsonrpc":"2.0","id":5,"method":"roots/list"}`, true, false},
		{`{"jsonrpc":"2.0","id":"ping","method":"ping"}`, true, false},
		{`{"jsonrpc":"2.0","id":5,"method":"tasks/get","params":{"taskId":"t"}}`, false, false},
		{`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"shown_lamp"}}`, false, false},
		{progress, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"tools":["x"]}}}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a"}}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e"}}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true}}}`, true, true},
		{`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t"}}`, false, false},
		{`{"jsonrpc":"2.0","method":"notifications/other","params":{}}`, false, false},
		{`{"jsonrpc":"2.0","method":"ext/ping","params":{}}`, true, true},
	} {
		for _, rev := range allRevisions {
			answer := `{"jsonrpc":"2.0","id":1,"result":{}}`
			g := newRig(t, sseAnswer("data: "+c.message+"\n\ndata: "+answer+"\n\n", 1<<20))
			want := []string{answer}
			if c.legacy && !isModern(rev) || c.modern && isModern(rev) {
				want = []string{c.message, answer}
			}
			r := g.post(rev, "tools/call", `{"name":"echo"}`)
			if got := events(r.body); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s: %s: got %q", rev, c.message, got)
			}
			if len(want) == 1 && g.logs.FilterMessage("a message is left out of a stream").Len() != 1 {
				t.Errorf("%s: %s: the log does not say that it was left out", rev, c.message)
			}
		}
	}
}

func TestAClientIsNotLeftWaitingForWhatWasLeftOut(t *testing.T) {
	g := newRig(t, nil)
	for name, stream := range map[string]string{
		"the answer is unreadable":            "data: " + tools(`{"name":"shown_lamp"`) + "\n\n",
		"after it there is more":              "data: {\"jsonrpc\":\n\ndata: " + progress + "\n\n",
		"the stream turns into another":       "event: endpoint\ndata: /messages?sessionId=hidden_vault\n\n",
		"the answer's event has another name": "event: response\ndata: " + tools(`{"name":"hidden_vault"}`) + "\n\n",
		"its name has a space":                "event: message \ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"m\"}}\n\n",
		"a response of which the id is known": `data: {"jsonrpc":"2.0","id":1,"result":{"tools":7}}` + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			g.answers(sseAnswer(stream, 1<<20))
			r := g.post("2025-11-25", "tools/list", `{}`)
			noLeak(t, r)
			got := events(r.body)
			if len(got) == 0 || !strings.HasPrefix(got[len(got)-1], `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,`) {
				t.Errorf("got %q", r.body)
			}
			if o := g.last(); o.Decision != Failed || o.Reason == "" {
				t.Errorf("outcome %+v", o)
			}
		})
	}
	t.Run("as soon as that is known", func(t *testing.T) {
		up := newTalk()
		g := newRig(t, up.ServeHTTP)
		res := g.open(t.Context(), http.MethodPost, headersFor("2025-11-25", "ping", "{}"), message("2025-11-25", "1", "ping", "{}"))
		up.write <- `data: {"jsonrpc":"2.0","id":1,"result":7}` + "\n\n"
		if got := block(t, bufio.NewReader(res.Body)); !strings.Contains(got, `"id":1,"error":`) {
			t.Errorf("got %q", got)
		}
		close(up.write)
	})
	t.Run("but a ping answers nothing", func(t *testing.T) {
		for _, ping := range []string{"now", `{"jsonrpc":"2.0","id":2,"result":{}}`, `{"jsonrpc":"2.0","id":1,"method":"ping"}`} {
			g.answers(sseAnswer("event: ping\ndata: "+ping+"\n\n", 1<<20))
			if got := g.post("2025-11-25", "ping", `{}`).body; got != "" {
				t.Errorf("%s: got %q", ping, got)
			}
		}
	})
	t.Run("unless it was answered", func(t *testing.T) {
		g.answers(sseAnswer("data: {\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n", 1<<20))
		if got := events(g.post("2025-11-25", "ping", `{}`).body); len(got) != 1 || strings.Contains(got[0], "error") {
			t.Errorf("got %q", got)
		}
	})
}

func TestAResponseToAnotherRequestIsLeftOut(t *testing.T) {
	own := `{"jsonrpc":"2.0","id":1,"result":{}}`
	for _, other := range []string{`{"jsonrpc":"2.0","id":2,"result":{}}`, `{"jsonrpc":"2.0","id":"1","result":{}}`, `{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"m"}}`} {
		g := newRig(t, sseAnswer("data: "+other+"\n\ndata: "+own+"\n\ndata: "+own+"\n\n", 1<<20))
		if got := events(g.post("2025-11-25", "ping", `{}`).body); len(got) != 1 || got[0] != own {
			t.Errorf("%s: got %q", other, got)
		}
	}
}

func TestEventsAreFlushedWhoeverHandsThemOn(t *testing.T) {
	g, c := fuzzGuard(t)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(message("2025-11-25", "1", "ping", "{}")))
	r.Header = headersFor("2025-11-25", "ping", "{}")
	_, err := g.ServeHTTP(w, r, c, func(rw http.ResponseWriter, _ *http.Request) error {
		rw.Header().Set("Content-Type", "text/event-stream")
		_, err := io.WriteString(rw, "data: "+progress+"\n\n")
		if !w.Flushed {
			t.Error("an event is held back")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// plainWriter is a ResponseWriter without anything beside it.
type plainWriter struct{ http.ResponseWriter }

func TestTheWriterCannotBeGotAround(t *testing.T) {
	g := newRig(t, nil).guard
	var out Outcome
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	r.Header = honestLegacy()
	caller := Caller{Subject: func() *policy.Subject { return &policy.Subject{ID: "a"} }}
	err := g.Serve(&out, plainWriter{w}, r, caller, func(w http.ResponseWriter, _ *http.Request) error {
		if _, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
			t.Error("it unwraps")
		}
		if _, ok := w.(io.ReaderFrom); ok {
			t.Error("it reads from others")
		}
		rc := http.NewResponseController(w)
		if _, _, err := rc.Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("hijack: %v", err)
		}
		if err := rc.Flush(); err != nil {
			t.Errorf("flush before the first byte: %v", err)
		}
		w.WriteHeader(http.StatusSwitchingProtocols)
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "hidden_vault")
		return rc.Flush()
	})
	if err != nil || w.Code != 502 || strings.Contains(w.Body.String(), "hidden") {
		t.Errorf("%v: %d %s", err, w.Code, w.Body)
	}
}

func TestPanicsGoThroughAndTheOutcomeIsThere(t *testing.T) {
	g := newRig(t, nil).guard
	caller := Caller{Subject: func() *policy.Subject { return &policy.Subject{ID: "a"} }}
	run := func(next Next) (out Outcome, w *httptest.ResponseRecorder, panicked any) {
		w = httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		r.Header = honestLegacy()
		defer func() { panicked = recover() }()
		_ = g.Serve(&out, w, r, caller, next)
		return out, w, nil
	}
	out, w, panicked := run(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
	if panicked != nil || w.Code != 502 || out.Decision != Failed || out.Status != 502 {
		t.Errorf("before the answer: %v, %d, %+v", panicked, w.Code, out)
	}
	out, w, panicked = run(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: "+progress+"\n\n")
		panic(http.ErrAbortHandler)
	})
	if panicked != nil || w.Code != 200 || out.Decision != Failed || out.Status != 200 || out.Upstream <= 0 {
		t.Errorf("on a stream: %v, %d, %+v", panicked, w.Code, out)
	}
	out, w, panicked = run(func(http.ResponseWriter, *http.Request) error { panic("a mistake of ours") })
	if panicked != "a mistake of ours" || w.Code != 502 || out.Decision != Failed {
		t.Errorf("another panic: %v, %d, %+v", panicked, w.Code, out)
	}
}

// TestAStreamThatBreaksOffEndsInOrder holds what a client gets of a stream whose upstream is lost, whatever it was in the
// midst of.
func TestAStreamThatBreaksOffEndsInOrder(t *testing.T) {
	const lost = `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"The MCP server could not answer (request id req-1)"}}`
	const answer = `{"jsonrpc":"2.0","id":1,"result":{}}`
	for name, c := range map[string]struct {
		sent string
		want []string
	}{
		"before any event":        {"", []string{lost}},
		"after an event":          {"data: " + progress + "\n\n", []string{progress, lost}},
		"in an event":             {"data: " + progress + "\n\ndata: " + answer, []string{progress, lost}},
		"after the answer":        {"data: " + answer + "\n\n", []string{answer}},
		"when it can be resumed":  {"id: 1\ndata:\n\ndata: " + progress + "\n\n", []string{progress}},
		"when it no longer can":   {"id: 1\ndata:\n\nid:\ndata: " + progress + "\n\n", []string{progress, lost}},
		"in the midst of an id":   {"data: " + progress + "\n\nid: 1", []string{progress, lost}},
		"after what is left out":  {"data: {\n\n", []string{lost}},
		"while nothing was asked": {"", nil},
	} {
		for _, rev := range allRevisions[:3] {
			g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
				sseAnswer(c.sent, 1<<20)(w, r)
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			method, body := http.MethodPost, message(rev, "1", "ping", "{}")
			if c.want == nil {
				method, body = http.MethodGet, ""
			}
			res := g.open(t.Context(), method, headersFor(rev, "ping", "{}"), body)
			all, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			var got []string
			for _, e := range events(string(all)) {
				if e != "" {
					got = append(got, e)
				}
			}
			if err != nil || res.StatusCode != 200 || !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: %d %q, %v; want %q", name, rev, res.StatusCode, got, err, c.want)
			}
			if out := g.last(); out.Decision != Failed {
				t.Errorf("%s, %s: %+v", name, rev, out)
			}
		}
	}
}
