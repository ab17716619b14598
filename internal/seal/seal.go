// Package seal makes what an upstream hands out (session ids, cursors, task
// ids, request state) useless to anyone but the caller it was handed to, and
// encrypts secrets at rest.
package seal

import (
	"context"
	"errors"
	"time"
)

// ErrForeign is returned by Open for anything that this Sealer, or one with the
// same root, did not seal for the same purpose and binding.
var ErrForeign = errors.New("seal: not a handle of ours for this holder")

// Keeper keeps the root secrets. A store.Store is one.
type Keeper interface {
	// Update runs f alone for the record on all nodes; old is nil if it is absent.
	Update(ctx context.Context, kind, id string, f func(old []byte) (next []byte, expires time.Time, err error)) error
}

// Sealer seals and opens. It is safe for concurrent use.
type Sealer struct{}

// Load reads the root secrets from k, and makes the first one if there is none.
func Load(ctx context.Context, k Keeper) (*Sealer, error) { return nil, errors.New("seal: no keeper") }

// New makes a Sealer of one root secret.
func New(root [32]byte) *Sealer { return &Sealer{} }

// Seal encrypts plain for a purpose and a holder.
func (s *Sealer) Seal(purpose, binding string, plain []byte) string { return "" }

// Open returns what was sealed for the same purpose and binding, or ErrForeign.
func (s *Sealer) Open(purpose, binding, text string) ([]byte, error) { return nil, ErrForeign }
