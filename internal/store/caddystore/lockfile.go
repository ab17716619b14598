package caddystore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/certmagic"
)

// Locks on the file storage are files where certmagic has its own and like them, but made and taken away here. certmagic's leave a
// goroutine behind each time that for five seconds looks after the file of that name, whosever it then is: dozens of them, as of many
// writes to one record, break the file, and log that. It also looks once a second for a lock that others have, and never gets past
// one that a loss of power has garbled.
const (
	// lockLife is how old a lock may be before its process counts as dead: longer than any of ours is held.
	lockLife = 10 * time.Second
	// lockSkew is how far the clocks of two nodes may be apart.
	lockSkew = time.Minute
	// garbledLife is the same for a lock that says nothing: it is being written just now, or never will be.
	garbledLife = 2 * time.Second
	// firstLook and lastLook are how long who waits for a lock waits between two looks, at first and at most.
	firstLook = 2 * time.Millisecond
	lastLook  = 100 * time.Millisecond
)

// lockMeta is what is in a lock file. ID tells one holding from another; certmagic has the times alone.
type lockMeta struct {
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	ID      string    `json:"id,omitempty"`
}

// lockFile is where the file of a lock is.
func (s *Store) lockFile(name string) string {
	return filepath.Join(s.files.Path, "locks", certmagic.StorageKeys.Safe(name)+".lock")
}

// takeFile waits for a lock file until ctx ends, makes it, and returns what is in it.
func takeFile(ctx context.Context, file string) (string, error) {
	var seen string
	var since time.Time
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		mine, err := makeFile(file)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return mine, err
		}
		there, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", err
		case since.IsZero() || string(there) != seen:
			seen, since = string(there), time.Now()
		}
		if dead(there, time.Since(since)) {
			if err := takeAway(file, seen); err != nil {
				return "", err
			}
			continue
		}
		if err := wait(ctx, pause); err != nil {
			return "", err
		}
	}
}

// makeFile makes a lock file. The error is fs.ErrExist if somebody has the lock.
func makeFile(file string) (content string, err error) {
	now := time.Now()
	data, err := json.Marshal(lockMeta{Created: now, Updated: now, ID: rand.Text()})
	if err != nil {
		return "", err
	}
	const flags = os.O_CREATE | os.O_WRONLY | os.O_EXCL
	f, err := os.OpenFile(file, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return "", err
		}
		f, err = os.OpenFile(file, flags, 0o600)
	}
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		// A full disk, say. Empty, it would keep others out for seconds.
		return "", errors.Join(err, os.Remove(file))
	}
	return string(data), nil
}

// dead reports whether the process that has a lock is gone, by what the lock says and by how long it has been seen to say that: clocks
// of two nodes may differ.
func dead(content []byte, unchanged time.Duration) bool {
	var meta lockMeta
	if json.Unmarshal(content, &meta) != nil || meta.Created.IsZero() {
		return unchanged > garbledLife
	}
	if meta.Updated.Before(meta.Created) {
		meta.Updated = meta.Created
	}
	return unchanged > lockLife || time.Since(meta.Updated) > lockLife+lockSkew
}

// takeAway removes the lock of a dead process. Of several who want to, one gets it; should that be the lock that the fastest of them has made
// since, it is put back.
func takeAway(file, seen string) error {
	away := file + "." + rand.Text()
	err := os.Rename(file, away)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if got, err := os.ReadFile(away); err == nil && string(got) != seen {
		_ = os.Link(away, file) // if that fails, its holder finds that it has lost it
	}
	return os.Remove(away)
}

// releaseFile removes a lock file, if it is still the one that was made.
func releaseFile(file, mine string) error {
	if there, err := os.ReadFile(file); err != nil || string(there) != mine {
		return nil // it was taken away
	}
	err := os.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
