package oauth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Anybody can be a client with keys, by a document of their own, and every assertion that is used is kept for up to an hour. These limits
// bound how much that is: one for a client, far above what all installations of a popular one need, and one for all.
const (
	assertionBurst        = 1000
	assertionPerSecond    = 20
	assertionAllBurst     = 10000
	assertionAllPerSecond = 100
)

// assertionLimits counts the assertions used. Safe for concurrent use.
type assertionLimits struct {
	mu      sync.Mutex
	all     *rate.Limiter
	clients limiters[string]
}

// newAssertionLimits makes the limits.
func newAssertionLimits() *assertionLimits {
	return &assertionLimits{
		all:     rate.NewLimiter(assertionAllPerSecond, assertionAllBurst),
		clients: limiters[string]{every: assertionPerSecond, burst: assertionBurst},
	}
}

// wait counts one assertion of a client and returns zero, or how long to wait before the next one.
func (l *assertionLimits) wait(clientID string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return reserve(now, l.clients.get(clientID), l.all)
}
