package caddystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// digits that a hash may begin with; each has a folder of its own.
const digits = "0123456789abcdef"

// List implements store.Store. It holds the keys of a sixteenth of the records and one record at a time.
func (s *Store) List(ctx context.Context, kind string, f func(id string, value []byte) error) error {
	if err := store.CheckKind(kind); err != nil {
		return err
	}
	unreadable := 0
	var first error
	err := s.walk(ctx, kind, func(key string) error {
		r, err := s.readKey(ctx, kind, key)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			if unreadable++; first == nil {
				first = err
			}
			return nil
		case errors.Is(err, store.ErrNotFound), errors.Is(err, errNewer), errors.Is(err, errStray):
			return nil
		case err != nil:
			return err
		case r.expired(s.now()):
			return nil
		}
		return f(r.id, r.value)
	})
	if err == nil && first != nil {
		err = fmt.Errorf("%w (%d of kind %s can't be read)", first, unreadable, kind)
	}
	return err
}

// errStray says that a key is not one of a record.
var errStray = errors.New("store: not a record")

// readKey reads the record at a key that a listing gave, expired or not.
func (s *Store) readKey(ctx context.Context, kind, key string) (record, error) {
	if !strings.HasSuffix(key, extension) {
		return record{}, errStray
	}
	r, err := s.read(ctx, key)
	if err == nil && (r.kind != kind || s.address(kind, r.id).key != key) {
		err = corrupt("lies in another's place")
	}
	return r, err
}

// walk calls f with the keys in all folders of a kind.
func (s *Store) walk(ctx context.Context, kind string, f func(key string) error) error {
	for i := range len(digits) {
		folder := s.folder(kind, digits[i:i+1])
		keys, err := s.keys(ctx, folder)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := f(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys lists the keys of one folder.
//
// The file storage's List fails if a file vanishes while it walks, as every write does with its temporary
// file and every removal with the record. So it is tried again, after pauses that grow; an absent folder,
// which fails in the same way, holds nothing.
func (s *Store) keys(ctx context.Context, folder string) ([]string, error) {
	var err error
	for pause := time.Millisecond; pause <= 512*time.Millisecond; pause *= 2 {
		var keys []string
		if keys, err = s.storage.List(ctx, folder, true); err == nil {
			for i, key := range keys {
				keys[i] = path.Join(folder, path.Base(key)) // some storages leave the prefix out, or put their own before it
			}
			return keys, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if !s.storage.Exists(ctx, folder) {
			return nil, ctx.Err()
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("store: listing %s: %w", folder, err)
}
