package guard

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/sse"
)

// maxWaiting is how many messages of ours may wait for a client to read its stream.
const maxWaiting = 16

// farewellTime is for how long a client can still read a stream that we end. Without a bound, one that does not read would
// keep the stream, and whoever waits for it to be over.
const farewellTime = 5 * time.Second

// Live is an answer that stays open for as long as the client likes: a GET stream, one of HTTP+SSE, or a subscription
// (revision 2026-07-28, subscriptions/listen). Besides what the server sends, messages of ours are written to it, always
// between two events, and never with an id: a stream is resumed after the last event that the server sent. The zero Live
// is one that has not begun. It is safe for concurrent use.
type Live struct {
	x       *exchange
	id      []byte // of the subscription, raw; nil if it is none
	kinds   lists  // of which the client wants to know that they changed
	ended   atomic.Bool
	ready   atomic.Bool // messages of ours may be sent
	telling atomic.Bool // Tell waits for its turn
	waiting atomic.Int32

	turn     chan struct{} // held, by filling it, by whoever writes
	closed   bool          // read and written by whoever holds turn
	ending   sync.Mutex    // held to change control, or to use it out of turn
	control  *http.ResponseController
	audience *audience
}

// subscribe makes the Live of a subscription.
func (x *exchange) subscribe(m *jsonrpc.Message) {
	x.hop = &Hop{Live: &Live{x: x, id: m.ID, kinds: wanted(&m.Params)}}
}

// Changed reports whether something in the lists that the client sees may have changed since it was last told, so that
// Tell is to be called. It does not wait for anything but the caller's Subject.
func (l *Live) Changed() bool {
	if !l.ready.Load() {
		return false
	}
	now, known := l.x.sights()
	return known && l.x.g.audiences.behind(l, now)
}

// Tell tells the client which of its lists may have changed, if any have. It waits while the client does not read.
func (l *Live) Tell() {
	if !l.ready.Load() || !l.telling.CompareAndSwap(false, true) {
		return
	}
	l.take()
	defer l.give()
	l.telling.Store(false)
	if l.closed || !l.ready.Load() {
		return
	}
	if told := l.news(nil); len(told) > 0 {
		_ = l.write(told) // fails only if the client is gone, which its context says, too
	}
}

// End says that the stream is ended by us, and not by the server: when what Next reads has come to its end, the client is
// told what Tell would tell it, and that it was its end.
// A client that does not read it is not waited for longer than farewellTime.
func (l *Live) End() {
	l.ended.Store(true)
	l.ending.Lock()
	defer l.ending.Unlock()
	l.hurry()
}

// hurry bounds how long the client is waited for, if the stream is open and is ended by us. The caller holds ending, and has
// not the turn: whoever has it may be writing at this moment, and be what is waited for.
func (l *Live) hurry() {
	if l.control != nil && l.Ended() {
		_ = innermost(l.x.w).SetWriteDeadline(time.Now().Add(l.x.g.farewell)) // fails only where there is no such bound
	}
}

// innermost controls the writer in w that net/http made. Its deadlines may be set while it is written to; those of what is
// around it, such as Caddy's own bound of idle writes, need not bear that.
func innermost(w http.ResponseWriter) *http.ResponseController {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return http.NewResponseController(w)
		}
		w = outer.Unwrap()
	}
}

// Ended reports whether End was called.
func (l *Live) Ended() bool { return l.ended.Load() }

func (l *Live) take() { l.turn <- struct{}{} }
func (l *Live) give() { <-l.turn }

// write sends events. The caller has the turn.
func (l *Live) write(events []byte) error {
	if _, err := l.x.w.Write(events); err != nil {
		return err
	}
	return l.control.Flush()
}

// deliver sends a message of ours. It reports whether it was sent: the stream may have ended, and a client that does not
// read is not waited for beyond ctx.
func (l *Live) deliver(ctx context.Context, msg []byte) bool {
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > maxWaiting {
		return false
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer l.give()
	return !l.closed && l.write(sse.Append(nil, sse.Event{Name: "message", Data: msg, HasData: true})) == nil
}

// open lets the stream be written to.
func (l *Live) open(a *answerWriter) {
	l.turn = make(chan struct{}, 1)
	l.ending.Lock()
	l.control = a.control
	l.hurry()
	l.ending.Unlock()
	session := ""
	if l.x.session != "" {
		session = l.x.claims.session.value
	}
	now, _ := l.x.sights()
	l.x.g.audiences.enter(l, session, now)
}

// close keeps anything more from being sent. It returns when nothing is being sent.
func (l *Live) close() {
	if l.turn == nil {
		return // it has never begun
	}
	l.take()
	l.closed = true
	l.give()
	l.ending.Lock()
	l.control = nil // it is of no use once the request is over
	l.ending.Unlock()
	l.x.g.audiences.leave(l)
}

// finish writes what comes last to a stream that we end.
func (l *Live) finish() error {
	l.take()
	defer l.give()
	last := l.farewell()
	l.closed = true
	if len(last) == 0 {
		return nil
	}
	return l.write(last)
}

// farewell returns what is written last to a stream that we end. A subscription gets its result, by which the client
// knows that nothing broke (revision 2026-07-28, "Subscriptions", "Graceful Closure"). The caller has the turn.
func (l *Live) farewell() []byte {
	if !l.ready.Load() {
		return nil // before its acknowledgement nothing may be on a subscription
	}
	last := l.news(nil)
	if l.id != nil {
		result := []byte(`{"resultType":"complete","_meta":{` + metaSubscription + `:` + string(l.id) + `}}`)
		last = sse.Append(last, sse.Event{Name: "message", Data: jsonrpc.AppendResult(nil, l.id, result), HasData: true})
	}
	return last
}
