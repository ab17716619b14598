package caddystore

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// A certmagic lock of a process that was killed lapses after 10 seconds on the file storage, and who waits
// for it looks once a second.
const (
	// lockPatience is how long a write waits for its lock: longer than a dead process' lock lasts.
	lockPatience = 15 * time.Second
	// lockHold is how long an Update may take: shorter than the time after which others may believe that its
	// process is dead.
	lockHold = 8 * time.Second
)

// alone runs do while this record is locked, here and on all nodes.
//
// Goroutines of this process queue up in memory first, and only the one in front goes for the storage's lock:
// waiting for that means looking once a second. Nobody holds both for longer than do takes, so that a record
// is locked for milliseconds.
func (s *Store) alone(ctx context.Context, a address, do func(l lease) error) error {
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
	return do(lease{name, s.holder(name), time.Now()})
}

// lockName names the lock of a record. It holds no slash, which some storages would make folders of.
func (s *Store) lockName(a address) string {
	return strings.ReplaceAll(s.prefix, "/", "-") + "-" + a.kind + "-" + a.hash
}

// lease is one holding of a lock by this process.
type lease struct {
	name  string
	mine  holder
	since time.Time
}

// lost says whether others may hold the lock by now. That happens if this process was paused for so long that
// they took it for dead and, since certmagic's file storage does not take over a dead process' lock
// atomically, if two nodes took the same one over at once.
func (s *Store) lost(l lease) bool { return time.Since(l.since) > s.hold || s.holder(l.name) != l.mine }

// lock takes the storage's lock. The error is ctx's, ErrBusy after s.patience, or the storage's.
func (s *Store) lock(ctx context.Context, name string) error {
	before := s.holder(name)
	err := s.tryLock(ctx, name)
	switch {
	case errors.Is(err, store.ErrBusy):
	case err != nil && before.garbled:
		// certmagic never gets past a lock file that a loss of power has garbled. It might also be one that
		// is being written just now.
		if err := wait(ctx, s.patience); err != nil {
			return err
		}
	default:
		return err
	}
	if before == (holder{}) || before != s.holder(name) {
		return err
	}
	// One and the same lock was there all the time, and no Update of ours lasts that long. certmagic keeps a
	// lock file fresh from a goroutine that outlives Unlock by up to five seconds and doesn't notice if the
	// file it then finds is another node's. Should that node have been killed, the file would be kept fresh
	// for as long as this process runs. So it is taken away.
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

// unlock releases the lock, also if ctx has ended. What was written stays written if that fails, and the lock
// lapses.
func (s *Store) unlock(ctx context.Context, name string) {
	if err := s.storage.Unlock(context.WithoutCancel(ctx), name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Warn("releasing a lock", "lock", name, "error", err)
	}
}

// holder tells one holding of a lock from another. It is zero if the lock is free, and always with other
// storages than the file storage: those let a lock lapse by a time to live.
type holder struct {
	created string // when the lock file was made, which stays when it is refreshed; if garbled, what it holds
	garbled bool
}

func (s *Store) holder(name string) (h holder) {
	if s.files == nil {
		return h
	}
	file := filepath.Join(s.files.Path, "locks", certmagic.StorageKeys.Safe(name)+".lock")
	for range 5 {
		data, err := os.ReadFile(file)
		if err != nil {
			return holder{}
		}
		var meta struct {
			Created string `json:"created"`
		}
		if json.Unmarshal(data, &meta) == nil && meta.Created != "" {
			return holder{created: meta.Created}
		}
		h = holder{string(data), true}
		time.Sleep(time.Millisecond) // it is empty for a moment whenever it is refreshed
	}
	return h
}

// wait waits for d, or until ctx ends, whose error it then returns.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
