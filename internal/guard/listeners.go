package guard

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/sse"
)

// Bounds of HTTP+SSE.
const (
	maxListeners = 32 // streams open at once under one grant
	maxWaiting   = 16 // refusals that wait for a client to read its stream
)

// listener is an open stream of HTTP+SSE. Besides what the server sends, refusals of ours are written to it: a client of
// that transport reads answers nowhere else.
type listener struct {
	a       *answerWriter
	turn    chan struct{} // held, by filling it, by whoever writes
	waiting atomic.Int32
	closed  bool // read and written by whoever holds turn
}

func (l *listener) take() { l.turn <- struct{}{} }
func (l *listener) give() { <-l.turn }

// deliver sends a message of ours. It reports whether it was sent: the stream may have ended, and a client that does not
// read is not waited for beyond ctx.
func (l *listener) deliver(ctx context.Context, msg []byte) bool {
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
	if l.closed {
		return false
	}
	if _, err := l.a.x.w.Write(sse.Append(nil, sse.Event{Name: "message", Data: msg, HasData: true})); err != nil {
		return false
	}
	return l.a.control.Flush() == nil
}

// close keeps anything more from being sent. It returns when nothing is being sent.
func (l *listener) close() {
	l.take()
	l.closed = true
	l.give()
}

// listeners are the open streams of HTTP+SSE on this node, by the random text that is sealed into their endpoints. It is
// safe for concurrent use.
type listeners struct {
	mu     sync.Mutex
	open   map[string]*listener
	grants map[string]int // how many of them each grant has
}

// full reports whether a grant has as many streams as it may have.
func (s *listeners) full(grant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants[grant] >= maxListeners
}

// add adds a stream, unless the grant has as many as it may have.
func (s *listeners) add(key, grant string, l *listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grants[grant] >= maxListeners {
		return false
	}
	if s.open == nil {
		s.open, s.grants = make(map[string]*listener), make(map[string]int)
	}
	s.open[key] = l
	s.grants[grant]++
	return true
}

// find returns the stream, nil if it is not open on this node.
func (s *listeners) find(key string) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[key]
}

// remove takes the stream out that add has put in.
func (s *listeners) remove(key, grant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, key)
	if s.grants[grant]--; s.grants[grant] <= 0 {
		delete(s.grants, grant)
	}
}
