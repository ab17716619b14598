package oauth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Anybody can have us fetch a document by naming it as a client_id, and what can't be used is fetched each time it is named. Limits
// keep us from being turned against others: one for who asks, and one for everybody together, which no site would notice. There is
// none for a site: whoever uses it up would keep the clients of that site out. Documents that are known to be good are not counted.
const (
	documentBurst     = 30
	documentEvery     = 2 * time.Second
	documentAllBurst  = 300
	documentAllPerSec = 20
)

// documentLimits counts the documents fetched. Safe for concurrent use.
type documentLimits struct {
	mu   sync.Mutex
	all  *rate.Limiter
	from limiters[netip.Prefix]
}

// newDocumentLimits makes the limits.
func newDocumentLimits() *documentLimits {
	return &documentLimits{
		all:  rate.NewLimiter(documentAllPerSec, documentAllBurst),
		from: limiters[netip.Prefix]{every: rate.Every(documentEvery), burst: documentBurst},
	}
}

// wait counts one document asked for by origin, and returns zero, or how long to wait before the next attempt.
func (l *documentLimits) wait(origin netip.Prefix, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return reserve(now, l.from.get(origin), l.all)
}
