package oauth

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Registration is open to everybody, so it has two limits: one for each address, which no client that behaves will meet, and one for
// all of them, which bounds what the store can be filled with until unused clients expire.
const (
	defaultRegisterPerMinute = 60
	registerBurst            = 200
	registerAllFactor        = 10
	maxLimitedAddresses      = 4096
)

// registerLimits counts registrations. Safe for concurrent use.
type registerLimits struct {
	perMinute int

	mu    sync.Mutex
	all   *rate.Limiter
	young map[netip.Prefix]*rate.Limiter
	old   map[netip.Prefix]*rate.Limiter
}

// newRegisterLimits makes limits of perMinute registrations for each address; negative means none at all.
func newRegisterLimits(perMinute int) *registerLimits {
	if perMinute == 0 {
		perMinute = defaultRegisterPerMinute
	}
	every := rate.Limit(float64(perMinute*registerAllFactor) / 60)
	return &registerLimits{
		perMinute: perMinute, all: rate.NewLimiter(every, registerBurst*registerAllFactor), young: make(map[netip.Prefix]*rate.Limiter),
	}
}

// wait counts one registration and returns zero, or how long to wait before the next attempt.
func (l *registerLimits) wait(r *http.Request, now time.Time) time.Duration {
	if l.perMinute < 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, limiter := range []*rate.Limiter{l.address(remotePrefix(r)), l.all} {
		res := limiter.ReserveN(now, 1)
		if delay := res.DelayFrom(now); delay > 0 {
			res.CancelAt(now)
			return delay
		}
	}
	return 0
}

// address returns the limiter of one address. The table has two halves, and the older one is dropped when the younger one is
// full: what is forgotten are the addresses not seen for longest. The caller holds the lock.
func (l *registerLimits) address(p netip.Prefix) *rate.Limiter {
	if limiter := l.young[p]; limiter != nil {
		return limiter
	}
	limiter := l.old[p]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), registerBurst)
	}
	if len(l.young) >= maxLimitedAddresses/2 {
		l.old, l.young = l.young, make(map[netip.Prefix]*rate.Limiter)
	}
	l.young[p] = limiter
	return limiter
}

// remotePrefix is whom a request is counted for: an IPv4 address, or the /64 that one subscriber has of IPv6. It is the
// address of the connection; what headers say is anybody's word.
func remotePrefix(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
