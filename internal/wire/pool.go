package wire

import (
	"slices"
	"sync"
	"time"
)

// pool keeps connections while nothing is asked of their servers.
type pool struct {
	mu     sync.Mutex
	idle   map[string][]*conn // by host; the one used last is at the end, and is taken first
	sweeps *time.Timer        // runs while there are any
	closed bool
}

// take returns a connection that can be used, or nil.
func (p *pool) take(host string) *conn {
	for {
		p.mu.Lock()
		all := p.idle[host]
		if len(all) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := all[len(all)-1]
		all[len(all)-1] = nil
		p.idle[host] = all[:len(all)-1]
		p.mu.Unlock()
		if c.quiet() {
			return c
		}
		c.end()
	}
}

// put keeps a connection for the next request, unless there are enough.
func (p *pool) put(c *conn, most int, timeout time.Duration) {
	c.used, c.since = true, time.Now()
	p.mu.Lock()
	full := p.closed || len(p.idle[c.host]) >= most
	if !full {
		if p.idle == nil {
			p.idle = make(map[string][]*conn)
		}
		p.idle[c.host] = append(p.idle[c.host], c)
		if p.sweeps == nil && timeout > 0 {
			p.sweeps = time.AfterFunc(timeout, func() { p.sweep(timeout) })
		}
	}
	p.mu.Unlock()
	if full {
		c.end()
	}
}

// sweep ends the connections that have been kept long enough.
func (p *pool) sweep(timeout time.Duration) {
	var old []*conn
	p.mu.Lock()
	now := time.Now()
	for host, all := range p.idle {
		fresh := slices.IndexFunc(all, func(c *conn) bool { return now.Sub(c.since) < timeout })
		if fresh < 0 {
			fresh = len(all)
		}
		old = append(old, all[:fresh]...)
		if all = slices.Delete(all, 0, fresh); len(all) == 0 {
			delete(p.idle, host)
		} else {
			p.idle[host] = all
		}
	}
	if len(p.idle) == 0 || p.closed {
		p.sweeps = nil
	} else {
		p.sweeps.Reset(timeout)
	}
	p.mu.Unlock()
	for _, c := range old {
		c.end()
	}
}

// close ends all connections that are kept, and keeps no more.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.sweeps != nil {
		p.sweeps.Stop()
	}
	p.mu.Unlock()
	for _, all := range idle {
		for _, c := range all {
			c.end()
		}
	}
}
