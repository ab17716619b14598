package local

import (
	"net/netip"
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	// nameBurst failed attempts are free for each name, then one every nameEvery.
	nameBurst = 10
	nameEvery = 20 * time.Second
	// originBurst failed attempts are free for each place they come from, whatever the names, then one every originEvery.
	originBurst = 100
	originEvery = 200 * time.Millisecond
	// allBurst failed attempts are free for everybody together, then one every allEvery: ten places' worth, so that no single
	// one can lock the others out.
	allBurst = 10 * originBurst
	allEvery = originEvery / 10
	// maxBuckets bounds each table. It can't be filled by guessing: allEvery lets in fewer attempts than this in the time
	// after which a bucket is full again and forgotten.
	maxBuckets = 4096
)

// limits counts failed attempts.
type limits struct {
	now func() time.Time

	mu      sync.Mutex
	all     bucket
	origins table[netip.Prefix]
	names   table[string]
}

func newLimits(now func() time.Time) *limits {
	return &limits{
		now: now, all: bucket{every: allEvery, burst: allBurst},
		origins: table[netip.Prefix]{every: originEvery, burst: originBurst, m: make(map[netip.Prefix]*bucket)},
		names:   table[string]{every: nameEvery, burst: nameBurst, m: make(map[string]*bucket)},
	}
}

// allowed reports an *identity.RateLimited if an attempt would be refused now; it counts nothing.
func (l *limits) allowed(name string, origin netip.Prefix) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	wait := l.all.wait(now)
	if b, ok := l.origins.m[origin]; ok {
		wait = max(wait, b.wait(now))
	}
	if b, ok := l.names.m[name]; ok {
		wait = max(wait, b.wait(now))
	}
	return limited(wait)
}

// take counts an attempt, or refuses it with an *identity.RateLimited.
func (l *limits) take(name string, origin netip.Prefix) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	buckets := [...]*bucket{&l.all, l.origins.bucket(origin, now), l.names.bucket(name, now)}
	var wait time.Duration
	for _, b := range buckets {
		if b == nil {
			return limited(nameEvery)
		}
		wait = max(wait, b.wait(now))
	}
	if wait > 0 {
		return limited(wait)
	}
	for _, b := range buckets {
		b.add(now)
	}
	return nil
}

// giveBack uncounts an attempt that turned out to be good.
func (l *limits) giveBack(name string, origin netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.remove()
	if b, ok := l.origins.m[origin]; ok {
		b.remove()
	}
	if b, ok := l.names.m[name]; ok {
		b.remove()
	}
}

func limited(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	return &identity.RateLimited{RetryAfter: wait}
}

// table has a bucket for each key that has failed lately.
type table[K comparable] struct {
	every time.Duration
	burst int
	m     map[K]*bucket
}

// bucket finds or makes the bucket of a key. It is nil if the table is full.
func (t *table[K]) bucket(key K, now time.Time) *bucket {
	if b, ok := t.m[key]; ok {
		return b
	}
	if len(t.m) >= maxBuckets && !t.forget(now) {
		return nil
	}
	b := &bucket{every: t.every, burst: t.burst}
	t.m[key] = b
	return b
}

// forget drops the keys without failures and reports whether there is room now.
func (t *table[K]) forget(now time.Time) bool {
	for key, b := range t.m {
		if !b.until.After(now) {
			delete(t.m, key)
		}
	}
	return len(t.m) < maxBuckets
}

// bucket is a leaky bucket kept as one moment: when it will have run empty. Each attempt moves that moment on by every;
// an attempt is refused while the moment is more than burst attempts away.
type bucket struct {
	every time.Duration
	burst int
	until time.Time
}

// wait returns how long until there is room for one more.
func (b *bucket) wait(now time.Time) time.Duration {
	if !b.until.After(now) {
		return 0
	}
	return max(0, b.until.Sub(now)-time.Duration(b.burst-1)*b.every)
}

func (b *bucket) add(now time.Time) {
	if b.until.Before(now) {
		b.until = now
	}
	b.until = b.until.Add(b.every)
}

func (b *bucket) remove() { b.until = b.until.Add(-b.every) }
