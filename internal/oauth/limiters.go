package oauth

import (
	"time"

	"golang.org/x/time/rate"
)

// maxLimited is how many keys a table of limiters has room for.
const maxLimited = 4096

// limiters has a limiter for each key. The table has two halves, and the older one is dropped when the younger one is full: what
// is forgotten are the keys not seen for longest. Not safe for concurrent use.
type limiters[K comparable] struct {
	every rate.Limit
	burst int

	young, old map[K]*rate.Limiter
}

// find returns the limiter of a key, or nil if the key has none.
func (l *limiters[K]) find(key K) *rate.Limiter {
	if limiter := l.young[key]; limiter != nil {
		return limiter
	}
	return l.old[key]
}

// get finds or makes the limiter of a key.
func (l *limiters[K]) get(key K) *rate.Limiter {
	limiter := l.find(key)
	if l.young[key] != nil {
		return limiter
	}
	if limiter == nil {
		limiter = rate.NewLimiter(l.every, l.burst)
	}
	if l.young == nil || len(l.young) >= maxLimited/2 {
		l.old, l.young = l.young, make(map[K]*rate.Limiter)
	}
	l.young[key] = limiter
	return limiter
}

// reserve takes one of each limiter and returns zero, or takes none and returns how long to wait.
func reserve(now time.Time, limiters ...*rate.Limiter) time.Duration {
	taken := make([]*rate.Reservation, 0, len(limiters))
	for _, limiter := range limiters {
		res := limiter.ReserveN(now, 1)
		taken = append(taken, res)
		if delay := res.DelayFrom(now); delay > 0 {
			for _, res := range taken {
				res.CancelAt(now)
			}
			return delay
		}
	}
	return 0
}
