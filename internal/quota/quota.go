// Package quota counts how often something is done on all nodes that share a store, so that a limit holds for the fleet.
//
// Time is divided into slices, sixteen to the period of a limit. There are never more calls in seventeen consecutive slices
// than the limit's count, and so never more within one period, wherever it begins. The price is that a call may be kept out
// for a slice longer than it would have to be. Nodes have to agree on the time to within a slice: where they don't, calls
// count for the time of the node that is ahead.
//
// The record of a limit says how many calls of each slice are given out. A node takes some at a time, a lease, and uses them up
// without a look into the store, as long as the slice lasts. The first lease of a slice is one call; each further one is twice
// as large as the one before, up to a tenth of the limit. What was not used when the slice is over, the node gives back with the
// next lease it takes. So one that calls now and then loses nothing, and one that calls in bursts writes seldom; what a node that
// stays away, or dies, has left of a lease is lost until the period is over, and that is a tenth of the limit at most.
package quota

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

const (
	// kindQuota is the kind of the records.
	kindQuota = "quota"

	// slices is how many slices a period is divided into.
	slices = 16

	// maxLease bounds a lease, however large the limit is.
	maxLease = 256

	// maxKept is how many counters a node remembers. Beyond it those go that have nothing left, and then any.
	maxKept = 4096

	// patience bounds what a call waits for the store.
	patience = 5 * time.Second

	// recheck is how long a node goes by what the store said when the limit was reached, before it looks again: other nodes may
	// have given something back.
	recheck = time.Second
)

// MinPer is the shortest period of a limit.
const MinPer = time.Second

// ErrLimit says that a limit can't be counted: its count is not positive, or its period is shorter than MinPer.
var ErrLimit = errors.New("quota: not a limit")

// Quota counts. It is safe for concurrent use.
type Quota struct {
	store store.Store
	now   func() time.Time

	mu       sync.Mutex
	counters map[string]*counter
}

// New makes a Quota that keeps its counts in s and reads the time from now.
func New(s store.Store, now func() time.Time) *Quota {
	return &Quota{store: s, now: now, counters: make(map[string]*counter)}
}

// counter is what this node knows of one limit for one holder.
type counter struct {
	mu    sync.Mutex
	slice int64 // of the lease
	left  int   // of the lease
	size  int   // of the last lease

	empty  time.Time // before it there is nothing to be had, by what the store said
	look   time.Time // until when that is believed
	flight *flight   // the lease that is being taken; nil if none is
	queue  int       // calls that wait for it
}

// flight is the taking of a lease.
type flight struct {
	done chan struct{} // closed when it has come
	err  error         // set before
}

// Take counts one call of those that may be done count times in any period per. It returns 0 if there was one left, and
// otherwise how long it takes until one may be. id names what is counted, in any number of parts; it is kept as a digest.
//
// The errors are ErrLimit, and those of the store: then nothing is known, and the call should not be made.
func (q *Quota) Take(ctx context.Context, count int, per time.Duration, id ...string) (wait time.Duration, err error) {
	if count <= 0 || per < MinPer {
		return 0, ErrLimit
	}
	key := digest(per, id)
	c := q.counter(key)
	for {
		now := q.now()
		slice := sliceAt(now, per)
		c.mu.Lock()
		switch {
		case c.slice == slice && c.left > 0:
			c.left--
			c.mu.Unlock()
			return 0, nil
		case now.Before(c.empty) && now.Before(c.look):
			wait = c.empty.Sub(now)
			c.mu.Unlock()
			return wait, nil
		case c.flight != nil:
			if err := c.await(ctx); err != nil {
				return 0, err
			}
			continue
		}
		f := &flight{done: make(chan struct{})}
		c.flight = f
		c.mu.Unlock()
		wait, f.err = q.lease(ctx, c, key, count, per, slice)
		close(f.done)
		return wait, f.err
	}
}

// await waits until the lease has come that is being taken. It is called with c.mu held, and gives it up.
func (c *counter) await(ctx context.Context) error {
	f := c.flight
	c.queue++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.queue--
		c.mu.Unlock()
	}()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lease takes some calls of a slice out of the store, of which the first is the caller's.
func (q *Quota) lease(ctx context.Context, c *counter, key string, count int, per time.Duration, slice int64) (wait time.Duration, err error) {
	c.mu.Lock()
	back, from := c.left, c.slice
	want := 1
	if slice == c.slice {
		want = 2 * c.size
	}
	want = max(min(want, count/10, maxLease), 1+min(c.queue, maxLease))
	c.left = 0
	c.mu.Unlock()

	// Others wait for it as well, and what was taken must be known here: so it does not end with one client's request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	got, at, free := 0, slice, slice
	err = q.store.Update(ctx, kindQuota, key, func(old []byte) ([]byte, time.Time, error) {
		r, err := decode(old)
		if err != nil {
			return nil, time.Time{}, err
		}
		r.forget(slice)
		r.add(from, -back)
		at = max(slice, r.newest()) // a node whose clock is ahead has begun with it
		got = min(want, count-r.sum())
		if got <= 0 {
			got, free = 0, r.freeAt(count)
		} else {
			r.add(at, got)
		}
		return r.encode(), startOf(r.newest()+slices+1, per), nil
	})

	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight = nil
	switch {
	case err != nil:
		// Whether it was written is not known: neither what was to be given back nor what was to be taken is used.
		return 0, fmt.Errorf("quota: %w", err)
	case got == 0:
		now := q.now()
		c.empty, c.look, c.size = startOf(free, per), now.Add(recheck), 0
		return max(c.empty.Sub(now), time.Millisecond), nil
	}
	c.slice, c.left, c.size, c.empty = at, got-1, got, time.Time{}
	return 0, nil
}

// counter finds or makes a counter.
func (q *Quota) counter(key string) *counter {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.counters[key]; c != nil {
		return c
	}
	if len(q.counters) >= maxKept {
		q.drop()
	}
	c := new(counter)
	q.counters[key] = c
	return c
}

// drop makes room for a counter. What a dropped one has left of a lease is lost.
func (q *Quota) drop() {
	dropped := ""
	for key, c := range q.counters {
		c.mu.Lock()
		idle, left := c.flight == nil, c.left
		c.mu.Unlock()
		if !idle {
			continue
		}
		dropped = key
		if left == 0 {
			break
		}
	}
	delete(q.counters, dropped)
}

// sliceAt numbers the slice that a time is in.
func sliceAt(t time.Time, per time.Duration) int64 {
	return t.UnixNano() / int64(width(per))
}

// startOf is when a slice begins.
func startOf(slice int64, per time.Duration) time.Time { return time.Unix(0, slice*int64(width(per))) }

// width is how long a slice lasts: sixteen of them are never shorter than the period.
func width(per time.Duration) time.Duration { return (per + slices - 1) / slices }

// digest names a record: parts of other lengths never make the same.
func digest(per time.Duration, id []string) string {
	h := sha256.New()
	write := func(s string) {
		h.Write(strconv.AppendInt(nil, int64(len(s)), 10))
		h.Write([]byte{':'})
		h.Write([]byte(s))
	}
	write(per.String())
	for _, part := range id {
		write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
