package caddystore

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// open returns a store over files in dir, as one node has it.
func open(dir string, options ...Option) *Store {
	return New(&certmagic.FileStorage{Path: dir}, "mcp_gateway", time.Now, options...)
}

func lockFile(s *Store, kind, id string) string {
	return filepath.Join(s.files.Path, "locks", s.lockName(s.address(kind, id))+".lock")
}

func TestTwoNodesCountTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nodes := []*Store{open(dir), open(dir)}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if err := nodes[i%2].Update(t.Context(), "count", "n", func(old []byte) ([]byte, time.Time, error) {
				n, _ := strconv.Atoi(string(old))
				return strconv.AppendInt(nil, int64(n+1), 10), time.Time{}, nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, node := range nodes {
		if got, err := node.Get(t.Context(), "count", "n"); string(got) != "32" || err != nil {
			t.Errorf("node %d reads %s, %v, want 32", i, got, err)
		}
	}
}

func TestADeleteOnAnotherNodeIsNotUndone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := open(dir), open(dir)
	if err := a.Put(t.Context(), "grant", "g", []byte("v"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	deleted := make(chan error, 1)
	if err := a.Update(t.Context(), "grant", "g", func(old []byte) ([]byte, time.Time, error) {
		go func() { deleted <- b.Delete(t.Context(), "grant", "g") }()
		select {
		case err := <-deleted:
			t.Error("the other node did not wait")
			deleted <- err
		case <-time.After(20 * time.Millisecond):
		}
		return old, time.Time{}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	if _, err := a.Get(t.Context(), "grant", "g"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the revoked grant is back: %v", err)
	}
}

func TestALockThatIsKeptFreshForADeadNodeIsBroken(t *testing.T) {
	t.Parallel()
	s := open(t.TempDir())
	s.patience = 200 * time.Millisecond
	// Taken and never released; this process refreshes it, as a survivor would.
	if err := s.storage.Lock(t.Context(), s.lockName(s.address("code", "a"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "code", "a", []byte("v"), time.Time{}); err != nil {
		t.Fatalf("after its patience: %v", err)
	}
	if _, err := os.Stat(lockFile(s, "code", "a")); !os.IsNotExist(err) {
		t.Errorf("the lock file is still there: %v", err)
	}
}

func TestALockThatWorksIsNotBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := open(dir), open(dir)
	if err := other.Update(t.Context(), "code", "a", func([]byte) ([]byte, time.Time, error) {
		before := s.holder(s.lockName(s.address("code", "a")))
		if before.created == "" || before.garbled {
			t.Errorf("holder of a lock that is held: %+v", before)
		}
		return []byte("v"), time.Time{}, nil
	}); err != nil {
		t.Fatal(err)
	}
	name := s.lockName(s.address("code", "a"))
	if got := s.holder(name); got != (holder{}) {
		t.Errorf("holder of a free lock: %+v", got)
	}
	seen := map[holder]bool{}
	for range 3 {
		if err := other.storage.Lock(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		seen[s.holder(name)] = true
		if err := other.storage.Unlock(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 3 {
		t.Errorf("three holdings look like %d: a lock that changes hands would be broken", len(seen))
	}
}

func TestGarbledLockFilesHeal(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty": "", "zeros": "\x00\x00\x00\x00", "cut": `{"created":"2024-02-29T23:5`, "other": `[]`, "no time": `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t.TempDir())
			s.patience = 3 * time.Second // certmagic takes two to believe that an empty file stays empty
			file := lockFile(s, "code", "a")
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.Put(t.Context(), "code", "a", []byte("v"), time.Time{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAnUpdateThatLostItsLockChangesNothing(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(s *Store) error{
		"too slow":        func(s *Store) error { s.hold = -1; return nil },
		"lock taken away": func(s *Store) error { return os.Remove(lockFile(s, "code", "a")) },
		"lock taken over": func(s *Store) error {
			return os.WriteFile(lockFile(s, "code", "a"), []byte(`{"created":"other"}`), 0o600)
		},
		"lock file broken": func(s *Store) error { return os.Truncate(lockFile(s, "code", "a"), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, next := range [][]byte{nil, []byte("new")} {
				s := open(t.TempDir())
				if err := s.Put(t.Context(), "code", "a", []byte("old"), time.Time{}); err != nil {
					t.Fatal(err)
				}
				err := s.Update(t.Context(), "code", "a", func([]byte) ([]byte, time.Time, error) {
					return next, time.Time{}, lose(s)
				})
				if !errors.Is(err, store.ErrBusy) {
					t.Errorf("Update to %q: %v, want ErrBusy", next, err)
				}
				if got, err := s.Get(t.Context(), "code", "a"); string(got) != "old" {
					t.Errorf("Update to %q left %q, %v", next, got, err)
				}
			}
		})
	}
}

func TestQueueForgetsWhoLeft(t *testing.T) {
	t.Parallel()
	var q queue
	leave, err := q.enter(t.Context(), "a", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.enter(t.Context(), "a", time.Millisecond); !errors.Is(err, store.ErrBusy) {
		t.Errorf("a second one: %v, want ErrBusy", err)
	}
	leave()
	if len(q.gates) != 0 {
		t.Errorf("%d gates are left", len(q.gates))
	}
}
