package caddystore

import (
	"context"
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// queue lets one goroutine at a time through for each name. The zero queue is ready. It holds nothing for
// names that nobody is at.
type queue struct {
	mu    sync.Mutex
	gates map[string]*gate
}

type gate struct {
	pass  chan struct{} // holds one element while someone is through
	users int           // through or waiting; guarded by queue.mu
}

// enter waits until nobody else is through for name, at most for patience. The error is ctx's, or ErrBusy.
func (q *queue) enter(ctx context.Context, name string, patience time.Duration) (leave func(), err error) {
	g := q.gate(name)
	leave = func() { <-g.pass; q.forget(name, g) }
	select {
	case g.pass <- struct{}{}:
		return leave, nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case g.pass <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = store.ErrBusy
	}
	q.forget(name, g)
	return nil, err
}

func (q *queue) gate(name string) *gate {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.gates[name]
	if g == nil {
		if q.gates == nil {
			q.gates = make(map[string]*gate)
		}
		g = &gate{pass: make(chan struct{}, 1)}
		q.gates[name] = g
	}
	g.users++
	return g
}

func (q *queue) forget(name string, g *gate) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if g.users--; g.users == 0 {
		delete(q.gates, name)
	}
}
