package oauth

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The secret of a client that the operator set up may have been chosen by a person, and RFC 6749 section 2.3.1 asks for a limit on
// guessing. It holds for one client and one address, so that nobody can lock a client out from elsewhere.
const (
	secretBurst = 20
	secretEvery = 10 * time.Second
)

// secretLimits counts wrong client secrets. Safe for concurrent use.
type secretLimits struct {
	mu    sync.Mutex
	wrong limiters[secretGuess]
}

// secretGuess is whose secret is guessed, and where.
type secretGuess struct {
	client string
	from   netip.Prefix
}

// newSecretLimits makes the limits.
func newSecretLimits() *secretLimits {
	return &secretLimits{wrong: limiters[secretGuess]{every: rate.Every(secretEvery), burst: secretBurst}}
}

// wait takes the outcome of one attempt, and returns zero, or how long to wait before the next one. Whoever has to wait must not be
// told the outcome, a good one neither.
func (l *secretLimits) wait(r *http.Request, clientID string, right bool, now time.Time) time.Duration {
	key := secretGuess{clientID, remotePrefix(r)}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.wrong.find(key)
	if limiter == nil {
		if right {
			return 0
		}
		limiter = l.wrong.get(key)
	}
	res := limiter.ReserveN(now, 1)
	delay := res.DelayFrom(now)
	if right || delay > 0 {
		res.CancelAt(now)
	}
	return delay
}
