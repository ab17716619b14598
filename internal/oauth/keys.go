package oauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Where the keys of access tokens are kept: one record, sealed, which all nodes share.
const (
	kindKey    = "key"
	keyRecord  = "access-token"
	purposeKey = "oauth-key"
)

const (
	// keyReload is how long a node waits between two looks for a key that it does not know.
	keyReload = 5 * time.Second
	// keyReread is how long a node signs without a look for what other nodes have done to the keys.
	keyReread = time.Minute
)

var (
	// errUnknownKey says that no key of ours has this kid.
	errUnknownKey = errors.New("oauth: unknown signing key")
	// errKeyRecord says that what the store has is of no use to us, which waiting does not change.
	errKeyRecord = errors.New("oauth: the signing keys in the store can't be read")
)

// keyring loads the keys on first use, and makes them if there are none: never while a configuration is only checked.
type keyring struct {
	server *Server
	keys   atomic.Pointer[signingKeys] // nil: not known yet
	last   atomic.Pointer[keyLook]     // nil: none yet
	looks  flights[*signingKeys]

	// work is held while the keys are read or changed. No request waits for it but that of an operator: the store may be slow.
	work sync.Mutex
	told bool // the log has it that another look won't help
}

// keyLook is a look for what there is in the store.
type keyLook struct {
	at     time.Time
	failed error // why it could not be taken
}

// sinceLook is how long ago the last look was.
func (k *keyring) sinceLook() time.Duration {
	last := k.last.Load()
	if last == nil {
		return math.MaxInt64
	}
	return k.server.now().Sub(last.at).Abs()
}

// current returns the keys to sign with. Once they are known, the store is looked into from time to time, by one of those who sign, and
// can't keep anybody from signing.
func (k *keyring) current(ctx context.Context) (*signingKeys, error) {
	if k.keys.Load() == nil {
		return k.lookUp(ctx)
	}
	if k.sinceLook() >= keyReread && k.work.TryLock() {
		defer k.work.Unlock()
		k.look(ctx)
	}
	return k.keys.Load(), nil
}

// verifier returns the public key with this kid. One that is not known may have been made by another node since, so the
// store is asked again, but not for every made-up kid.
func (k *keyring) verifier(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	keys := k.keys.Load()
	if keys == nil || keys.public[kid] == nil && k.sinceLook() >= keyReload {
		var err error
		if keys, err = k.lookUp(ctx); err != nil {
			return nil, err
		}
	}
	if pub := keys.public[kid]; pub != nil {
		return pub, nil
	}
	if last := k.last.Load(); last != nil && last.failed != nil {
		return nil, last.failed
	}
	return nil, errUnknownKey
}

// lookUp looks into the store, once for all who want to know and for no longer than each of them can wait.
func (k *keyring) lookUp(ctx context.Context) (*signingKeys, error) {
	call := k.looks.start("", func() (*signingKeys, error) {
		k.work.Lock()
		defer k.work.Unlock()
		if k.keys.Load() == nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
			defer cancel()
			return k.load(ctx)
		}
		if k.sinceLook() >= keyReload {
			k.look(ctx)
		}
		return k.keys.Load(), nil
	})
	select {
	case <-call.done:
		return call.value, call.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// keep sees to it that the keys in use are in the store, so that a restart finds them.
func (k *keyring) keep(ctx context.Context) {
	k.work.Lock()
	defer k.work.Unlock()
	if k.keys.Load() != nil {
		k.look(ctx)
	}
}

// look reads the record again, or puts it back. Whatever comes of it, the keys in use stay good. A record that is of no use, as
// after another installation's was put in its place, is told to the operator, and holds up nobody. The caller holds the lock.
func (k *keyring) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	_, err := k.load(ctx)
	useless := errors.Is(err, errKeyRecord)
	if useless && !k.told {
		k.server.log.Error("the storage has other secrets than this process, which goes on with its own until it is restarted", zap.Error(err))
	}
	if k.told = useless; useless {
		err = nil
	}
	k.last.Store(&keyLook{at: k.server.now(), failed: err})
}

// load reads the record, or makes it, and sees to it that it has the keys that are due. The caller holds the lock.
func (k *keyring) load(ctx context.Context) (*signingKeys, error) {
	s := k.server
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, fmt.Errorf("oauth: signing keys: %w", err)
	}
	sealed, err := s.cfg.Store.Get(ctx, kindKey, keyRecord)
	if errors.Is(err, store.ErrNotFound) {
		sealed, err = k.makeRecord(ctx, sealer)
	}
	if err != nil {
		return nil, fmt.Errorf("oauth: signing keys: %w", err)
	}
	set, err := openKeySet(sealer, sealed)
	if err != nil {
		return nil, err
	}
	due := set.clone()
	if changed, err := due.advance(s.now(), s.cfg.KeyRotation, s.cfg.AccessTTL); err != nil || changed {
		if err == nil {
			due, sealed, err = k.change(ctx, sealer, func(set *keySet) (bool, error) {
				return set.advance(s.now(), s.cfg.KeyRotation, s.cfg.AccessTTL)
			})
		}
		if err != nil {
			// Those that are there are good for longer.
			s.log.Warn("the signing keys could not be rotated; it will be tried again", zap.Error(err))
		} else {
			set = due
		}
	}
	return k.use(set, sealed)
}

// use puts a set into use. Tokens that were found good with a key that has gone are checked anew. The caller holds the lock.
func (k *keyring) use(set *keySet, sealed []byte) (*signingKeys, error) {
	keys, err := set.ready()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyRecord, err)
	}
	keys.sealed = bytes.Clone(sealed)
	before := k.keys.Swap(keys)
	k.last.Store(&keyLook{at: k.server.now()})
	if before != nil {
		for id := range before.public {
			if keys.public[id] == nil {
				k.server.cache.tokens.clear()
				break
			}
		}
	}
	return keys, nil
}

// openKeySet unseals a record.
func openKeySet(sealer *seal.Sealer, sealed []byte) (*keySet, error) {
	plain, err := sealer.Open(purposeKey, keyRecord, string(sealed))
	if err != nil {
		return nil, fmt.Errorf("%w: they were encrypted with another root secret than this process has: %w", errKeyRecord, err)
	}
	set, err := decodeKeySet(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyRecord, err)
	}
	return set, nil
}

// makeRecord keeps a record where there is none, and returns it: that of the keys in use, if it was lost, and else new keys. If
// another node was faster, it is that one's.
func (k *keyring) makeRecord(ctx context.Context, sealer *seal.Sealer) ([]byte, error) {
	s := k.server
	inUse := k.keys.Load()
	if inUse != nil {
		// The record is of no use without the secret that it is sealed with, which is gone too if all of the storage is.
		if err := sealer.Keep(ctx, s.cfg.Store); errors.Is(err, seal.ErrForeign) {
			return nil, fmt.Errorf("%w: %w", errKeyRecord, err)
		} else if err != nil {
			return nil, err
		}
	}
	var sealed []byte
	err := s.cfg.Store.Update(ctx, kindKey, keyRecord, func(old []byte) ([]byte, time.Time, error) {
		if old != nil {
			sealed = append([]byte(nil), old...)
			return old, time.Time{}, nil
		}
		if inUse != nil {
			sealed = inUse.sealed
			return sealed, time.Time{}, nil
		}
		set, err := newKeySet(s.now(), s.cfg.AccessTTL)
		if err != nil {
			return nil, time.Time{}, err
		}
		plain, err := json.Marshal(set)
		if err != nil {
			return nil, time.Time{}, err
		}
		sealed = []byte(sealer.Seal(purposeKey, keyRecord, plain))
		return sealed, time.Time{}, nil
	})
	return sealed, err
}
