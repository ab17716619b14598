package seal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Keeper keeps the root secrets. A store.Store is one.
type Keeper interface {
	// Update runs f alone for the record on all nodes. old is nil if there is none;
	// what f returns is kept before Update returns. An error of f leaves the record
	// as it is and is returned.
	Update(ctx context.Context, kind, id string, f func(old []byte) (next []byte, expires time.Time, err error)) error
}

// Where a Keeper has the root secrets.
const (
	recordKind = "key"
	recordID   = "seal"
)

// record is how the root secrets are kept, the newest first.
type record struct {
	Roots [][]byte `json:"roots"`
}

// errKept ends an Update that has nothing to change.
var errKept = errors.New("seal: the root secrets are there")

// Load reads the root secrets from k, and makes the first one if there is none.
// It writes then only. A record it can't read is an error and is left alone, since
// with it everything sealed would be lost.
func Load(ctx context.Context, k Keeper) (*Sealer, error) {
	var roots [][RootSize]byte
	err := k.Update(ctx, recordKind, recordID, func(old []byte) ([]byte, time.Time, error) {
		var err error
		if old != nil {
			if roots, err = decode(old); err == nil {
				err = errKept
			}
			return nil, time.Time{}, err
		}
		roots = make([][RootSize]byte, 1)
		rand.Read(roots[0][:]) // never fails
		next, err := encode(roots)
		return next, time.Time{}, err
	})
	if err != nil && !errors.Is(err, errKept) {
		return nil, fmt.Errorf("loading the root secrets of sealed handles: %w", err)
	}
	return New(roots[0], roots[1:]...), nil
}

// Keep puts the root secrets of s back into k if they have gone from there, as when
// storage is emptied under a running program: what s sealed since would else be
// lost with the next start. That k has others is ErrForeign.
func (s *Sealer) Keep(ctx context.Context, k Keeper) error {
	err := k.Update(ctx, recordKind, recordID, func(old []byte) ([]byte, time.Time, error) {
		if old == nil {
			next, err := encode(s.secrets)
			return next, time.Time{}, err
		}
		kept, err := decode(old)
		if err == nil && slices.Contains(kept, s.secrets[0]) {
			err = errKept
		} else if err == nil {
			err = ErrForeign
		}
		return nil, time.Time{}, err
	})
	if err != nil && !errors.Is(err, errKept) {
		return fmt.Errorf("keeping the root secrets of sealed handles: %w", err)
	}
	return nil
}

func encode(roots [][RootSize]byte) ([]byte, error) {
	var rec record
	for i := range roots {
		rec.Roots = append(rec.Roots, roots[i][:])
	}
	return json.Marshal(rec)
}

// decode reads a record. Its errors don't quote it.
func decode(raw []byte) ([][RootSize]byte, error) {
	var rec record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return nil, errors.New("the record is not readable")
	}
	if len(rec.Roots) == 0 {
		return nil, errors.New("the record has no secret")
	}
	roots := make([][RootSize]byte, len(rec.Roots))
	for i, root := range rec.Roots {
		if len(root) != RootSize {
			return nil, fmt.Errorf("secret %d of the record has %d bytes, not %d", i+1, len(root), RootSize)
		}
		roots[i] = [RootSize]byte(root)
	}
	return roots, nil
}
