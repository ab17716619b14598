// Package storetest holds the contract of store.Store as a test that every implementation runs, and a store
// in memory that keeps it, for the tests of packages that use one.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Run tests that the stores that open makes keep the contract of store.Store. Each is empty at first and
// reads the time from now.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) store.Store) {
	for _, group := range []struct {
		name string
		run  func(t *testing.T, f fixture)
	}{
		{"records", testRecords},
		{"bounds", testBounds},
		{"expiry", testExpiry},
		{"ids", testIDs},
		{"update", testUpdate},
		{"alone", testAlone},
		{"list", testList},
		{"sweep", testSweep},
		{"context", testContext},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			clock := NewClock()
			group.run(t, fixture{open(t, clock.Now), clock})
		})
	}
}

// fixture is a new store and the clock it reads.
type fixture struct {
	store.Store
	clock *Clock
}

// Clock is a clock that stands still until it is moved. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows some time in the past.
func NewClock() *Clock { return &Clock{now: time.Date(2024, 2, 29, 23, 59, 58, 987654321, time.UTC)} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// In returns the time that it will be after d.
func (c *Clock) In(d time.Duration) time.Time { return c.Now().Add(d) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// never is the expiry of what does not expire.
var never time.Time

func (f fixture) put(t *testing.T, kind, id, value string, expires time.Time) {
	t.Helper()
	if err := f.Put(t.Context(), kind, id, []byte(value), expires); err != nil {
		t.Fatalf("Put(%s, %.40q): %v", kind, id, err)
	}
}

func (f fixture) want(t *testing.T, kind, id, value string) {
	t.Helper()
	got, err := f.Get(t.Context(), kind, id)
	if err != nil {
		t.Fatalf("Get(%s, %.40q): %v, want %.40q", kind, id, err, value)
	}
	if !bytes.Equal(got, []byte(value)) || got == nil {
		t.Fatalf("Get(%s, %.40q) = %.40q (nil: %t), want %.40q", kind, id, got, got == nil, value)
	}
}

func (f fixture) absent(t *testing.T, kind, id string) {
	t.Helper()
	if got, err := f.Get(t.Context(), kind, id); !errors.Is(err, store.ErrNotFound) || got != nil {
		t.Fatalf("Get(%s, %.40q) = %.40q, %v, want ErrNotFound", kind, id, got, err)
	}
}

// update replaces the record's value and checks what was there before: want, or nothing if that is nil.
func (f fixture) update(t *testing.T, kind, id string, want, next []byte, expires time.Time) {
	t.Helper()
	called := 0
	err := f.Update(t.Context(), kind, id, func(old []byte) ([]byte, time.Time, error) {
		called++
		if !bytes.Equal(old, want) || (old == nil) != (want == nil) {
			t.Errorf("Update(%s, %.40q) showed %.40q (nil: %t), want %.40q (nil: %t)", kind, id, old, old == nil, want, want == nil)
		}
		return next, expires, nil
	})
	if err != nil || called != 1 {
		t.Fatalf("Update(%s, %.40q): %v after %d calls of f, want one", kind, id, err, called)
	}
}

// ids lists the ids of a kind, sorted.
func (f fixture) ids(t *testing.T, kind string) []string {
	t.Helper()
	ids := []string{}
	if err := f.List(t.Context(), kind, func(id string, _ []byte) error {
		ids = append(ids, id)
		return nil
	}); err != nil {
		t.Fatalf("List(%s): %v", kind, err)
	}
	slices.Sort(ids)
	return ids
}

// write is one of the methods that write, in the simplest form.
type write struct {
	name string
	do   func(ctx context.Context, s store.Store, kind, id string, value []byte) error
}

var writes = []write{
	{"Put", func(ctx context.Context, s store.Store, kind, id string, value []byte) error {
		return s.Put(ctx, kind, id, value, never)
	}},
	{"Update", func(ctx context.Context, s store.Store, kind, id string, value []byte) error {
		return s.Update(ctx, kind, id, func([]byte) ([]byte, time.Time, error) { return value, never, nil })
	}},
}
