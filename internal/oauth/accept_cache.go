package oauth

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// acceptedTTL is how long a signed token from elsewhere is taken for good without another look at it.
const acceptedTTL = 5 * time.Minute

// Of tokens that are of no use, an issuer is asked about this many for one address, then one in a while: whoever makes them up must
// not have us ask without end.
const (
	uselessBurst = 30
	uselessEvery = 2 * time.Second
)

// accepting is the check of tokens from elsewhere. Only good ones are remembered.
type accepting struct {
	seed    maphash.Seed
	tokens  knownTokens[*acceptedToken]
	checks  flights[*acceptedState]
	mu      sync.Mutex
	useless limiters[netip.Prefix]
}

// acceptedToken is a token that was found good at a resource. It does not change, but for state.
type acceptedToken struct {
	token, resource string
	via             *Accepted
	ages            acceptedAges
	state           atomic.Pointer[acceptedState]
}

// acceptedState is what came of a token when it was last checked.
type acceptedState struct {
	at     time.Time
	access *Access
	// until is when the roles have to be looked up again; zero if they come from the token.
	until time.Time
	// err is why a token that was good is so no more; access is what it was then. That is known for some seconds, so that whoever still
	// comes with it, as streams do that it opened, is no reason to ask its issuer again, nor counts as one who makes tokens up.
	err error
}

// newAccepting makes an empty one.
func newAccepting() *accepting {
	return &accepting{seed: maphash.MakeSeed(), useless: limiters[netip.Prefix]{every: rate.Every(uselessEvery), burst: uselessBurst}}
}

// wait returns how long an address has to wait before the issuer is asked about another token for it.
func (a *accepting) wait(r *http.Request, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter := a.useless.find(remotePrefix(r))
	if limiter == nil || limiter.TokensAt(now) >= 1 {
		return 0
	}
	return uselessEvery
}

// count notes that an address came with a token of no use.
func (a *accepting) count(r *http.Request, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.useless.get(remotePrefix(r)).AllowN(now, 1)
}

// hash is where a token at a resource is found.
func (a *accepting) hash(token, resource string) uint64 {
	return maphash.String(a.seed, token) ^ maphash.String(a.seed, resource)*31
}

// find finds a token that was found good at a resource.
func (a *accepting) find(token, resource string) *acceptedToken {
	t := a.tokens.find(a.hash(token, resource))
	if t == nil || t.token != token || t.resource != resource {
		return nil
	}
	return t
}

// put remembers a token.
func (a *accepting) put(t *acceptedToken, now time.Time) {
	a.tokens.put(a.hash(t.token, t.resource), t, now)
}

// expired implements forgettable.
func (t *acceptedToken) expired(now time.Time) bool {
	return !now.Before(t.state.Load().access.Expires)
}
