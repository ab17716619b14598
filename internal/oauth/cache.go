package oauth

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// Bounds of what is remembered of tokens and grants. Only tokens that were found good are remembered, so that made-up ones push
// none out.
const (
	cacheShards      = 64
	grantsPerShard   = 256
	grantStateTTL    = 5 * time.Second
	grantStateReread = 3 * time.Second
)

// cache remembers which tokens were found good, and what their grants are like. Finding one takes a read lock of one shard.
type cache struct {
	seed   maphash.Seed
	tokens knownTokens[*cachedToken]
	grants [cacheShards]struct {
		sync.Mutex
		m map[string]*cachedGrant
	}
}

// cachedToken is a token whose signature and claims were found good. It does not change, but for last.
type cachedToken struct {
	token    string
	resource string
	clientID string
	grantID  string
	expires  time.Time
	grant    *cachedGrant
	// last is what the token last stood for, and for which state of its grant.
	last atomic.Pointer[cachedAccess]
}

// cachedAccess is an Access made of one state of a grant.
type cachedAccess struct {
	state  *grantState
	access *Access
}

// cachedGrant is a grant as it was last read. All tokens of the grant share it.
type cachedGrant struct {
	state atomic.Pointer[grantState] // nil: to be read
	used  atomic.Int64               // when it was last used, see use
	saved int64                      // the mark that was last kept; under the lock of the shard

	mu    sync.Mutex
	epoch uint64 // how often it was forgotten
}

// newCache makes an empty cache.
func newCache() *cache { return &cache{seed: maphash.MakeSeed()} }

// token finds a token.
func (c *cache) token(token string) *cachedToken {
	t := c.tokens.find(maphash.String(c.seed, token))
	if t == nil || t.token != token {
		return nil
	}
	return t
}

// put remembers a token.
func (c *cache) put(t *cachedToken, now time.Time) {
	c.tokens.put(maphash.String(c.seed, t.token), t, now)
}

// expired implements forgettable.
func (t *cachedToken) expired(now time.Time) bool { return !now.Before(t.expires) }

// grant finds or makes the place of a grant. A place that is pushed out is forgotten for good, so that no token can go on with it.
func (c *cache) grant(id string) *cachedGrant {
	shard := &c.grants[maphash.String(c.seed, id)%cacheShards]
	shard.Lock()
	defer shard.Unlock()
	if g := shard.m[id]; g != nil {
		return g
	}
	if shard.m == nil {
		shard.m = make(map[string]*cachedGrant)
	}
	if len(shard.m) >= grantsPerShard {
		for k, old := range shard.m {
			delete(shard.m, k)
			old.forget()
			break
		}
	}
	g := new(cachedGrant)
	shard.m[id] = g
	return g
}

// forget makes the next call on a grant read it anew.
func (c *cache) forget(id string) {
	shard := &c.grants[maphash.String(c.seed, id)%cacheShards]
	shard.Lock()
	g := shard.m[id]
	shard.Unlock()
	if g != nil {
		g.forget()
	}
}

// forgetPeople makes the next call on the grants of some people read them anew, and on those of whom nothing is known yet.
func (c *cache) forgetPeople(some func(*identity.Person) bool) {
	for i := range c.grants {
		shard := &c.grants[i]
		shard.Lock()
		for _, g := range shard.m {
			if st := g.state.Load(); st == nil || st.person != nil && some(st.person) {
				g.forget()
			}
		}
		shard.Unlock()
	}
}

// empty reports whether no grant is known.
func (c *cache) empty() bool {
	for i := range c.grants {
		shard := &c.grants[i]
		shard.Lock()
		known := len(shard.m)
		shard.Unlock()
		if known > 0 {
			return false
		}
	}
	return true
}

// forget drops the state, and keeps a reading under way from bringing back an older one.
func (g *cachedGrant) forget() {
	g.mu.Lock()
	g.epoch++
	g.state.Store(nil)
	g.mu.Unlock()
}

// now returns how often the grant was forgotten up to now.
func (g *cachedGrant) now() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.epoch
}

// keep keeps a state that was read since epoch, unless the grant was forgotten meanwhile; it says whether it did.
func (g *cachedGrant) keep(st *grantState, epoch uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.epoch != epoch {
		return false
	}
	g.state.Store(st)
	return true
}
