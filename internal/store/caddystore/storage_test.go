package caddystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

func TestFileStorageKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store {
		return New(&certmagic.FileStorage{Path: t.TempDir()}, "mcp_gateway", now)
	})
}

func TestDatabasesKeepTheContract(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, now func() time.Time) store.Store {
		return New(newDatabase(), "/some/where/", now)
	})
}

// database is a certmagic.Storage as plugins make them of a database: its listings hold folders or not, have
// the prefix cut off, and never say that a folder is absent.
type database struct {
	mu    sync.Mutex
	data  map[string][]byte
	locks map[string]chan struct{}
	fail  map[string]error // by method
}

func newDatabase() *database {
	return &database{data: map[string][]byte{}, locks: map[string]chan struct{}{}, fail: map[string]error{}}
}

func (d *database) Store(_ context.Context, key string, value []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail["Store"] == nil {
		d.data[key] = slices.Clone(value)
	}
	return d.fail["Store"]
}

func (d *database) Load(_ context.Context, key string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if value, there := d.data[key]; there {
		return slices.Clone(value), d.fail["Load"]
	}
	return nil, fs.ErrNotExist
}

func (d *database) Delete(_ context.Context, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.data[key]; !there {
		return fs.ErrNotExist // not what the interface asks for, but done
	}
	delete(d.data, key)
	return d.fail["Delete"]
}

func (d *database) Exists(_ context.Context, key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, there := d.data[key]
	return there
}

func (d *database) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !recursive {
		return nil, d.fail["List"]
	}
	keys := []string{prefix}
	for key := range maps.Keys(d.data) {
		if rest, below := strings.CutPrefix(key, prefix+"/"); below {
			keys = append(keys, rest)
		}
	}
	return keys, errors.Join(ctx.Err(), d.fail["List"])
}

func (d *database) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	return certmagic.KeyInfo{Key: key}, nil
}

func (d *database) lock(name string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] == nil {
		d.locks[name] = make(chan struct{}, 1)
	}
	return d.locks[name]
}

func (d *database) Lock(ctx context.Context, name string) error {
	if err := d.fail["Lock"]; err != nil {
		return err
	}
	select {
	case d.lock(name) <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *database) Unlock(_ context.Context, name string) error {
	<-d.lock(name)
	return d.fail["Unlock"]
}

func TestFailuresOfTheStorage(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range []struct {
		method string
		do     func(s *Store) error
		want   error
	}{
		{"Load", func(s *Store) error { _, err := s.Get(t.Context(), "code", "a"); return err }, broken},
		{"Load", func(s *Store) error { return s.List(t.Context(), "code", func(string, []byte) error { return nil }) }, broken},
		{"Load", func(s *Store) error { _, err := s.Sweep(t.Context()); return err }, broken},
		{"List", func(s *Store) error { return s.List(t.Context(), "code", func(string, []byte) error { return nil }) }, broken},
		{"List", func(s *Store) error { _, err := s.Sweep(t.Context()); return err }, broken},
		{"Store", func(s *Store) error { return s.Put(t.Context(), "code", "a", nil, time.Time{}) }, broken},
		{"Lock", func(s *Store) error { return s.Put(t.Context(), "code", "a", nil, time.Time{}) }, broken},
		{"Lock", func(s *Store) error { return s.Delete(t.Context(), "code", "a") }, broken},
		{"Load", func(s *Store) error { return update(t, s, "new") }, broken},
		{"Store", func(s *Store) error { return update(t, s, "new") }, broken},
		{"Lock", func(s *Store) error { return update(t, s, "new") }, broken},
		{"Unlock", func(s *Store) error { return update(t, s, "old") }, nil},
		{"Delete", func(s *Store) error { return s.Delete(t.Context(), "code", "b") }, nil},
	} {
		d := newDatabase()
		s := New(d, "p", time.Now)
		if err := s.Put(t.Context(), "code", "a", []byte("old"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		d.fail[c.method] = broken
		if err := c.do(s); !errors.Is(err, c.want) {
			t.Errorf("%s fails: %v, want %v", c.method, err, c.want)
		}
		delete(d.fail, c.method)
		if got, err := s.Get(t.Context(), "code", "a"); string(got) != "old" {
			t.Errorf("%s failed and left %q, %v", c.method, got, err)
		}
		if err := update(t, s, "next"); err != nil {
			t.Errorf("%s failed and left the record locked: %v", c.method, err)
		}
	}
}

func update(t *testing.T, s *Store, next string) error {
	return s.Update(t.Context(), "code", "a", func([]byte) ([]byte, time.Time, error) { return []byte(next), time.Time{}, nil })
}

func TestKeysSurviveEveryStorage(t *testing.T) {
	t.Parallel()
	s := open(t.TempDir())
	for _, id := range []string{"", "A", "a", "../../x", "ſ"} {
		a := s.address("code", id)
		for part := range strings.SplitSeq(a.key, "/") {
			if certmagic.StorageKeys.Safe(part) != part {
				t.Errorf("key %s: %q is changed to %q", a.key, part, certmagic.StorageKeys.Safe(part))
			}
		}
		if name := s.lockName(a); certmagic.StorageKeys.Safe(name) != name {
			t.Errorf("lock %s is changed", name)
		}
	}
	if got := New(s.storage, "", time.Now).address("code", "a").key; !strings.HasPrefix(got, "mcp_gateway/code/") {
		t.Errorf("without a prefix: %s", got)
	}
}

// TestNothingOthersKeepIsTouched sweeps a storage that Caddy keeps its certificates in.
func TestNothingOthersKeepIsTouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	others := []string{"certificates/a/b.crt", "certificates/0/00.record", "mcp_gateway.json", "mcp_gatewayx/code/0/00.record", "locks/other.lock"}
	old := time.Now().Add(-100 * 24 * time.Hour)
	for _, name := range others {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if removed, err := open(dir).Sweep(t.Context()); removed != 0 || err != nil {
		t.Errorf("Sweep: %d, %v", removed, err)
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestListingWhileOthersWrite holds that writes, whose temporary files come and go in the folders listed,
// make no listing fail or incomplete.
func TestListingWhileOthersWrite(t *testing.T) {
	t.Parallel()
	s := open(t.TempDir())
	const steady = 50
	for i := range steady {
		if err := s.Put(t.Context(), "code", fmt.Sprint("steady ", i), []byte("v"), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for n := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprint("passing ", n, i%10)
				if err := s.Put(t.Context(), "code", id, []byte("v"), time.Time{}); err != nil {
					t.Error(err)
				}
				if err := s.Delete(t.Context(), "code", id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		seen := 0
		if err := s.List(t.Context(), "code", func(id string, _ []byte) error {
			if strings.HasPrefix(id, "steady ") {
				seen++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if seen != steady {
			t.Fatalf("saw %d of %d records", seen, steady)
		}
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNewFoldersAreMadeDurable holds that every folder between a record and the storage's own was synced.
func TestNewFoldersAreMadeDurable(t *testing.T) {
	t.Parallel()
	s := open(filepath.Join(t.TempDir(), "data"))
	if err := s.Put(t.Context(), "code", "a", nil, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for folder := filepath.Dir(recordFile(s, "code", "a")); folder != s.files.Path; folder = filepath.Dir(folder) {
		if _, done := s.settled.Load(folder); !done {
			t.Errorf("%s was not", folder)
		}
	}
	if err := syncFolder(filepath.Join(s.files.Path, "nowhere")); err != nil {
		t.Errorf("an absent folder: %v", err)
	}
}
