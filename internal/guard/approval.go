package guard

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// DefaultApprovalTimeout is how long a request waits for a person where Config does not say: less than the minute after which
// many clients give a request up, so that they read why.
const DefaultApprovalTimeout = 50 * time.Second

// Times of a request that waits for a person.
const (
	// recheckApproval is how often it looks whether somebody answered on another node, and whether it may still wait.
	recheckApproval = time.Second
	// keepAlive is how often its client hears of it.
	keepAlive = 10 * time.Second
)

// Approver brings uses before the people who have to approve them. It is asked about no others. Its methods are those of
// approval.Desk.
type Approver interface {
	Ask(ctx context.Context, c *approval.Call) (approval.Verdict, error)
	Wait(ctx context.Context, c *approval.Call, atMost time.Duration) error
	Expire(c *approval.Call)
	Hold(grant string) (released <-chan struct{}, done func(), ok bool)
	Page(c *approval.Call) string
}

// mustAsk reports whether a person has to approve what a message does. Where the policy is only observed, nobody is asked.
func (x *exchange) mustAsk(m *jsonrpc.Message, v *verdict) bool {
	if !v.ask || !used[m.Method] {
		return false
	}
	if _, observe := x.rights(); observe {
		v.observed = true
		return false
	}
	return true
}

// approve has a use that is about to go on wait until a person has approved it, where a rule says so. It says why it may not
// go on. While it waits it is judged again and again: what counts is the policy, the person's rights and the grant of the
// moment at which it goes on.
func (x *exchange) approve(m *jsonrpc.Message, v *verdict) *refusal {
	if !v.ask {
		return nil
	}
	call, refused := x.callOf(m, v)
	if refused != nil {
		return refused
	}
	w := waiting{x: x, m: m, v: v, call: call}
	defer w.end()
	for {
		if refused = w.ask(); refused != nil || w.over {
			return refused
		}
		if refused = w.wait(); refused != nil {
			return refused
		}
	}
}

// approved is approve for a message of a batch, which does not wait: its person is asked all the same.
func (x *exchange) approved(m *jsonrpc.Message, v *verdict) *refusal {
	if !v.ask {
		return nil
	}
	call, refused := x.callOf(m, v)
	if refused != nil {
		return refused
	}
	w := waiting{x: x, m: m, v: v, call: call}
	if refused = w.ask(); refused != nil || w.over {
		return refused
	}
	return w.unanswered()
}

// callOf is the call that a person is to approve, unless there is nobody.
func (x *exchange) callOf(m *jsonrpc.Message, v *verdict) (*approval.Call, *refusal) {
	s := x.subject()
	switch {
	case s == nil:
		return nil, x.ended()
	case x.g.cfg.Approver == nil, s.Machine, !x.caller.Person:
		return nil, notDone(v.kind, nobodyApproves(called(v.kind, v.name)), "a person has to approve it, and there is none")
	}
	call := &approval.Call{
		Grant: x.caller.Grant, Client: x.caller.Client, ClientName: s.Client.Name, Server: x.g.cfg.Server, Kind: v.kind.String(), Name: v.name,
		Args: m.Params.Arguments, Person: approval.Person{ID: s.ID, Email: s.Email, Org: s.Org, Roles: s.Roles}, RequestID: x.out.RequestID,
	}
	if x.elicited(m, v) == declined {
		return nil, notDone(v.kind, declinedHere(called(v.kind, v.name)), "the person's client declined")
	}
	return call, nil
}

// waiting is one request that waits for a person.
type waiting struct {
	x    *exchange
	m    *jsonrpc.Message
	v    *verdict
	call *approval.Call
	over bool // nothing needs to be waited for any more

	released <-chan struct{}
	done     func() // gives up the place among those that wait; nil if there is none
	ctx      context.Context
	cancel   context.CancelFunc
	until    time.Time
	heard    time.Time // when the client last heard of it
	signals  int
}

// ask judges the request again, and asks what its person has said.
func (w *waiting) ask() *refusal {
	x, v := w.x, w.v
	now := x.decide(w.m, methods[w.m.Method].target)
	if now.refusal != nil {
		if x.subject() == nil {
			return x.ended()
		}
		v.rule = now.rule
		return now.refusal
	}
	mustAsk := x.mustAsk(w.m, &now)
	v.rule, v.limit, v.observed = now.rule, now.limit, now.observed
	if !mustAsk {
		w.over = true
		return nil
	}
	what := called(v.kind, v.name)
	verdict, err := x.g.cfg.Approver.Ask(x.r.Context(), w.call)
	switch {
	case err != nil && x.r.Context().Err() != nil:
		return w.left()
	case errors.Is(err, approval.ErrTooLong):
		return notDone(v.kind, tooLongToShow(what), "its arguments are too long to be shown to who has to approve them")
	case err != nil:
		return x.unavailable(http.StatusServiceUnavailable, "what has to be approved could not be kept: "+err.Error())
	case verdict == approval.Approved:
		w.over = true
	case verdict == approval.Denied:
		return notDone(v.kind, deniedByPerson(what), "the person has denied it")
	case verdict == approval.Crowded:
		return notDone(v.kind, tooManyWait(what, x.g.cfg.Approver.Page(w.call)), "too many calls wait for approval")
	}
	return nil
}

// wait waits for a moment, or says why the request does not wait any longer.
func (w *waiting) wait() *refusal {
	x := w.x
	if w.done == nil {
		if refused := w.begin(); refused != nil {
			return refused
		}
	}
	now := time.Now()
	if w.heard.Add(keepAlive).Before(now) {
		w.signal(now)
	}
	left := w.until.Sub(now)
	if left <= 0 {
		x.g.cfg.Approver.Expire(w.call)
		return w.unanswered()
	}
	err := x.g.cfg.Approver.Wait(w.ctx, w.call, min(left, recheckApproval))
	x.out.Waited += time.Since(now)
	select {
	case <-w.released:
		return w.unanswered()
	default:
	}
	switch {
	case x.r.Context().Err() != nil:
		return w.left()
	case w.ctx.Err() != nil:
		return notDone(w.v.kind, declinedHere(called(w.v.kind, w.v.name)), "the client has cancelled it, or its person has declined")
	case err != nil:
		return x.unavailable(http.StatusServiceUnavailable, "a call can't wait: "+err.Error())
	}
	return nil
}

// begin has the client keep the request open, or sends its person to the page by the protocol's own means and has the client
// come back.
func (w *waiting) begin() *refusal {
	x := w.x
	page := x.g.cfg.Approver.Page(w.call)
	if x.rev.eras() == modern && x.offersURLs(w.m) && x.elicited(w.m, nil) == notAsked {
		return inputRequired(w.v, page)
	}
	var ok bool
	if w.released, w.done, ok = x.g.cfg.Approver.Hold(x.caller.Grant); !ok {
		w.done = nil
		if x.urls {
			return urlRequired(w.v, w.call, page)
		}
		return w.unanswered()
	}
	w.until = time.Now().Add(x.g.cfg.ApprovalTimeout)
	w.ctx, w.cancel = context.WithCancel(x.r.Context())
	x.g.waits.enter(x.waitKey(w.m.ID), w.cancel)
	if x.readsStreams() {
		x.hold()
		if x.urls {
			x.g.waits.enter(x.waitKey(elicitID(w.call)), w.cancel)
			x.held.message(elicit(w.v, w.call, page))
		}
	}
	w.signal(time.Now())
	return nil
}

// signal tells the client that its request is still waited for.
func (w *waiting) signal(now time.Time) {
	w.heard = now
	if w.x.held == nil {
		return
	}
	if msg := progressOf(w.m, w.signals, waitsFor(called(w.v.kind, w.v.name), w.x.g.cfg.Approver.Page(w.call))); msg != nil {
		w.x.held.message(msg)
	} else {
		w.x.held.comment()
	}
	w.signals++
}

// end gives up what the waiting took.
func (w *waiting) end() {
	if w.done == nil {
		return
	}
	w.done()
	w.cancel()
	w.x.g.waits.leave(w.x.waitKey(w.m.ID))
	if w.x.held != nil && w.x.urls {
		w.x.g.waits.leave(w.x.waitKey(elicitID(w.call)))
		w.x.held.message(elicitComplete(w.call))
	}
}

// unanswered refuses a call that nobody has approved yet.
func (w *waiting) unanswered() *refusal {
	return notDone(w.v.kind, notApprovedYet(called(w.v.kind, w.v.name), w.x.g.cfg.Approver.Page(w.call)), "nobody has approved it yet")
}

// left is for the log alone: its client has gone.
func (w *waiting) left() *refusal {
	return &refusal{status: statusClosed, code: jsonrpc.CodeInternal, message: "The client left", decision: Deny, reason: "the client left before a person had answered"}
}

// ended refuses a caller whose grant has ended meanwhile.
func (x *exchange) ended() *refusal {
	return x.unavailable(http.StatusServiceUnavailable, "the caller's grant has ended")
}

// progressOf makes a message that says that a request makes progress, if it asked for such (revision 2025-11-25, "Progress"):
// some clients wait as long as they hear of it. The numbers are so small that those of the server are larger.
func progressOf(m *jsonrpc.Message, n int, text string) []byte {
	start, end := memberOf(m.Params.Meta, 0, "progressToken")
	if start == end {
		return nil
	}
	token := m.Params.Meta[start:end]
	if token[0] != '"' && token[0] != '-' && (token[0] < '0' || token[0] > '9') {
		return nil
	}
	b := append([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`), token...)
	b = append(append(b, `,"progress":`...), progressNumber(n)...)
	return append(jsonrpc.AppendString(append(b, `,"message":`...), text), "}}"...)
}

// progressNumber writes a number that grows with n.
func progressNumber(n int) []byte { return strconv.AppendFloat(nil, float64(n+1)/1e6, 'f', -1, 64) }
