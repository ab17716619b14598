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
	news  *news // of people, which may come while a directory answers
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
	// retry is when a directory that could not answer since is asked again.
	retry time.Time
}

// find returns who somebody is, and until when that counts. The errors are those of identity.Directory.
func (d *directory) find(
	ctx context.Context, in identity.Directory, id, org string, ages lookupAges, now time.Time,
) (*identity.Person, time.Time, error) {
	key := lookupKey{in.Name(), id, org}
	d.mu.Lock()
	last := d.known[key]
	d.mu.Unlock()
	switch {
	case last == nil:
	case last.fresh(ages.refresh/5*4, now):
		return last.person, last.at.Add(ages.refresh), last.denied
	case last.fresh(ages.refresh, now):
		d.ask(ctx, in, key, ages.refresh, now) // for whoever comes later
		return last.person, last.at.Add(ages.refresh), last.denied
	case last.usable(ages.maxStale, now) && now.Before(last.retry):
		return last.person, last.standsIn(ages.maxStale), nil
	}
	usable := last != nil && last.usable(ages.maxStale, now)
	call := d.ask(ctx, in, key, ages.refresh, now)
	var timeout <-chan time.Time
	if usable {
		timer := time.NewTimer(defaultAskWait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-call.done:
		if call.err == nil {
			return call.value.person, call.value.at.Add(ages.refresh), call.value.denied
		}
		if !usable {
			return nil, time.Time{}, call.err
		}
	case <-timeout:
	case <-ctx.Done():
		return nil, time.Time{}, ctx.Err()
	}
	// An outage is ridden out, as it is for our own grants.
	next := d.putOff(key, last, now.Add(askRetry))
	return next.person, next.standsIn(ages.maxStale), nil
}

// putOff has the directory left alone until retry, if it has not answered meanwhile.
func (d *directory) putOff(key lookupKey, last *lookup, retry time.Time) *lookup {
	next := *last
	next.retry = retry
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[key] == last {
		d.known[key] = &next
	}
	return &next
}

// ask asks the directory, once for all who want to know.
func (d *directory) ask(
	ctx context.Context, in identity.Directory, key lookupKey, refresh time.Duration, now time.Time,
) *flight[*lookup] {
	return d.calls.start(shortDigest(key.provider, key.id, key.org), func() (*lookup, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		person, err := in.Lookup(ctx, key.id, key.org)
		if err != nil && !errors.Is(err, identity.ErrDenied) {
			return nil, err
		}
		next := &lookup{at: now, person: person, denied: err}
		d.keep(key, next, refresh)
		return next, nil
	})
}

// usable reports whether an answer may stand in for a directory that is down.
func (l *lookup) usable(maxStale time.Duration, now time.Time) bool {
	return l.denied == nil && l.fresh(maxStale, now)
}

// standsIn is until when an answer stands in for a directory that is down, without another look there.
func (l *lookup) standsIn(maxStale time.Duration) time.Time {
	if end := l.at.Add(maxStale); end.Before(l.retry) {
		return end
	}
	return l.retry
}

// fresh reports whether an answer still counts.
func (l *lookup) fresh(refresh time.Duration, now time.Time) bool {
	if l.denied != nil {
		refresh = min(refresh, deniedTTL)
	}
	age := now.Sub(l.at)
	return age >= 0 && age < refresh
}

// keep remembers an answer, doubted if there was news of the person since the question. A full table loses any one.
func (d *directory) keep(key lookupKey, l *lookup, refresh time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.person != nil && d.news.since(l.person, l.at) {
		l.at = l.at.Add(-refresh)
	}
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

// doubtPeople has some people looked up anew when they next come, and those who were not let in. What was said of them may only stand in for
// a directory that is down.
func (d *directory) doubtPeople(some func(*identity.Person) bool, now time.Time, refresh time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, l := range d.known {
		if l.person == nil {
			delete(d.known, key)
			continue
		}
		if old := now.Add(-refresh); some(l.person) && l.at.After(old) {
			doubted := *l
			doubted.at = old
			d.known[key] = &doubted
		}
	}
}

// empty reports whether nobody is known.
func (d *directory) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.known) == 0
}
