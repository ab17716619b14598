package oauth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Anybody can have us fetch a document by naming it as a client_id, and what can't be used is fetched each time it is named. Limits
// keep us from being turned against others: one for who asks, and one for everybody together, which no site would notice. A domain that
// the operator has listed has a share of its own, so that nobody can keep out its clients by naming others. Documents that
// were found to be good are not counted: whoever names many that don't exist keeps out none that is in use.
const (
	documentBurst     = 30
	documentEvery     = 2 * time.Second
	documentAllBurst  = 300
	documentAllPerSec = 20
)

// documentLimits counts the documents fetched. Safe for concurrent use.
type documentLimits struct {
	mu     sync.Mutex
	shares map[string]*rate.Limiter // by what is listed, and "" for all else
	from   limiters[netip.Prefix]
}

// newDocumentLimits makes the limits, with a share for each pattern of a list.
func newDocumentLimits(listed []string) *documentLimits {
	l := &documentLimits{
		shares: map[string]*rate.Limiter{"": rate.NewLimiter(documentAllPerSec, documentAllBurst)},
		from:   limiters[netip.Prefix]{every: rate.Every(documentEvery), burst: documentBurst},
	}
	for _, pattern := range listed {
		l.shares[pattern] = rate.NewLimiter(documentAllPerSec, documentAllBurst)
	}
	return l
}

// wait counts one document asked for by origin, and returns zero, or how long to wait before the next attempt.
func (l *documentLimits) wait(origin netip.Prefix, share string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return reserve(now, l.from.get(origin), l.shares[share])
}
