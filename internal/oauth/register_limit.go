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
)

// registerLimits counts registrations. Safe for concurrent use.
type registerLimits struct {
	perMinute int

	mu        sync.Mutex
	all       *rate.Limiter
	addresses limiters[netip.Prefix]
}

// newRegisterLimits makes limits of perMinute registrations for each address; negative means none at all.
func newRegisterLimits(perMinute int) *registerLimits {
	if perMinute == 0 {
		perMinute = defaultRegisterPerMinute
	}
	every := rate.Limit(float64(perMinute) / 60)
	return &registerLimits{
		perMinute: perMinute, all: rate.NewLimiter(every*registerAllFactor, registerBurst*registerAllFactor),
		addresses: limiters[netip.Prefix]{every: every, burst: registerBurst},
	}
}

// wait counts one registration and returns zero, or how long to wait before the next attempt.
func (l *registerLimits) wait(r *http.Request, now time.Time) time.Duration {
	if l.perMinute < 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return reserve(now, l.addresses.get(remotePrefix(r)), l.all)
}

// remotePrefix is whom a request is counted for: an IPv4 address, or the /64 that one subscriber has of IPv6. It is the
// address that the request has; what headers say counts for whoever hands the request in, who may know which to trust.
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
