package caddystore

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// A certmagic lock of a process that was killed lapses after 10 seconds on the file storage, and who waits for it looks once a second.
const (
	// lockPatience is how long a write waits for its lock: longer than a dead process' lock lasts.
	lockPatience = 15 * time.Second
	// lockHold is how long an Update may take: shorter than the time after which others may believe that its process is dead.
	lockHold = 8 * time.Second
)

// alone runs do while this record is locked, here and on all nodes.
//
// Goroutines of this process queue up in memory first, and only the one in front goes for the storage's lock: waiting for that means
// looking once a second. Nobody holds both for longer than do takes, so that a record is locked for milliseconds.
func (s *Store) alone(ctx context.Context, a address, do func() error) error {
	name := s.lockName(a)
	leave, err := s.queue.enter(ctx, name, s.patience)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.lock(ctx, name); err != nil {
		return err
	}
	defer s.unlock(ctx, name)
	return do()
}

// lockName names the lock of a record. It holds no slash, which some storages would make folders of.
func (s *Store) lockName(a address) string {
	return strings.ReplaceAll(s.prefix, "/", "-") + "-" + a.kind + "-" + a.hash
}

// lock takes the storage's lock. The error is ctx's, ErrBusy after s.patience, or the storage's.
func (s *Store) lock(ctx context.Context, name string) error {
	before := s.holder(name)
	err := s.tryLock(ctx, name)
	if !errors.Is(err, store.ErrBusy) || before == "" || before != s.holder(name) {
		return err
	}
	// One and the same lock was there all the time, and no Update of ours lasts that long. certmagic keeps a lock file fresh from a goroutine that outlives
	// Unlock by up to five seconds and doesn't notice if the file it then finds is another node's. Should that node have been killed, the
	// file would be kept fresh for as long as this process runs. So it is taken away.
	s.logger.Warn("breaking a lock that nobody works under", "lock", name)
	s.unlock(ctx, name)
	return s.tryLock(ctx, name)
}

func (s *Store) tryLock(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	err := s.storage.Lock(patient, name)
	if err != nil && ctx.Err() == nil && patient.Err() != nil {
		return store.ErrBusy
	}
	return err
}

// unlock releases the lock, also if ctx has ended. What was written stays written if that fails, and the lock lapses.
func (s *Store) unlock(ctx context.Context, name string) {
	if err := s.storage.Unlock(context.WithoutCancel(ctx), name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Warn("releasing a lock", "lock", name, "error", err)
	}
}

// holder tells one holding of a lock from another, by the time at which certmagic.FileStorage made the lock file. It is empty if the lock
// is free, or the storage is another one: those let a lock lapse by a time to live.
func (s *Store) holder(name string) string {
	if s.files == nil {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(s.files.Path, "locks", certmagic.StorageKeys.Safe(name)+".lock"))
	if err != nil {
		return ""
	}
	var meta struct {
		Created string `json:"created"`
	}
	if json.Unmarshal(data, &meta) != nil {
		return ""
	}
	return meta.Created
}

// queue lets one goroutine at a time through for each name. The zero queue is ready. It holds nothing for names that nobody is at.
type queue struct {
	mu    sync.Mutex
	gates map[string]*gate
}

type gate struct {
	pass  chan struct{} // holds one element while someone is through
	users int           // through or waiting; guarded by queue.mu
}

// enter waits until nobody else is through for name, at most for patience. The error is ctx's, or ErrBusy.
func (q *queue) enter(ctx context.Context, name string, patience time.Duration) (leave func(), err error) {
	q.mu.Lock()
	g := q.gates[name]
	if g == nil {
		if q.gates == nil {
			q.gates = make(map[string]*gate)
		}
		g = &gate{pass: make(chan struct{}, 1)}
		q.gates[name] = g
	}
	g.users++
	q.mu.Unlock()

	select {
	case g.pass <- struct{}{}:
		return func() { <-g.pass; q.forget(name, g) }, nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case g.pass <- struct{}{}:
		return func() { <-g.pass; q.forget(name, g) }, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = store.ErrBusy
	}
	q.forget(name, g)
	return nil, err
}

func (q *queue) forget(name string, g *gate) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if g.users--; g.users == 0 {
		delete(q.gates, name)
	}
}
