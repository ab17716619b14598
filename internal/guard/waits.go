package guard

import (
	"context"
	"sync"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// waits are the requests that wait for a person on this node, by their caller and id, so that they can be cancelled. It is
// safe for concurrent use.
type waits struct {
	mu   sync.Mutex
	open map[string]context.CancelFunc
}

func (s *waits) enter(key string, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[string]context.CancelFunc)
	}
	s.open[key] = cancel
}

func (s *waits) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, key)
}

// cancel ends the waiting of a request, if it waits here.
func (s *waits) cancel(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.open[key]; cancel != nil {
		cancel()
	}
}

// waitKey names a request of this caller's, whose id is raw JSON.
func (x *exchange) waitKey(id []byte) string {
	return x.holder() + "\n" + x.session + "\n" + string(id)
}

// cancelled ends the waiting of the request that a client says it does not wait for any more (revision 2025-11-25,
// "Cancellation").
func (x *exchange) cancelled(m *jsonrpc.Message) {
	if start, end := memberOf(m.Params.Raw, 0, "requestId"); start < end {
		x.g.waits.cancel(x.waitKey(m.Params.Raw[start:end]))
	}
}
