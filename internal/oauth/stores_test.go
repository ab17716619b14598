package oauth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// errStoreDown is what brokenStore says.
var errStoreDown = errors.New("the disk is gone")

// brokenStore is a store that is down.
type brokenStore struct{ store.Store }

func (brokenStore) Get(context.Context, string, string) ([]byte, error) { return nil, errStoreDown }

func (brokenStore) Put(context.Context, string, string, []byte, time.Time) error { return errStoreDown }

func (brokenStore) Update(context.Context, string, string, func([]byte) ([]byte, time.Time, error)) error {
	return errStoreDown
}

func (brokenStore) Delete(context.Context, string, string) error { return errStoreDown }

func (brokenStore) List(context.Context, string, func(string, []byte) error) error {
	return errStoreDown
}

func (brokenStore) Sweep(context.Context) (int, error) { return 0, errStoreDown }

// countingStore counts what it is asked, and can be told to fail.
type countingStore struct {
	store.Store
	gets, writes atomic.Int64
	down         atomic.Bool
}

func (s *countingStore) Get(ctx context.Context, kind, id string) ([]byte, error) {
	s.gets.Add(1)
	if s.down.Load() {
		return nil, errStoreDown
	}
	return s.Store.Get(ctx, kind, id)
}

func (s *countingStore) Put(ctx context.Context, kind, id string, value []byte, expires time.Time) error {
	s.writes.Add(1)
	return s.Store.Put(ctx, kind, id, value, expires)
}

func (s *countingStore) Update(ctx context.Context, kind, id string, f func([]byte) ([]byte, time.Time, error)) error {
	s.writes.Add(1)
	return s.Store.Update(ctx, kind, id, f)
}

// dyingStore is the store of a process that dies at one of its writes: just before it, or just after.
type dyingStore struct {
	store.Store
	at    int64 // the number of the write, from 1
	after bool
	n     atomic.Int64
}

func (s *dyingStore) Put(ctx context.Context, kind, id string, value []byte, expires time.Time) error {
	return s.write(func() error { return s.Store.Put(ctx, kind, id, value, expires) })
}

func (s *dyingStore) Update(ctx context.Context, kind, id string, f func([]byte) ([]byte, time.Time, error)) error {
	return s.write(func() error { return s.Store.Update(ctx, kind, id, f) })
}

func (s *dyingStore) Delete(ctx context.Context, kind, id string) error {
	return s.write(func() error { return s.Store.Delete(ctx, kind, id) })
}

func (s *dyingStore) write(f func() error) error {
	n := s.n.Add(1)
	if n > s.at || n == s.at && !s.after {
		return errStoreDown
	}
	err := f()
	if n == s.at {
		return errStoreDown
	}
	return err
}

// hangingStore does not answer from hang on until release is closed.
type hangingStore struct {
	store.Store
	hang    atomic.Bool
	asked   chan struct{}
	release chan struct{}
}

func (s *hangingStore) Get(ctx context.Context, kind, id string) ([]byte, error) {
	if s.hang.Load() {
		s.asked <- struct{}{}
		<-s.release
	}
	return s.Store.Get(ctx, kind, id)
}

// One person who signs in with 64 agents at once, on disk, where all of them change the list of what the person granted: none is told to
// come back later.
func TestSixtyFourLoginsAtOnce(t *testing.T) {
	f := onDisk(t)
	var busy sync.WaitGroup
	for range 64 {
		busy.Go(func() {
			a := f.read(f.post("/token", redeem("desktop", f.loginAs("alice"))))
			if a.Status != http.StatusOK {
				t.Errorf("got %+v", a)
				return
			}
			if _, err := f.call(a.Access, testResource); err != nil {
				t.Error(err)
			}
		})
	}
	busy.Wait()
	grants, err := f.server.grantsOf(t.Context(), &identity.Person{Provider: "local", ID: "alice"})
	if err != nil || len(grants) != 64 {
		t.Errorf("alice has %d grants, %v", len(grants), err)
	}
}
