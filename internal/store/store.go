// Package store keeps what must outlive a restart: grants, codes, clients, keys. It is an interface with one
// contract test, in storetest, that every implementation passes.
//
// A record has a kind, an id, a value of any bytes and a time at which it ends. What is kept under which kind
// is the business of the package that keeps it; this one only says what a kind looks like (see CheckKind).
// Secrets arrive here hashed or encrypted already: a store does not add secrecy of its own.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Bounds of a record. They are far above what the gateway writes, and low enough that a listing has bounded
// memory.
const (
	// MaxKind is the longest kind, in bytes.
	MaxKind = 32
	// MaxID is the longest id, in bytes.
	MaxID = 8 << 10
	// MaxValue is the longest value, in bytes.
	MaxValue = 1 << 20
)

var (
	// ErrNotFound says that there is no such record, or that it has expired.
	ErrNotFound = errors.New("store: no such record")
	// ErrKind says that a kind is not a name that every store can keep. It is a mistake in the program, never
	// in the input.
	ErrKind = errors.New("store: not a kind")
	// ErrTooLarge says that an id or a value is longer than MaxID or MaxValue.
	ErrTooLarge = errors.New("store: record too large")
	// ErrCorrupt says that the bytes kept are not what was once written. The record stays as it is until
	// Sweep removes it.
	ErrCorrupt = errors.New("store: corrupt record")
	// ErrBusy says that someone else held the record for longer than the store is willing to wait. Nothing
	// was changed; trying later helps.
	ErrBusy = errors.New("store: record is busy")
)

// Store keeps records. All methods may be called from several goroutines, and from several nodes that share
// one place.
//
// An id is any string up to MaxID bytes, the empty one included, and is compared byte for byte. A longer id
// was never stored: Get answers ErrNotFound and Delete nil, so that a caller may look up what came from the
// network as it came.
//
// A record has expired as soon as the store's clock reads its expiry or later. An expired record is absent to
// every method, whether it has been swept or not.
//
// Writes to one record (Put, Update, Delete, and the removals of Sweep) happen one after another on all
// nodes: a Delete that meets an Update under way takes effect after it and is not undone by it. Every write
// is durable before it returns.
type Store interface {
	// Get returns a copy of the value. Its errors are ErrNotFound, ErrCorrupt and the underlying storage's.
	Get(ctx context.Context, kind, id string) ([]byte, error)

	// Put keeps the value until expires, in place of what was there before. The zero time means that it never
	// ends; one that is already past leaves nothing to find.
	Put(ctx context.Context, kind, id string, value []byte, expires time.Time) error

	// Update runs f alone for this record on all nodes and keeps what it returns. old is the present value,
	// and nil exactly if there is none; a value that is there but empty is not nil. A nil next deletes the
	// record. An error of f leaves the record as it was, and is returned as it is.
	//
	// f must be quick, since others wait for it and a store gives up on an f that takes too long, with
	// ErrBusy and nothing changed. It must not use the store for the same record. It may keep neither of the
	// slices.
	Update(ctx context.Context, kind, id string, f func(old []byte) (next []byte, expires time.Time, err error)) error

	// Delete removes the record; that it was not there is no error.
	Delete(ctx context.Context, kind, id string) error

	// List calls f once for every record of the kind that has not expired, in no order, and stops at the
	// first error of f, which it returns as it is. A record that is written or deleted meanwhile may be seen
	// or not. f may use the store, also to delete or update the record it was called for. It may not keep the
	// value. Records that can't be read do not keep the others from being listed: they are reported at the
	// end, by an error that is ErrCorrupt.
	List(ctx context.Context, kind string, f func(id string, value []byte) error) error

	// Sweep removes the records that have expired and those that are corrupt, of all kinds, and says how many
	// there were.
	Sweep(ctx context.Context) (removed int, err error)
}

// CheckKind says whether kind is a name that every store can keep: 1 to MaxKind lower-case letters, digits
// and dashes, a letter first. The error is ErrKind.
func CheckKind(kind string) error {
	if len(kind) == 0 || len(kind) > MaxKind || kind[0] < 'a' || kind[0] > 'z' {
		return fmt.Errorf("%w: %.40q", ErrKind, kind)
	}
	for i := range len(kind) {
		if c := kind[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%w: %.40q", ErrKind, kind)
		}
	}
	return nil
}

// CheckSize says whether an id and a value are within the bounds. The error is ErrTooLarge; it names neither,
// since both may be secret.
func CheckSize(id string, value []byte) error {
	if len(id) > MaxID {
		return fmt.Errorf("%w: id of %d bytes, at most %d", ErrTooLarge, len(id), MaxID)
	}
	if len(value) > MaxValue {
		return fmt.Errorf("%w: value of %d bytes, at most %d", ErrTooLarge, len(value), MaxValue)
	}
	return nil
}
