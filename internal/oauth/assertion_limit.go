package oauth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Anybody can be a client with keys, by a document of their own, and every assertion that is used is kept for up to an hour. These limits
// bound how much that is: one for a client and one for an address, both far above what all the installations of a popular client need,
// and one for all. The operator's own clients are outside of them: nobody else signs with their keys, and nobody can keep them out.
const (
	assertionBurst         = 1000
	assertionPerSecond     = 20
	assertionFromBurst     = 500
	assertionFromPerSecond = 5
	assertionAllBurst      = 10000
	assertionAllPerSecond  = 100
)

// assertionLimits counts the assertions used. Safe for concurrent use.
type assertionLimits struct {
	mu      sync.Mutex
	all     *rate.Limiter
	clients limiters[string]
	from    limiters[netip.Prefix]
}

// newAssertionLimits makes the limits.
func newAssertionLimits() *assertionLimits {
	return &assertionLimits{
		all:     rate.NewLimiter(assertionAllPerSecond, assertionAllBurst),
		clients: limiters[string]{every: assertionPerSecond, burst: assertionBurst},
		from:    limiters[netip.Prefix]{every: assertionFromPerSecond, burst: assertionFromBurst},
	}
}

// wait counts one assertion of a client from origin and returns zero, or how long to wait before the next one.
func (l *assertionLimits) wait(clientID string, origin netip.Prefix, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return reserve(now, l.clients.get(clientID), l.from.get(origin), l.all)
}
