package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Where the keys of access tokens are kept: one record, sealed, which all nodes share.
const (
	kindKey      = "key"
	keyRecord    = "access-token"
	purposeKey   = "oauth-key"
	purposeToken = "oauth-pairwise"
)

// keyReload is how long a node waits between two looks for a key that it does not know.
const keyReload = 5 * time.Second

// errUnknownKey says that no key of ours has this kid.
var errUnknownKey = errors.New("oauth: unknown signing key")

// keySet is what is kept: the keys that access tokens may be signed with, newest first, and the secret that pairwise
// subjects are made with.
type keySet struct {
	Keys     []storedKey `json:"keys"`
	Pairwise []byte      `json:"pairwise"`
}

// storedKey is one ES256 key in PKCS #8 form.
type storedKey struct {
	ID      string    `json:"kid"`
	Created time.Time `json:"created"`
	PKCS8   []byte    `json:"pkcs8"`
}

// signingKeys are the keys in use.
type signingKeys struct {
	signer   jose.Signer
	public   map[string]*ecdsa.PublicKey
	jwks     []byte
	pairwise []byte
}

// keyring loads the keys on first use, and makes them if there are none: never while a configuration is only checked.
type keyring struct {
	server *Server

	mu     sync.Mutex
	keys   *signingKeys
	looked time.Time
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
	keys, err := k.keys, error(nil)
	if keys == nil {
		if keys, err = k.load(ctx); err != nil {
			return nil, err
		}
	}
	if pub := keys.public[kid]; pub != nil {
		return pub, nil
	}
	if k.server.now().Sub(k.looked) >= keyReload {
		if keys, err = k.load(ctx); err != nil {
			return nil, err
		}
	}
	if pub := keys.public[kid]; pub != nil {
		return pub, nil
	}
	return nil, errUnknownKey
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
		err = s.cfg.Store.Update(ctx, kindKey, keyRecord, func(old []byte) ([]byte, time.Time, error) {
			if old != nil { // another node was faster
				sealed = append([]byte(nil), old...)
				return old, time.Time{}, nil
			}
			plain, err := newKeySet(s.now())
			if err != nil {
				return nil, time.Time{}, err
			}
			sealed = []byte(sealer.Seal(purposeKey, keyRecord, plain))
			return sealed, time.Time{}, nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("oauth: signing keys: %w", err)
	}
	plain, err := sealer.Open(purposeKey, keyRecord, string(sealed))
	if err != nil {
		return nil, fmt.Errorf("oauth: signing keys were encrypted with another root secret than the one in the store: %w", err)
	}
	keys, err := parseKeySet(plain)
	if err != nil {
		return nil, fmt.Errorf("oauth: signing keys: %w", err)
	}
	k.keys, k.looked = keys, s.now()
	return keys, nil
}

// newKeySet makes a set with one key.
func newKeySet(now time.Time) ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	thumb, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(cryptoSHA256)
	if err != nil {
		return nil, err
	}
	set := keySet{
		Keys:     []storedKey{{ID: base64.RawURLEncoding.EncodeToString(thumb), Created: now.UTC(), PKCS8: der}},
		Pairwise: randomBytes(32),
	}
	return json.Marshal(set)
}

// parseKeySet makes the keys ready for use.
func parseKeySet(plain []byte) (*signingKeys, error) {
	var set keySet
	if err := json.Unmarshal(plain, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) == 0 || len(set.Pairwise) < 32 {
		return nil, errors.New("the key record is incomplete")
	}
	keys := &signingKeys{public: make(map[string]*ecdsa.PublicKey), pairwise: set.Pairwise}
	var published jose.JSONWebKeySet
	for i, stored := range set.Keys {
		private, err := parsePrivateKey(stored.PKCS8)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			keys.signer, err = jose.NewSigner(
				jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: stored.ID}},
				(&jose.SignerOptions{}).WithType(accessTokenType),
			)
			if err != nil {
				return nil, err
			}
		}
		keys.public[stored.ID] = &private.PublicKey
		published.Keys = append(published.Keys, jose.JSONWebKey{Key: &private.PublicKey, KeyID: stored.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	var err error
	keys.jwks, err = json.Marshal(published)
	return keys, err
}

// parsePrivateKey reads a key of ES256.
func parsePrivateKey(der []byte) (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("a key is not for ES256")
	}
	return private, nil
}

// subject makes the pairwise identifier of a person for one client at one resource (OpenID Connect Core section 8.1): two
// clients, or two servers, can't find out from it that they serve the same person.
func (k *signingKeys) subject(clientID, resource, user string) string {
	mac := hmac.New(sha256.New, k.pairwise)
	for _, part := range []string{purposeToken, clientID, resource, user} {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:20])
}
