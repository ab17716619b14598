package caddystore

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

const (
	// sweepPace is how many records Sweep removes in a second, after the first sweepBurst. Every removal
	// takes the record's lock and is made durable by itself: a large sweep must not keep the disk from others.
	sweepPace  = 200
	sweepBurst = 1000

	// strayAge is how old a temporary file has to be, by the file system's clock, before it counts as left
	// behind by a crash.
	strayAge = time.Hour
)

// Sweep implements store.Store. It reads every record once, holds the keys of a sixteenth of a kind at a
// time, and is slow on purpose: call it from a goroutine of its own, every few minutes. A record that is busy
// is left for the next time, and what fails for one kind doesn't keep the others from being swept.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	kinds, err := s.kinds(ctx)
	failed := []error{err}
	for _, kind := range kinds {
		failed = append(failed, s.walk(ctx, kind, func(key string) error {
			gone, err := s.sweep(ctx, kind, key)
			if gone {
				removed++
			}
			return err
		}))
	}
	return removed, errors.Join(failed...)
}

// sweep removes the record at key if it has expired or is corrupt, and says whether it did.
func (s *Store) sweep(ctx context.Context, kind, key string) (removed bool, err error) {
	why, err := s.dead(ctx, kind, key)
	if errors.Is(err, errStray) {
		return false, s.sweepStray(ctx, key)
	}
	if why == nil || err != nil {
		return false, err
	}
	if err := s.removals.Wait(ctx); err != nil {
		return false, err
	}
	a := address{kind: kind, hash: strings.TrimSuffix(path.Base(key), extension), key: key}
	err = s.alone(ctx, a, func(lease) error {
		// It may have been written anew since: only what is still dead under the lock goes.
		why, err := s.dead(ctx, kind, key)
		if why == nil || err != nil {
			return err
		}
		if errors.Is(why, store.ErrCorrupt) {
			s.logger.Error("sweeping a corrupt record", "key", key, "error", why)
		}
		removed = true
		return s.remove(ctx, a)
	})
	if errors.Is(err, store.ErrBusy) {
		return false, nil
	}
	return removed && err == nil, err
}

// errExpired is why most records are swept.
var errExpired = errors.New("store: expired")

// dead says why the record at key may be removed, errExpired or an ErrCorrupt; nil if it may not.
func (s *Store) dead(ctx context.Context, kind, key string) (why, err error) {
	r, err := s.readKey(ctx, kind, key)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		return err, nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, errNewer):
		return nil, nil
	case err != nil:
		return nil, err
	case r.expired(s.now()):
		return errExpired, nil
	}
	return nil, nil
}

// sweepStray removes a temporary file that a crash has left behind.
func (s *Store) sweepStray(ctx context.Context, key string) error {
	info, err := s.storage.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.IsTerminal || info.Modified.IsZero() || time.Since(info.Modified) < strayAge {
		return err
	}
	return s.storage.Delete(ctx, key)
}

// kinds returns the kinds that have been kept in this storage: those there are folders of, and those this
// process has written, since storages differ in whether they list folders.
func (s *Store) kinds(ctx context.Context) ([]string, error) {
	found := make(map[string]bool)
	s.used.Range(func(kind, _ any) bool {
		found[kind.(string)] = true
		return true
	})
	keys, err := s.storage.List(ctx, s.prefix, false)
	if errors.Is(err, fs.ErrNotExist) {
		err = ctx.Err()
	}
	for _, key := range keys {
		kind, _, _ := strings.Cut(strings.TrimPrefix(key, s.prefix+"/"), "/")
		if store.CheckKind(kind) == nil {
			found[kind] = true
		}
	}
	kinds := make([]string, 0, len(found))
	for kind := range found {
		kinds = append(kinds, kind)
	}
	return kinds, err
}
