package oauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
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

// keyReload is how long a node waits between two looks for a key that it does not know.
const keyReload = 5 * time.Second

var (
	// errUnknownKey says that no key of ours has this kid.
	errUnknownKey = errors.New("oauth: unknown signing key")
	// errKeyRecord says that what the store has is of no use to us, which waiting does not change.
	errKeyRecord = errors.New("oauth: the signing keys in the store can't be read")
)

// keyring loads the keys on first use, and makes them if there are none: never while a configuration is only checked.
type keyring struct {
	server *Server

	mu     sync.Mutex
	keys   *signingKeys
	looked time.Time
	// failed is why the last look could not be taken; told is set once the log has it that another look won't help.
	failed error
	told   bool
}

// current returns the keys, without a look into the store once they are known.
func (k *keyring) current(ctx context.Context) (*signingKeys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys != nil {
		return k.keys, nil
	}
	return k.load(ctx)
}

// verifier returns the public key with this kid. One that is not known may have been made by another node since, so the
// store is asked again, but not for every made-up kid.
func (k *keyring) verifier(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		if _, err := k.load(ctx); err != nil {
			return nil, err
		}
	}
	if k.keys.public[kid] == nil && k.server.now().Sub(k.looked) >= keyReload {
		k.look(ctx)
	}
	if pub := k.keys.public[kid]; pub != nil {
		return pub, nil
	}
	if k.failed != nil {
		return nil, k.failed
	}
	return nil, errUnknownKey
}

// keep sees to it that the keys in use are in the store, so that a restart finds them.
func (k *keyring) keep(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys != nil {
		k.look(ctx)
	}
}

// look reads the record again, or puts it back. Whatever comes of it, the keys in use stay good. A record that is of no use, as
// after another installation's was put in its place, is told to the operator, and holds up nobody. The caller holds the lock.
func (k *keyring) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	_, err := k.load(ctx)
	k.looked, k.failed = k.server.now(), err
	useless := errors.Is(err, errKeyRecord)
	if useless {
		k.failed = nil
	}
	if useless && !k.told {
		k.server.log.Error("the storage has other secrets than this process, which goes on with its own until it is restarted", zap.Error(err))
	}
	k.told = useless
}

// load reads the record, or makes it. The caller holds the lock.
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
	plain, err := sealer.Open(purposeKey, keyRecord, string(sealed))
	if err != nil {
		return nil, fmt.Errorf("%w: they were encrypted with another root secret than this process has: %w", errKeyRecord, err)
	}
	keys, err := parseKeySet(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyRecord, err)
	}
	keys.sealed = bytes.Clone(sealed)
	k.keys, k.looked = keys, s.now()
	return keys, nil
}

// makeRecord keeps a record where there is none, and returns it: that of the keys in use, if it was lost, and else new keys. If
// another node was faster, it is that one's.
func (k *keyring) makeRecord(ctx context.Context, sealer *seal.Sealer) ([]byte, error) {
	s := k.server
	if k.keys != nil {
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
		if k.keys != nil {
			sealed = k.keys.sealed
			return sealed, time.Time{}, nil
		}
		plain, err := newKeySet(s.now())
		if err != nil {
			return nil, time.Time{}, err
		}
		sealed = []byte(sealer.Seal(purposeKey, keyRecord, plain))
		return sealed, time.Time{}, nil
	})
	return sealed, err
}
