package local

import (
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	// nameBurst failed attempts are free for each name, then one every nameEvery.
	nameBurst = 10
	nameEvery = 20 * time.Second
	// allBurst failed attempts are free for all names together, then one every allEvery.
	allBurst = 100
	allEvery = 200 * time.Millisecond
	// maxBuckets bounds the table of names. It can't be filled by guessing: allEvery lets in fewer names than this in the
	// time after which a bucket is full again and forgotten.
	maxBuckets = 4096
)

// limits counts failed attempts.
type limits struct {
	now func() time.Time

	mu    sync.Mutex
	all   bucket
	names map[string]*bucket
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, all: bucket{every: allEvery, burst: allBurst}, names: make(map[string]*bucket)}
}

// allowed reports an *identity.RateLimited if an attempt would be refused now; it counts nothing.
func (l *limits) allowed(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.all.wait(l.now())
	if b, ok := l.names[name]; ok {
		wait = max(wait, b.wait(l.now()))
	}
	return limited(wait)
}

// take counts an attempt, or refuses it with an *identity.RateLimited.
func (l *limits) take(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, ok := l.names[name]
	if !ok {
		if len(l.names) >= maxBuckets && !l.forget(now) {
			return limited(nameEvery)
		}
		b = &bucket{every: nameEvery, burst: nameBurst}
		l.names[name] = b
	}
	if wait := max(l.all.wait(now), b.wait(now)); wait > 0 {
		return limited(wait)
	}
	l.all.add(now)
	b.add(now)
	return nil
}

// giveBack uncounts an attempt that turned out to be good.
func (l *limits) giveBack(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.remove()
	if b, ok := l.names[name]; ok {
		b.remove()
	}
}

// forget drops the names without failures and reports whether there is room now.
func (l *limits) forget(now time.Time) bool {
	for name, b := range l.names {
		if !b.until.After(now) {
			delete(l.names, name)
		}
	}
	return len(l.names) < maxBuckets
}

func limited(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	return &identity.RateLimited{RetryAfter: wait}
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
