package caddymodule

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
)

const (
	// recheckInterval is how often open streams are compared with the grants they were opened under.
	recheckInterval = time.Second

	// recheckers is how many streams are compared at a time: one grant that is slow to read must not keep the others.
	recheckers = 16

	// maxJitter is the longest over which streams are ended when a server shuts down, so that thousands of clients
	// don't come back in one instant.
	maxJitter = 2 * time.Second

	// tellEvery is the time between two clients, on average, that are told that their lists changed: each of them asks for
	// its lists then. However many there are, all of them are told within maxJitter.
	tellEvery = 2 * time.Millisecond
)

// errStreamEnded is why a stream that the gateway ends itself ends.
var errStreamEnded = errors.New("the gateway ended the stream")

// streams are the long-lived answers that are open: GET streams and subscriptions. Calls are not among them; they finish
// by themselves.
type streams struct {
	mu       sync.Mutex
	open     map[*stream]struct{}
	draining bool // the servers are shutting down: what opens now ends at once
}

// stream is one long-lived answer.
type stream struct {
	live   *guard.Live
	alive  func() bool // whether the grant it was opened under still stands
	cancel context.CancelFunc
}

// streamKey is the key of a request's stream in its context.
type streamKey struct{}

// start opens a stream. The context it returns is cancelled when the gateway ends it; done must be called when it is over.
func (s *streams) start(ctx context.Context, live *guard.Live, alive func() bool) (_ context.Context, done func()) {
	st := &stream{live: live, alive: alive}
	ctx, st.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	if s.open == nil {
		s.open = make(map[*stream]struct{})
	}
	s.open[st] = struct{}{}
	draining := s.draining
	s.mu.Unlock()
	if draining {
		st.end()
	}
	return context.WithValue(ctx, streamKey{}, st), func() {
		s.mu.Lock()
		delete(s.open, st)
		s.mu.Unlock()
		st.cancel()
	}
}

// end ends the stream for good: what reads it from the MCP server sees its end, so that the answer to the client is
// finished in order and not torn.
func (st *stream) end() {
	st.live.End()
	st.cancel()
}

// snapshot returns the streams that are open. The caller holds the lock.
func (s *streams) snapshot() []*stream {
	all := make([]*stream, 0, len(s.open))
	for st := range s.open {
		all = append(all, st)
	}
	return all
}

// recheck ends the streams whose grants have ended, and has the clients told, on the others, whose lists may have
// changed: by another role, or by another policy.
func (s *streams) recheck() {
	s.mu.Lock()
	all := s.snapshot()
	s.mu.Unlock()
	var next, news atomic.Int64
	var busy sync.WaitGroup
	changed := make([]bool, len(all))
	for range min(recheckers, len(all)) {
		busy.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				switch st := all[i]; {
				case !st.alive():
					st.end()
				case st.live.Changed():
					changed[i] = true
					news.Add(1)
				}
			}
		})
	}
	busy.Wait()
	over := min(maxJitter, time.Duration(news.Load())*tellEvery)
	for i, st := range all {
		if changed[i] {
			time.AfterFunc(rand.N(over), st.live.Tell)
		}
	}
}

// drain ends every stream, spread over the given time, and those that are opened later at once. Doing it again changes
// nothing: each of a config's servers does it when it shuts down.
func (s *streams) drain(over time.Duration) {
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		return
	}
	s.draining = true
	all := s.snapshot()
	s.mu.Unlock()
	for _, st := range all {
		if over <= 0 {
			st.end()
			continue
		}
		time.AfterFunc(rand.N(over), st.end)
	}
}
