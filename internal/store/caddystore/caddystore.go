// Package caddystore keeps records in Caddy's configured storage, so that a fresh machine needs nothing and
// every Caddy storage plugin works.
//
// A record lies at `<prefix>/<kind>/<h>/<hash>.record`, where hash is the SHA-256 of the id in lower-case hex
// and h its first digit: ids are arbitrary and case-sensitive, storage keys are neither on every storage.
// Sixteen folders a kind keep a listing from holding all keys at once.
package caddystore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/time/rate"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Store is a store.Store over a certmagic.Storage. It is safe for concurrent use, and any number of nodes may
// share one storage.
type Store struct {
	storage  certmagic.Storage
	files    *certmagic.FileStorage // storage, if it is that
	prefix   string
	now      func() time.Time
	logger   *slog.Logger
	queue    queue
	settled  sync.Map     // folders whose own entries are known to be durable
	used     sync.Map     // kinds this process has written
	removals rate.Limiter // pace of Sweep
	patience time.Duration
	hold     time.Duration
}

// Option changes what New makes.
type Option func(*Store)

// Logger makes the store report corrupt records and broken locks to l. Without it they go nowhere. Neither
// ids nor values are logged.
func Logger(l *slog.Logger) Option { return func(s *Store) { s.logger = l } }

// New returns a store that keeps its records in s, below the key prefix (`mcp_gateway` if it is empty), and
// reads the time from now. It touches the storage only when it is used.
func New(s certmagic.Storage, prefix string, now func() time.Time, options ...Option) *Store {
	st := &Store{
		storage:  s,
		prefix:   strings.Trim(prefix, "/"),
		now:      now,
		logger:   slog.New(slog.DiscardHandler),
		patience: lockPatience,
		hold:     lockHold,
	}
	if st.prefix == "" {
		st.prefix = "mcp_gateway"
	}
	st.removals.SetLimit(sweepPace)
	st.removals.SetBurst(sweepBurst)
	st.files, _ = s.(*certmagic.FileStorage)
	for _, option := range options {
		option(st)
	}
	return st
}

// Get implements store.Store. It takes no lock: certmagic's storages replace a value as a whole.
func (s *Store) Get(ctx context.Context, kind, id string) ([]byte, error) {
	if err := store.CheckKind(kind); err != nil {
		return nil, err
	}
	if store.CheckSize(id, nil) != nil {
		return nil, store.ErrNotFound
	}
	return s.load(ctx, s.address(kind, id))
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, kind, id string, value []byte, expires time.Time) error {
	if err := check(kind, id, value); err != nil {
		return err
	}
	a := s.address(kind, id)
	return s.alone(ctx, a, func(lease) error { return s.save(ctx, a, value, expires) })
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, kind, id string, f func(old []byte) (next []byte, expires time.Time, err error)) error {
	if err := check(kind, id, nil); err != nil {
		return err
	}
	a := s.address(kind, id)
	return s.alone(ctx, a, func(l lease) error {
		old, err := s.load(ctx, a)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		next, expires, err := f(old)
		switch {
		case err != nil:
			return err
		case next == nil && old == nil:
			return nil
		case s.lost(l):
			return store.ErrBusy // what f made of the old value is worth nothing if that may no longer be the present one
		case next == nil:
			return s.remove(ctx, a)
		}
		if err := store.CheckSize("", next); err != nil {
			return err
		}
		return s.save(ctx, a, next, expires)
	})
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, kind, id string) error {
	if err := store.CheckKind(kind); err != nil {
		return err
	}
	if store.CheckSize(id, nil) != nil {
		return nil
	}
	a := s.address(kind, id)
	return s.alone(ctx, a, func(lease) error { return s.remove(ctx, a) })
}

func check(kind, id string, value []byte) error {
	if err := store.CheckKind(kind); err != nil {
		return err
	}
	return store.CheckSize(id, value)
}

// address is where a record lies.
type address struct{ kind, id, hash, key string }

func (s *Store) address(kind, id string) address {
	sum := sha256.Sum256([]byte(id))
	hash := hex.EncodeToString(sum[:])
	return address{kind: kind, id: id, hash: hash, key: s.folder(kind, hash[:1]) + "/" + hash + extension}
}

// folder is the key under which the records of a kind lie whose hash begins with the digit.
func (s *Store) folder(kind, digit string) string { return path.Join(s.prefix, kind, digit) }

// load reads the record at a; ErrNotFound if it is absent or has expired.
func (s *Store) load(ctx context.Context, a address) ([]byte, error) {
	r, err := s.read(ctx, a.key)
	if err != nil {
		return nil, err
	}
	if r.kind != a.kind || r.id != a.id {
		return nil, corrupt("holds another record")
	}
	if r.expired(s.now()) {
		return nil, store.ErrNotFound
	}
	return r.value, nil
}

// read reads whatever record lies at key, expired or not; ErrNotFound if there is none.
func (s *Store) read(ctx context.Context, key string) (record, error) {
	if err := ctx.Err(); err != nil {
		return record{}, err // the file storage itself doesn't look at it
	}
	data, err := s.storage.Load(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, store.ErrNotFound
	}
	if err != nil {
		return record{}, err
	}
	return decode(data)
}

// save writes the record at a, whose lock is held.
func (s *Store) save(ctx context.Context, a address, value []byte, expires time.Time) error {
	r := record{kind: a.kind, id: a.id, expires: expires, value: value}
	if r.expired(s.now()) {
		return s.remove(ctx, a)
	}
	data, err := r.encode()
	if err != nil {
		return err
	}
	s.used.Store(a.kind, nil)
	if err := s.storage.Store(ctx, a.key, data); err != nil {
		return err
	}
	return s.settle(a.key)
}

// remove deletes the record at a, whose lock is held.
func (s *Store) remove(ctx context.Context, a address) error {
	if err := s.storage.Delete(ctx, a.key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.settle(a.key)
}

// Interface guard
var _ store.Store = (*Store)(nil)
