package caddystore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

const (
	// lockPatience is how long a write waits for its lock: longer than a dead process' lock lasts, see lockLife.
	lockPatience = 15 * time.Second
	// lockHold is how long an Update may take: shorter than the time after which others may believe that its
	// process is dead.
	lockHold = 8 * time.Second
)

// alone runs do while this record is locked, here and on all nodes.
//
// Goroutines of this process queue up in memory first, and only the one in front goes for the storage's lock:
// waiting for that means looking again and again. Nobody holds both for longer than do takes, so that a record
// is locked for milliseconds.
func (s *Store) alone(ctx context.Context, a address, do func(l lease) error) error {
	name := s.lockName(a)
	leave, err := s.queue.enter(ctx, name, s.patience)
	if err != nil {
		return err
	}
	defer leave()
	l, err := s.lock(ctx, name)
	if err != nil {
		return err
	}
	defer s.unlock(ctx, l)
	return do(l)
}

// lockName names the lock of a record. It holds no slash, which some storages would make folders of.
func (s *Store) lockName(a address) string {
	return strings.ReplaceAll(s.prefix, "/", "-") + "-" + a.kind + "-" + a.hash
}

// lease is one holding of a lock by this process.
type lease struct {
	name  string
	since time.Time
	mine  string // what is in the lock file; "" with other storages, which let a lock lapse by a time to live
}

// lost says whether others may hold the lock by now. That happens if this process was paused for so long that
// they took it for dead.
func (s *Store) lost(l lease) bool {
	if time.Since(l.since) > s.hold {
		return true
	}
	if s.files == nil {
		return false
	}
	there, err := os.ReadFile(s.lockFile(l.name))
	return err != nil || string(there) != l.mine
}

// lock takes the storage's lock. The error is ctx's, ErrBusy after s.patience, or the storage's.
func (s *Store) lock(ctx context.Context, name string) (lease, error) {
	if err := ctx.Err(); err != nil {
		return lease{}, err
	}
	patient, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	l := lease{name: name}
	var err error
	if s.files != nil {
		l.mine, err = takeFile(patient, s.lockFile(name))
	} else {
		err = s.storage.Lock(patient, name)
	}
	if err != nil && ctx.Err() == nil && patient.Err() != nil {
		err = store.ErrBusy
	}
	l.since = time.Now()
	return l, err
}

// unlock releases the lock, also if ctx has ended. What was written stays written if that fails, and the lock
// lapses.
func (s *Store) unlock(ctx context.Context, l lease) {
	var err error
	if s.files != nil {
		err = releaseFile(s.lockFile(l.name), l.mine)
	} else {
		err = s.storage.Unlock(context.WithoutCancel(ctx), l.name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Warn("releasing a lock", "lock", l.name, "error", err)
	}
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
