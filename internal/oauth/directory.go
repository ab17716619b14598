package oauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// Bounds of what is remembered of lookups.
const (
	maxLookups = 4096
	// deniedTTL is for how long somebody who was not let in is not asked about again.
	deniedTTL = 30 * time.Second
	// lookupTimeout bounds one lookup.
	lookupTimeout = 20 * time.Second
)

// lookupAges are how old an answer may be, and how old while the directory is down.
type lookupAges struct{ refresh, maxStale time.Duration }

// directory remembers what directories said of people whose tokens are from elsewhere. Safe for concurrent use.
type directory struct {
	mu    sync.Mutex
	known map[lookupKey]*lookup
	calls flights[*lookup]
}

// lookupKey is who was looked up, where, and for which organization.
type lookupKey struct{ provider, id, org string }

// lookup is what a directory said at one moment. It does not change.
type lookup struct {
	at     time.Time
	person *identity.Person
	denied error
}

// find returns who somebody is. The errors are those of identity.Directory.
func (d *directory) find(ctx context.Context, in identity.Directory, id, org string, ages lookupAges, now time.Time) (*identity.Person, error) {
	key := lookupKey{in.Name(), id, org}
	d.mu.Lock()
	last := d.known[key]
	d.mu.Unlock()
	if last != nil && last.fresh(ages.refresh, now) {
		return last.person, last.denied
	}
	call := d.calls.start(shortDigest(key.provider, key.id, key.org), func() (*lookup, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		person, err := in.Lookup(ctx, id, org)
		if err != nil && !errors.Is(err, identity.ErrDenied) {
			return nil, err
		}
		next := &lookup{at: now, person: person, denied: err}
		d.keep(key, next)
		return next, nil
	})
	select {
	case <-call.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if call.err == nil {
		return call.value.person, call.value.denied
	}
	// An outage is ridden out, as it is for our own grants.
	if last != nil && last.denied == nil && last.fresh(ages.maxStale, now) {
		return last.person, nil
	}
	return nil, call.err
}

// fresh reports whether an answer still counts.
func (l *lookup) fresh(refresh time.Duration, now time.Time) bool {
	if l.denied != nil {
		refresh = min(refresh, deniedTTL)
	}
	age := now.Sub(l.at)
	return age >= 0 && age < refresh
}

// keep remembers an answer. A full table loses any one.
func (d *directory) keep(key lookupKey, l *lookup) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = make(map[lookupKey]*lookup)
	}
	if _, has := d.known[key]; !has && len(d.known) >= maxLookups {
		for other := range d.known {
			delete(d.known, other)
			break
		}
	}
	d.known[key] = l
}
