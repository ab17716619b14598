package storetest

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Memory is a store.Store that forgets everything when it is dropped. It is for tests.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	records map[address]entry
	writers map[address]chan struct{} // holds one element while a record is being written
}

type address struct{ kind, id string }

type entry struct {
	value   []byte
	expires time.Time
}

// NewMemory returns an empty store that reads the time from now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, records: map[address]entry{}, writers: map[address]chan struct{}{}}
}

// Get implements store.Store.
func (m *Memory) Get(ctx context.Context, kind, id string) ([]byte, error) {
	if err := store.CheckKind(kind); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if value := m.get(address{kind, id}); value != nil {
		return value, nil
	}
	return nil, store.ErrNotFound
}

// Put implements store.Store.
func (m *Memory) Put(ctx context.Context, kind, id string, value []byte, expires time.Time) error {
	return m.Update(ctx, kind, id, func([]byte) ([]byte, time.Time, error) {
		return append([]byte{}, value...), expires, nil
	})
}

// Update implements store.Store.
func (m *Memory) Update(ctx context.Context, kind, id string, f func(old []byte) (next []byte, expires time.Time, err error)) error {
	if err := store.CheckKind(kind); err != nil {
		return err
	}
	if err := store.CheckSize(id, nil); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	a := address{kind, id}
	writer := m.writer(a)
	select {
	case writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-writer }()
	next, expires, err := f(m.get(a))
	if err != nil {
		return err
	}
	if err := store.CheckSize("", next); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if next == nil {
		delete(m.records, a)
	} else {
		m.records[a] = entry{bytes.Clone(next), expires}
	}
	return nil
}

// Delete implements store.Store.
func (m *Memory) Delete(ctx context.Context, kind, id string) error {
	if len(id) > store.MaxID {
		return nil
	}
	return m.Update(ctx, kind, id, func([]byte) ([]byte, time.Time, error) { return nil, time.Time{}, nil })
}

// List implements store.Store.
func (m *Memory) List(ctx context.Context, kind string, f func(id string, value []byte) error) error {
	if err := store.CheckKind(kind); err != nil {
		return err
	}
	m.mu.Lock()
	var all []address
	for a := range m.records {
		if a.kind == kind {
			all = append(all, a)
		}
	}
	m.mu.Unlock()
	for _, a := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		value := m.get(a)
		if value == nil {
			continue
		}
		if err := f(a.id, value); err != nil {
			return err
		}
	}
	return nil
}

// Sweep implements store.Store.
func (m *Memory) Sweep(ctx context.Context) (removed int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for a, e := range m.records {
		if m.expired(e) {
			delete(m.records, a)
			removed++
		}
	}
	return removed, nil
}

// get returns a copy of the value, nil if there is none.
func (m *Memory) get(a address) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, there := m.records[a]
	if !there || m.expired(e) {
		return nil
	}
	return append([]byte{}, e.value...)
}

func (m *Memory) expired(e entry) bool { return !e.expires.IsZero() && !m.now().Before(e.expires) }

func (m *Memory) writer(a address) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writers[a] == nil {
		m.writers[a] = make(chan struct{}, 1)
	}
	return m.writers[a]
}

// Interface guard
var _ store.Store = (*Memory)(nil)
