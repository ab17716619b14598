package caddystore

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
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

func lockFile(s *Store, kind, id string) string { return s.lockFile(s.lockName(s.address(kind, id))) }

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

// Somebody else's lock is waited for as long as it may be somebody's: one of certmagic's, which is kept fresh, is never taken away.
func TestALockThatWorksIsNotBroken(t *testing.T) {
	t.Parallel()
	s := open(t.TempDir())
	s.patience = 3 * time.Second
	name := s.lockName(s.address("code", "a"))
	if err := s.storage.Lock(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "code", "a", []byte("v"), time.Time{}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("while another has the lock: %v", err)
	}
	if err := s.storage.Unlock(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "code", "a", []byte("v"), time.Time{}); err != nil {
		t.Errorf("once it is released: %v", err)
	}
	if _, err := os.Stat(lockFile(s, "code", "a")); !os.IsNotExist(err) {
		t.Errorf("the lock file is still there: %v", err)
	}
}

// The lock of a process that has died lapses, by what it says and also if a clock was wrong.
func TestTheLockOfADeadProcess(t *testing.T) {
	t.Parallel()
	text := func(created, updated time.Time) []byte {
		data, err := json.Marshal(lockMeta{Created: created, Updated: updated})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	now := time.Now()
	for name, tc := range map[string]struct {
		content   []byte
		unchanged time.Duration
		dead      bool
	}{
		"made just now":              {text(now, now), 0, false},
		"made long ago":              {text(now.Add(-2*time.Minute), now.Add(-2*time.Minute)), 0, true},
		"kept fresh":                 {text(now.Add(-time.Minute), now), 0, false},
		"never kept fresh":           {text(now, time.Time{}), 0, false},
		"by a clock that is ahead":   {text(now.Add(time.Hour), now.Add(time.Hour)), 0, false},
		"ahead, and nothing happens": {text(now.Add(time.Hour), now.Add(time.Hour)), lockLife + 1, true},
		"being written":              {nil, 0, false},
		"never written":              {nil, garbledLife + 1, true},
	} {
		if got := dead(tc.content, tc.unchanged); got != tc.dead {
			t.Errorf("%s: %v", name, got)
		}
	}
	s := open(t.TempDir())
	file := lockFile(s, "code", "a")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text(now.Add(-2*time.Minute), now.Add(-2*time.Minute)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "code", "a", []byte("v"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A node whose clock is ahead must not take away the lock that another one holds just now.
func TestAttackANodeWhoseClockIsAheadTakesALockThatIsHeld(t *testing.T) {
	made := time.Now().Add(-30 * time.Second) // by the clock of whoever made it, just now
	content, err := json.Marshal(lockMeta{Created: made, Updated: made})
	if err != nil {
		t.Fatal(err)
	}
	if dead(content, 0) {
		t.Error("two hold one lock while their clocks are half a minute apart")
	}
	if !dead(content, lockLife+1) {
		t.Error("the lock of a dead process stays")
	}
}

// Of two who find a dead process' lock, the slower one must not take away the lock that the faster one has made since; and nobody releases a
// lock that is another's.
func TestALockOfSomebodyElseStays(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.lock")
	mine, err := makeFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := takeAway(file, "what a dead process had written"); err != nil {
		t.Fatal(err)
	}
	if err := releaseFile(file, "mine"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != mine {
		t.Errorf("the lock is %q, %v", got, err)
	}
	if err := releaseFile(file, mine); err != nil {
		t.Fatal(err)
	}
	if err := releaseFile(file, mine); err != nil {
		t.Errorf("releasing one that has gone: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Many writes to one record leave nothing running behind: what looked after the lock file of each for seconds once broke those of others.
func TestLocksLeaveNothingBehind(t *testing.T) {
	s := open(t.TempDir())
	before := runtime.NumGoroutine()
	for range 100 {
		if err := s.Put(t.Context(), "person", "a", []byte("v"), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := runtime.NumGoroutine() - before; n > 50 {
		t.Errorf("100 writes left %d goroutines", n)
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
			s.patience = 3 * time.Second // it takes two to believe that an empty file stays empty
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
