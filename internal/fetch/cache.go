package fetch

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bounds of a cache.
const (
	maxEntries = 512
	maxFlights = 64
	// retryAfter is how long a document whose host is down is used without trying again.
	retryAfter = 30 * time.Second
)

// Cache keeps documents of one type, and gets them when they are needed. What is no good is never kept (section 4.4 of the draft on
// client metadata documents): who can be made to ask for one must have a limit, see Request. It is safe for concurrent use.
type Cache[T any] struct {
	client *Client
	limit  int
	parse  func(address string, body []byte) (T, error)
	now    func() time.Time

	mu      sync.Mutex
	entries map[string]*list.Element // of *entry[T]
	recent  *list.List               // the one used last in front
	flights map[string]*flight[T]
}

// entry is a document that was found good.
type entry[T any] struct {
	address string
	value   T
	asked   time.Time // when its host was last asked for it, with whatever outcome
	fresh   time.Time // used as it is until then
	stale   time.Time // used until then if its host is down
}

// flight is a fetch under way. The rest may be read once done is closed.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// NewCache makes a cache of documents of at most limit bytes. parse makes a value of a document's address and bytes, or says with a
// *Refusal what is wrong with it. now is the clock.
func NewCache[T any](client *Client, limit int, parse func(address string, body []byte) (T, error), now func() time.Time) *Cache[T] {
	return &Cache[T]{
		client: client, limit: limit, parse: parse, now: now,
		entries: make(map[string]*list.Element), recent: list.New(), flights: make(map[string]*flight[T]),
	}
}

// Request is what a document is wanted for.
type Request struct {
	// AskedAfter has a document fetched again whose host was last asked for it before this time. Zero: any will do.
	AskedAfter time.Time
	// May is asked before a document is fetched that was never found good, or long ago: its error is returned instead. It must be quick.
	// Nil: always.
	May func() error
}

// Get returns the document at an address that CheckURL found good. The errors are ErrUnavailable, *Refusal, those of May, and the context's,
// whose end does not stop a fetch that others may be waiting for.
func (c *Cache[T]) Get(ctx context.Context, address string, r Request) (T, error) {
	var none T
	c.mu.Lock()
	known := c.find(address)
	if known != nil && c.now().Before(known.fresh) && !known.asked.Before(r.AskedAfter) {
		c.mu.Unlock()
		return known.value, nil
	}
	f := c.flights[address]
	if f == nil {
		var err error
		switch {
		case len(c.flights) >= maxFlights && known != nil:
			// It was good, and whoever keeps us busy with others must not be able to take it from those who use it.
			c.mu.Unlock()
			return known.value, nil
		case len(c.flights) >= maxFlights:
			err = fmt.Errorf("%w: too many others are waited for", ErrUnavailable)
		case c.entries[address] == nil && r.May != nil:
			err = r.May()
		}
		if err != nil {
			c.mu.Unlock()
			return none, err
		}
		f = &flight[T]{done: make(chan struct{})}
		c.flights[address] = f
		go c.fly(address, f)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// find returns what is kept of an address and may still be used, or nil. What is too old to be used is kept as a sign that it was good. The
// lock is held.
func (c *Cache[T]) find(address string) *entry[T] {
	element := c.entries[address]
	if element == nil {
		return nil
	}
	c.recent.MoveToFront(element)
	e := element.Value.(*entry[T])
	if now := c.now(); !now.Before(e.fresh) && !now.Before(e.stale) {
		return nil
	}
	return e
}

// drop forgets an address. The lock is held.
func (c *Cache[T]) drop(address string) {
	if element := c.entries[address]; element != nil {
		c.recent.Remove(element)
		delete(c.entries, address)
	}
}

// fly fetches a document for all who wait for it.
func (c *Cache[T]) fly(address string, f *flight[T]) {
	e, err := c.fetch(address)
	c.land(address, f, e, err)
}

// land keeps what a flight came back with.
func (c *Cache[T]) land(address string, f *flight[T], e *entry[T], err error) {
	defer close(f.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, address)
	known := c.find(address)
	switch {
	case err == nil:
		c.drop(address)
		c.entries[address] = c.recent.PushFront(e)
		if c.recent.Len() > maxEntries {
			c.drop(c.recent.Back().Value.(*entry[T]).address)
		}
		f.value = e.value
	case errors.Is(err, ErrUnavailable) && known != nil && c.now().Before(known.stale):
		// Its host is down; the document was good.
		known.asked = c.now()
		if until := known.asked.Add(retryAfter); known.fresh.Before(until) {
			known.fresh = until
		}
		f.value = known.value
	default:
		// What its host says now counts, also if that is nothing good.
		if !errors.Is(err, ErrUnavailable) {
			c.drop(address)
		}
		f.err = err
	}
}

// fetch gets a document and judges it.
func (c *Cache[T]) fetch(address string) (e *entry[T], err error) {
	defer func() {
		// net/http would have caught it, had the request made the call itself.
		if p := recover(); p != nil {
			err = &Refusal{Reason: "can't be read", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	got, err := c.client.get(context.Background(), address, c.limit)
	if err != nil {
		return nil, err
	}
	e = &entry[T]{address: address, asked: c.now()}
	if e.value, err = c.parse(address, got.body); err != nil {
		return nil, err
	}
	fresh, stale := freshness(got.header, e.asked)
	e.fresh = e.asked.Add(fresh)
	if e.stale = e.fresh; stale {
		e.stale = e.fresh.Add(maxStale)
	}
	return e, nil
}
