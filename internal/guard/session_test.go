package guard

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// initialize makes the upstream hand out a session, and returns the handle.
func (g *rig) initialize(t *testing.T, rev, session string) string {
	t.Helper()
	g.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", session)
		jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"`+rev+`","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`)(w, r)
	})
	r := g.post(rev, "initialize", `{"protocolVersion":"`+rev+`","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`)
	handle := r.header.Get("Mcp-Session-Id")
	if r.status != 200 || handle == "" || strings.Contains(handle, session) {
		t.Fatalf("initialize: %d %s, session %q", r.status, r.body, handle)
	}
	return handle
}

// withSession adds a session to the headers of a legacy client.
func withSession(rev, handle string) http.Header {
	h := headersFor(rev, "ping", "{}")
	h.Set("Mcp-Session-Id", handle)
	return h
}

func TestASessionIsOfOneCallerAtOneServer(t *testing.T) {
	const ping = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
	for _, rev := range allRevisions[:3] {
		g := newRig(t, nil)
		handle := g.initialize(t, rev, "upstream-session-1")
		g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":2,"result":{}}`))
		uses := func() (status int) {
			t.Helper()
			before := len(g.received())
			status = 0
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
				body := ping
				if method != http.MethodPost {
					body = ""
				}
				r := g.send(method, withSession(rev, handle), body)
				if r.status == 404 {
					r.wantError(t, 404, -32001)
				}
				if method == http.MethodPost {
					status = r.status
				}
			}
			for _, got := range g.received()[before:] {
				if got.header.Get("Mcp-Session-Id") != "upstream-session-1" {
					t.Errorf("%s: session %q went on", rev, got.header.Get("Mcp-Session-Id"))
				}
			}
			if n := len(g.received()) - before; status == 404 && n > 0 {
				t.Errorf("%s: %d requests went on", rev, n)
			}
			return status
		}
		if got := uses(); got != 200 {
			t.Errorf("%s: one's own: %d", rev, got)
		}
		if o := g.last(); len(o.Session) != 12 || strings.Contains("upstream-session-1", o.Session) {
			t.Errorf("outcome names the session %q", o.Session)
		}
		g.client = "client-b"
		if got := uses(); got != 404 {
			t.Errorf("%s: with another client: %d", rev, got)
		}
		g.client = "client-a"
		g.subject.Store(&policy.Subject{ID: "workos:bob", Roles: []string{"admin"}})
		if got := uses(); got != 404 {
			t.Errorf("%s: another person's: %d", rev, got)
		}
		g.subject.Store(&policy.Subject{ID: "workos:alice"})
		if got := uses(); got != 200 {
			t.Errorf("%s: one's own with other roles: %d", rev, got)
		}
		g.site = "https://b.example"
		if got := uses(); got != 404 {
			t.Errorf("%s: on another site: %d", rev, got)
		}
		g.site = "https://a.example"
		other := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":2,"result":{}}`), func(c *Config) { c.Server = "other" })
		other.send(http.MethodPost, withSession(rev, handle), ping).wantError(t, 404, -32001)
		for _, made := range []string{"upstream-session-1", "x", handle + "x", handle[:len(handle)-1], strings.ToUpper(handle), ""} {
			g.send(http.MethodPost, withSession(rev, made), ping).wantError(t, 404, -32001)
		}
		twice := withSession(rev, handle)
		twice["Mcp-Session-Id"] = []string{handle, handle}
		g.send(http.MethodPost, twice, ping).wantError(t, 400, -32020)
	}
}

func TestHandlesOfOnePurposeAreNoneOfAnother(t *testing.T) {
	g := newRig(t, nil)
	session := g.initialize(t, "2025-11-25", "upstream-session-1")
	g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
	before := len(g.received())
	g.post("2025-11-25", "tools/list", `{"cursor":"`+session+`"}`).wantError(t, 200, -32602)
	g.post("2025-11-25", "tools/call", `{"name":"echo","requestState":"`+session+`"}`).wantError(t, 200, -32602)
	h := withSession("2025-11-25", session)
	h.Set("Last-Event-Id", session)
	g.send(http.MethodGet, h, "").wantError(t, 400, -32602)
	if n := len(g.received()) - before; n != 0 {
		t.Errorf("%d requests went on", n)
	}
}

func TestALostSessionReachesTheClientAsOne(t *testing.T) {
	g := newRig(t, nil)
	handle := g.initialize(t, "2025-11-25", "upstream-session-1")
	for name, answer := range map[string]http.HandlerFunc{
		"text":          answerAs("text/plain", 404, "session not found"),
		"nothing":       answerAs("", 404, ""),
		"another code":  jsonAnswer(404, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}`),
		"as we do":      jsonAnswer(404, `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`),
		"not even JSON": jsonAnswer(404, `no`),
	} {
		t.Run(name, func(t *testing.T) {
			g.answers(answer)
			r := g.send(http.MethodPost, withSession("2025-11-25", handle), `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
			r.wantError(t, 404, -32001)
			g.send(http.MethodGet, withSession("2025-11-25", handle), "").wantError(t, 404, -32001)
			g.send(http.MethodDelete, withSession("2025-11-25", handle), "").wantError(t, 404, -32001)
		})
	}
}

func TestASessionKeepsItsHandleWhileTheServerRepeatsIt(t *testing.T) {
	g := newRig(t, nil)
	handle := g.initialize(t, "2025-11-25", "s-1-upstream")
	answer := func(session string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Mcp-Session-Id", session)
			sseAnswer("data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n", 1<<20)(w, r)
		}
	}
	const ping = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
	g.answers(answer("s-1-upstream"))
	if r := g.send(http.MethodPost, withSession("2025-11-25", handle), ping); r.header.Get("Mcp-Session-Id") != handle {
		t.Errorf("the same session came back as %q", r.header.Get("Mcp-Session-Id"))
	}
	g.answers(answer("s-2"))
	if r := g.send(http.MethodPost, withSession("2025-11-25", handle), ping); r.header.Get("Mcp-Session-Id") == handle || r.header.Get("Mcp-Session-Id") == "s-2" {
		t.Errorf("another session came back as %q", r.header.Get("Mcp-Session-Id"))
	}
	g.answers(answer("not\u00a0ascii"))
	if r := g.send(http.MethodPost, withSession("2025-11-25", handle), ping); r.status != 502 {
		t.Errorf("a session id that may not be: %d", r.status)
	}
}

func TestRevision20260728HasNoSessions(t *testing.T) {
	g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", "s")
		jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`)(w, r)
	})
	h := honestCall("2026-07-28")
	h.Set("Mcp-Session-Id", "made up")
	r := g.send(http.MethodPost, h, message("2026-07-28", "1", "tools/call", `{"name":"echo"}`))
	if got := g.received()[0].header["Mcp-Session-Id"]; r.status != 200 || r.header.Get("Mcp-Session-Id") != "" || got != nil {
		t.Errorf("answered %d with session %q, upstream got %q", r.status, r.header.Get("Mcp-Session-Id"), got)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if r := g.send(method, http.Header{"Mcp-Protocol-Version": {"2026-07-28"}}, ""); r.status != 405 || r.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d %v", method, r.status, r.header)
		}
	}
}

func TestCursorsAreSealedAndOpened(t *testing.T) {
	for _, rev := range allRevisions {
		g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"after \"hidden_vault\" \\ é"}}`))
		r := g.post(rev, "tools/list", `{}`)
		noLeak(t, r)
		_, rest, _ := strings.Cut(r.body, `"nextCursor":"`)
		handle, _, _ := strings.Cut(rest, `"`)
		if handle == "" {
			t.Fatalf("no cursor in %s", r.body)
		}
		// The rest of the request goes on byte for byte.
		h := headersFor(rev, "tools/list", "{}")
		body := strings.Replace(message(rev, "1", "tools/list", `{"n":9007199254740993,"cursor":"`+handle+`","z":1}`), `"cursor":`, `"cursor" : `, 1)
		if r := g.send(http.MethodPost, h, body); r.status != 200 {
			t.Fatalf("%s: %d %s", rev, r.status, r.body)
		}
		got := string(g.received()[1].body)
		if want := strings.Replace(body, `"`+handle+`"`, `"after \"hidden_vault\" \\ é"`, 1); got != want {
			t.Errorf("%s: went on as %s", rev, got)
		}
		g.subject.Store(&policy.Subject{ID: "workos:bob", Roles: []string{"member"}})
		g.post(rev, "tools/list", `{"cursor":"`+handle+`"}`).wantError(t, 200, -32602)
		if n := len(g.received()); n != 2 {
			t.Errorf("%s: %d requests went on", rev, n)
		}
	}
}

func TestTheEmptyCursorIsNoHandle(t *testing.T) {
	g := newRig(t, jsonAnswer(200, tools("")))
	for i, rev := range allRevisions {
		body := message(rev, "1", "tools/list", `{"cursor":""}`)
		r := g.send(http.MethodPost, headersFor(rev, "tools/list", "{}"), body)
		if got := g.received(); r.status != 200 || len(got) != i+1 || string(got[i].body) != body {
			t.Errorf("%s: %d %s", rev, r.status, r.body)
		}
	}
}

func TestRequestStateIsSealedAndOpened(t *testing.T) {
	const rev = "2026-07-28"
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{},"requestState":"state-1"}}`))
	r := g.post(rev, "tools/call", `{"name":"echo"}`)
	_, rest, _ := strings.Cut(r.body, `"requestState":"`)
	handle, _, _ := strings.Cut(rest, `"`)
	if handle == "" || strings.Contains(r.body, "state-1") {
		t.Fatalf("got %s", r.body)
	}
	g.post(rev, "tools/call", `{"name":"echo","requestState":"`+handle+`","inputResponses":{}}`)
	if got := string(g.received()[1].body); !strings.Contains(got, `"requestState":"state-1"`) {
		t.Errorf("went on as %s", got)
	}
}

func TestAStreamIsResumedByItsOwnReaderAlone(t *testing.T) {
	const rev = "2025-11-25"
	g := newRig(t, nil)
	session := g.initialize(t, rev, "upstream-session-1")
	g.answers(sseAnswer("id: event-1\ndata: \n\nid: event-2\nretry: 10\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n", 1<<20))
	r := g.post(rev, "ping", `{}`)
	lines := strings.Split(r.body, "\n")
	if len(lines) < 6 || !strings.HasPrefix(lines[0], "id: ") || strings.Contains(r.body, "event-1") || lines[1] != "data: " || lines[4] != "retry: 10" {
		t.Fatalf("got %q", r.body)
	}
	h := withSession(rev, session)
	h.Set("Last-Event-Id", strings.TrimPrefix(lines[0], "id: "))
	g.answers(sseAnswer("data: "+tools(`{"name":"hidden_vault"},`+shownTool)+"\n\n", 3))
	r = g.send(http.MethodGet, h, "")
	noLeak(t, r)
	wantShown(t, r, shownTool)
	if got := g.received()[2].header; got.Get("Last-Event-Id") != "event-1" || got.Get("Mcp-Session-Id") != "upstream-session-1" {
		t.Errorf("went on with %v", got)
	}
	h.Set("Last-Event-Id", "event-1")
	g.send(http.MethodGet, h, "").wantError(t, 400, -32602)
}

func TestWithoutASealerNothingIsHandedOut(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"secret-cursor"}}`), func(c *Config) {
		c.Sealer = func() (*seal.Sealer, error) { return nil, errors.New("the store is away") }
	})
	r := g.post("2025-11-25", "tools/list", `{}`)
	r.wantError(t, 502, -32603)
	if strings.Contains(r.body, "secret-cursor") || strings.Contains(r.body, "store") {
		t.Errorf("answered %s", r.body)
	}
	g.send(http.MethodPost, withSession("2025-11-25", "x"), `{"jsonrpc":"2.0","id":2,"method":"ping"}`).wantError(t, 503, -32603)
	if r := g.post("2025-11-25", "tools/call", `{"name":"echo"}`); r.status != 502 {
		t.Errorf("a call: %d", r.status)
	}
}

func TestAnswersOfTheClientNeedASession(t *testing.T) {
	g := newRig(t, nil)
	handle := g.initialize(t, "2025-11-25", "upstream-session-1")
	g.answers(answerAs("", 202, ""))
	for _, body := range []string{`{"jsonrpc":"2.0","id":5,"result":{"action":"accept"}}`, `{"jsonrpc":"2.0","id":5,"error":{"code":-1,"message":"no"}}`} {
		if r := g.send(http.MethodPost, withSession("2025-11-25", handle), body); r.status != 202 || r.body != "" {
			t.Errorf("with a session: %d %s", r.status, r.body)
		}
		if got := string(g.received()[len(g.received())-1].body); got != body {
			t.Errorf("went on as %s", got)
		}
		before := len(g.received())
		g.send(http.MethodPost, headersFor("2025-11-25", "", ""), body).wantError(t, 400, -32600)
		modern := http.Header{"Content-Type": {"application/json"}, "Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Session-Id": {handle}}
		g.send(http.MethodPost, modern, body).wantError(t, 400, -32600)
		if n := len(g.received()); n != before {
			t.Errorf("%d went on", n-before)
		}
	}
}

func TestNotificationsGoOnAndAreNotAnswered(t *testing.T) {
	g := newRig(t, answerAs("text/plain", 200, "Accepted"))
	for _, body := range []string{
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`,
	} {
		if r := g.send(http.MethodPost, honestLegacy(), body); r.status != 202 || r.body != "" {
			t.Errorf("%s: %d %q", body, r.status, r.body)
		}
	}
	if n := len(g.received()); n != 4 {
		t.Errorf("%d went on", n)
	}
	g.send(http.MethodPost, honestLegacy(), `{"jsonrpc":"2.0","method":"notifications/other"}`).wantError(t, 400, -32601)
	g.send(http.MethodPost, honestLegacy(), `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`).wantError(t, 400, -32601)
	if n := len(g.received()); n != 4 {
		t.Errorf("%d went on", n)
	}
}

func TestOnlyTheMethodsOfTheTransportAreTaken(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{}`))
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodHead, "TRACE", "PURGE"} {
		if r := g.send(method, nil, ""); r.status != 405 || r.header.Get("Allow") != "GET, POST, DELETE" {
			t.Errorf("%s: %d %v", method, r.status, r.header)
		}
	}
	if r := g.send(http.MethodDelete, nil, ""); r.status != 400 {
		t.Errorf("DELETE without a session: %d", r.status)
	}
	h := honestLegacy()
	for _, k := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "Range", "If-None-Match", "Expect"} {
		h.Set(k, "DELETE")
	}
	h.Del("Expect")
	g.send(http.MethodPost, h, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	for k := range g.received()[0].header {
		if strings.HasPrefix(k, "X-") || k == "Range" || k == "If-None-Match" {
			t.Errorf("%s went on", k)
		}
	}
}

// TestAHandleIsItsHoldersAlsoWhenTheirGrantEndsMeanwhile has two callers whose grants end while their requests are judged:
// what one is handed then is nothing to the other.
func TestAHandleIsItsHoldersAlsoWhenTheirGrantEndsMeanwhile(t *testing.T) {
	g, c := fuzzGuard(t)
	ends := func(id string) Caller {
		asked := 0
		c.Subject = func() *policy.Subject {
			if asked++; asked > 1 {
				return nil
			}
			return &policy.Subject{ID: id, Roles: []string{"member"}}
		}
		return c
	}
	_, w, _ := answeredBy(g, ends("workos:alice"), written(typeJSON, `{"jsonrpc":"2.0","id":7,"result":{"tools":[],"nextCursor":"page 2"}}`))
	var answer struct{ Result struct{ NextCursor string } }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Result.NextCursor == "" {
		t.Fatalf("%v, %s", err, w.Body)
	}
	params := `{"cursor":"` + answer.Result.NextCursor + `"}`
	for id, own := range map[string]bool{"workos:bob": false, "workos:alice": true} {
		on, _ := pass(g, ends(id), headersFor("2025-11-25", "tools/list", params), []byte(message("2025-11-25", "1", "tools/list", params)))
		if (len(on) > 0) != own {
			t.Errorf("%s: goes on %v, want %v", id, !own, own)
		}
	}
}
