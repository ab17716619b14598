package guard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// askPolicy has alice approve what echo does.
const askPolicy = `everyone: {allow: [{tools: [echo, free], prompts: [letter], resources: ["docs://**"]}], ask: [{tools: [echo], prompts: [letter], resources: ["docs://secret/**"]}]}`

// asked is a rig whose calls of echo have to be approved.
type asked struct {
	*rig
	desk  *approval.Desk
	trail recorded
}

// recorded notes what is recorded.
type recorded struct {
	mu  sync.Mutex
	all []string
}

func (s *recorded) Record(r *audit.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r.Event)
}

func (s *recorded) has(event string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		if e == event {
			return true
		}
	}
	return false
}

const echoed = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"echoed"}]}}`

func newAsked(t *testing.T, edit ...func(*Config)) *asked {
	a := new(asked)
	a.desk = approval.New(approval.Config{
		Store: storetest.NewMemory(time.Now), Now: time.Now, Audit: &a.trail,
		Sealer: func(context.Context) (*seal.Sealer, error) { return testSealer, nil },
		Page:   func(id string) string { return "https://mcp.example.com/approve?call=" + id },
	})
	a.rig = newRig(t, jsonAnswer(200, echoed), append([]func(*Config){func(c *Config) {
		c.Approver, c.ApprovalTimeout = a.desk, time.Minute
	}}, edit...)...)
	a.policy.Store(compile(t, askPolicy))
	a.person = true
	return a
}

// decide waits until a call of alice's waits, and answers it.
func (a *asked) decide(answer approval.Answer) {
	a.t.Helper()
	for range time.Tick(time.Millisecond) {
		if a.t.Context().Err() != nil {
			return
		}
		waiting, _, err := a.desk.Of(a.t.Context(), "workos:alice")
		if err != nil {
			a.t.Error(err)
			return
		}
		if len(waiting) > 0 {
			if _, err := a.desk.Decide(a.t.Context(), approval.Person{ID: "workos:alice"}, "", waiting[0].ID, answer); err != nil {
				a.t.Error(err)
			}
			return
		}
	}
}

// sentence is what a model reads of a call that was not made.
func (r reply) sentence(t *testing.T) string {
	t.Helper()
	text := r.body
	if all := events(r.body); len(all) > 0 {
		text = all[len(all)-1]
	}
	var m struct {
		Result struct {
			Content    []struct{ Text string }
			IsError    bool
			ResultType string
		}
		Error *struct{ Message string }
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	if m.Error != nil {
		return m.Error.Message
	}
	if len(m.Result.Content) != 1 || !m.Result.IsError {
		t.Fatalf("not a refusal: %s", r.body)
	}
	return m.Result.Content[0].Text
}

// TestACallWaitsUntilItIsApproved holds the call open as a stream, and goes on at once.
func TestACallWaitsUntilItIsApproved(t *testing.T) {
	for _, rev := range allRevisions {
		for name, answer := range map[string]http.HandlerFunc{"JSON": jsonAnswer(200, echoed), "a stream": sseAnswer("data: "+echoed+"\n\n", 7)} {
			t.Run(rev+" "+name, func(t *testing.T) {
				a := newAsked(t)
				a.answers(answer)
				go a.decide(approval.Once)
				r := a.post(rev, "tools/call", `{"name":"echo","arguments":{"text":"hi"},"_meta2":1}`)
				got := events(r.body)
				if r.status != 200 || r.header.Get("Content-Type") != "text/event-stream" || len(got) != 1 || got[0] != echoed {
					t.Errorf("%d %v %q", r.status, r.header, r.body)
				}
				if o := a.last(); o.Decision != Allow || o.Status != 200 || o.Waited <= 0 {
					t.Errorf("%+v", o)
				}
			})
		}
	}
}

func TestAClientThatReadsNoStreamsWaitsAsWell(t *testing.T) {
	a := newAsked(t)
	h := headersFor("2025-06-18", "tools/call", `{}`)
	h.Set("Accept", "application/json")
	go a.decide(approval.Once)
	if r := a.send(http.MethodPost, h, message("2025-06-18", "1", "tools/call", `{"name":"echo"}`)); r.status != 200 || r.body != echoed {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestADeniedCallIsNotMade(t *testing.T) {
	for _, rev := range allRevisions {
		a := newAsked(t)
		go a.decide(approval.Deny)
		r := a.post(rev, "tools/call", `{"name":"echo"}`)
		if got := r.sentence(t); got != "Not done: the person was asked to approve this use of the tool echo, and denied it. Trying again will not help." {
			t.Errorf("%s: %s", rev, got)
		}
		if isModern(rev) != strings.Contains(r.body, `"resultType":"complete"`) {
			t.Errorf("%s: %s", rev, r.body)
		}
		if o := a.last(); o.Decision != Deny || o.Name != "echo" || len(a.received()) != 0 {
			t.Errorf("%+v", o)
		}
	}
}

// TestAnApprovalThatCameTooLateIsGoodForTheNextCall names the page when time runs out.
func TestAnApprovalThatCameTooLateIsGoodForTheNextCall(t *testing.T) {
	a := newAsked(t, func(c *Config) { c.ApprovalTimeout = time.Millisecond })
	call := `{"name":"echo","arguments":{"text":"hi"}}`
	got := a.post("2025-06-18", "tools/call", call).sentence(t)
	if !strings.HasPrefix(got, "Not done yet: a person has to approve this use of the tool echo") || !strings.Contains(got, "https://mcp.example.com/approve?call=") ||
		!strings.Contains(got, "the same arguments") {
		t.Errorf("%s", got)
	}
	if !a.trail.has("approval_expired") {
		t.Errorf("recorded %v", a.trail.all)
	}
	a.decide(approval.Once)
	if r := a.post("2025-06-18", "tools/call", `{"name":"echo","arguments":{"text":"other"}}`); !strings.Contains(r.body, "Not done yet") {
		t.Errorf("other arguments: %s", r.body)
	}
	if r := a.post("2025-06-18", "tools/call", call); r.body != echoed {
		t.Errorf("the same call: %s", r.body)
	}
	if r := a.post("2025-06-18", "tools/call", call); !strings.Contains(r.body, "Not done yet") {
		t.Errorf("once more: %s", r.body)
	}
	if n := len(a.received()); n != 1 {
		t.Errorf("%d calls were made", n)
	}
}

// TestWhatHappensWhileACallWaitsCounts changes the world under a call that waits.
func TestWhatHappensWhileACallWaitsCounts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *asked)
		want   string
	}{
		"the role is taken away":        {func(a *asked) { a.subject.Store(&policy.Subject{ID: "workos:alice", Machine: true}) }, "Unknown tool: echo"},
		"the policy denies it":          {func(a *asked) { a.policy.Store(compile(a.t, `everyone: {deny: [{tools: [echo]}]}`)) }, "Unknown tool: echo"},
		"the grant ends":                {func(a *asked) { a.subject.Store(nil) }, "The gateway could not handle the request (request id req-1)"},
		"it needs no approval any more": {func(a *asked) { a.policy.Store(compile(a.t, `everyone: {allow: [{tools: [echo]}]}`)) }, ""},
		"the process ends":              {func(a *asked) { a.desk.Release() }, "Not done yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAsked(t)
			go func() {
				for range time.Tick(time.Millisecond) {
					if all, _, err := a.desk.Of(t.Context(), "workos:alice"); len(all) > 0 || err != nil {
						break
					}
				}
				c.change(a)
			}()
			r := a.post("2025-06-18", "tools/call", `{"name":"echo"}`)
			if c.want == "" {
				if got := events(r.body); len(got) != 1 || got[0] != echoed {
					t.Errorf("%s", r.body)
				}
				return
			}
			if got := r.sentence(t); !strings.HasPrefix(got, c.want) || len(a.received()) != 0 {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestPromptsAndResourcesWaitAsWell(t *testing.T) {
	for _, c := range []struct{ method, params string }{
		{"prompts/get", `{"name":"letter","arguments":{"to":"bob"}}`}, {"resources/read", `{"uri":"docs://secret/a"}`},
	} {
		a := newAsked(t)
		go a.decide(approval.Deny)
		r := a.post("2025-06-18", c.method, c.params)
		var m struct{ Error struct{ Code int } }
		if got := events(r.body); len(got) != 1 || json.Unmarshal([]byte(got[0]), &m) != nil || m.Error.Code != -32600 {
			t.Errorf("%s: %s", c.method, r.body)
		}
		// What is no use of it does not wait.
		a.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
		if r := a.post("2025-06-18", "resources/subscribe", `{"uri":"docs://secret/a"}`); r.status != 200 || strings.Contains(r.body, "Not done") {
			t.Errorf("%s", r.body)
		}
	}
}

func TestWithoutAPersonNothingIsApproved(t *testing.T) {
	for name, change := range map[string]func(*asked){
		"a machine client": func(a *asked) {
			a.subject.Store(&policy.Subject{ID: "client:bot", Machine: true, Roles: []string{"bot"}})
		},
		"a person of elsewhere":   func(a *asked) { a.person = false },
		"a guard without a place": func(a *asked) { a.guard.cfg.Approver = nil },
	} {
		a := newAsked(t)
		a.policy.Store(compile(t, askPolicy+"\nroles: {bot: {allow: [{tools: [echo]}], ask: [{tools: [echo]}]}}"))
		change(a)
		r := a.post("2025-06-18", "tools/call", `{"name":"echo"}`)
		if got := r.sentence(t); !strings.Contains(got, "acts for none who can sign in here") || len(a.received()) != 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestABatchAsksAndDoesNotWait answers all of it at once, and has the person asked.
func TestABatchAsksAndDoesNotWait(t *testing.T) {
	a := newAsked(t)
	r := a.send(http.MethodPost, honestLegacy(), `[`+callEcho+`,`+callList+`]`)
	if r.status != 200 || !strings.Contains(r.body, "Not done yet") || !strings.Contains(r.body, "Not run: the batch") || len(a.received()) != 0 {
		t.Errorf("%d %s", r.status, r.body)
	}
	a.decide(approval.Once)
	a.answers(jsonAnswer(200, `[`+echoed+`]`))
	if r := a.send(http.MethodPost, honestLegacy(), `[`+callEcho+`]`); r.status != 200 || !strings.Contains(r.body, "echoed") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestWhereThePolicyIsObservedNobodyIsAsked(t *testing.T) {
	a := newAsked(t, func(c *Config) { c.Observe = true })
	if r := a.post("2025-06-18", "tools/call", `{"name":"echo"}`); r.body != echoed {
		t.Errorf("%s", r.body)
	}
	if o := a.last(); o.Decision != Observe || a.trail.has("approval_requested") {
		t.Errorf("%+v", o)
	}
}

// TestAClientHearsThatItsCallWaits keeps the connection alive, and tells of progress where that was asked for.
func TestAClientHearsThatItsCallWaits(t *testing.T) {
	a := newAsked(t)
	res := a.open(t.Context(), http.MethodPost, headersFor("2025-06-18", "tools/call", `{}`), message("2025-06-18", "1", "tools/call", `{"name":"echo","_meta":{"progressToken":"t"}}`))
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
	}
	if got := lines.Text(); !strings.Contains(got, `"notifications/progress","params":{"progressToken":"t","progress":0.000001,"message":"Waiting for a person to approve the use of the tool echo at https://`) {
		t.Errorf("%s", got)
	}
	a.decide(approval.Once)
	var rest strings.Builder
	for lines.Scan() {
		fmt.Fprintln(&rest, lines.Text())
	}
	if got := events(rest.String()); len(got) != 1 || got[0] != echoed {
		t.Errorf("%s", rest.String())
	}
}

// TestAClientThatCancelsOrLeavesDoesNotGoOn ends the waiting, and nothing is called, though it is approved then.
func TestAClientThatCancelsOrLeavesDoesNotGoOn(t *testing.T) {
	a := newAsked(t)
	ctx, leave := context.WithCancel(t.Context())
	res := a.open(ctx, http.MethodPost, headersFor("2025-06-18", "tools/call", `{}`), message("2025-06-18", "7", "tools/call", `{"name":"echo"}`))
	a.answers(answerAs("", 202, ""))
	a.send(http.MethodPost, headersFor("2025-06-18", "notifications/cancelled", `{}`), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	var all strings.Builder
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		fmt.Fprintln(&all, lines.Text())
	}
	if !strings.Contains(all.String(), "it was cancelled before they did") {
		t.Errorf("%s", all.String())
	}
	_ = res.Body.Close()
	res = a.open(ctx, http.MethodPost, headersFor("2025-06-18", "tools/call", `{}`), message("2025-06-18", "8", "tools/call", `{"name":"echo"}`))
	leave()
	_ = res.Body.Close()
	if o := a.last(); o.Reason != "the client left before a person had answered" {
		t.Errorf("%+v", o)
	}
	if got := a.received(); len(got) != 1 || !strings.Contains(string(got[0].body), "cancelled") {
		t.Errorf("%d requests went on", len(got))
	}
	if n := len(a.guard.waits.open); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestACallThatIsTooLongToShowIsNotApproved(t *testing.T) {
	a := newAsked(t)
	r := a.post("2025-11-25", "tools/call", `{"name":"echo","arguments":{"a":"`+strings.Repeat("x", 80<<10)+`"}}`)
	if got := r.sentence(t); r.status != http.StatusOK || !strings.Contains(got, "longer than what they can be shown") {
		t.Errorf("%d %q", r.status, got)
	}
	if n := len(a.received()); n != 0 || a.trail.has("approval_requested") {
		t.Errorf("%d calls went on", n)
	}
}
