package oauth

import (
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
	"time"

	"github.com/go-jose/go-jose/v4"
)

// purposeToken keeps pairwise subjects apart from whatever else might be made with the same secret.
const purposeToken = "oauth-pairwise"

// keySet is what is kept: the keys of access tokens, newest first, and the secret that pairwise subjects are made with.
type keySet struct {
	Keys     []storedKey `json:"keys"`
	Pairwise []byte      `json:"pairwise"`
}

// storedKey is one ES256 key in PKCS #8 form.
type storedKey struct {
	ID      string    `json:"kid"`
	Created time.Time `json:"created"`
	// From is when it begins to sign, having been published since it was created.
	From time.Time `json:"from"`
	// TTL is the longest that a token signed with it may live.
	TTL   time.Duration `json:"ttl"`
	PKCS8 []byte        `json:"pkcs8"`
}

// signingKeys are the keys in use.
type signingKeys struct {
	signers  []timedSigner // newest first
	public   map[string]*ecdsa.PublicKey
	jwks     []byte
	pairwise []byte
	// sealed is the record that they were read from.
	sealed []byte
}

// timedSigner signs from a time on.
type timedSigner struct {
	jose.Signer
	from time.Time
}

// newKeySet makes a set with one key, which signs at once.
func newKeySet(now time.Time, ttl time.Duration) (*keySet, error) {
	key, err := newKey(now, now, ttl)
	if err != nil {
		return nil, err
	}
	return &keySet{Keys: []storedKey{key}, Pairwise: randomBytes(32)}, nil
}

// newKey makes a key.
func newKey(now, from time.Time, ttl time.Duration) (storedKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return storedKey{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return storedKey{}, err
	}
	thumb, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(cryptoSHA256)
	if err != nil {
		return storedKey{}, err
	}
	return storedKey{ID: base64.RawURLEncoding.EncodeToString(thumb), Created: now.UTC(), From: from.UTC(), TTL: ttl, PKCS8: der}, nil
}

// decodeKeySet reads a set.
func decodeKeySet(plain []byte) (*keySet, error) {
	set := new(keySet)
	if err := json.Unmarshal(plain, set); err != nil {
		return nil, err
	}
	if len(set.Keys) == 0 || len(set.Pairwise) < 32 {
		return nil, errors.New("the key record is incomplete")
	}
	return set, nil
}

// ready makes the keys ready for use.
func (set *keySet) ready() (*signingKeys, error) {
	keys := &signingKeys{public: make(map[string]*ecdsa.PublicKey), pairwise: set.Pairwise}
	var published jose.JSONWebKeySet
	for _, stored := range set.Keys {
		private, err := parsePrivateKey(stored.PKCS8)
		if err != nil {
			return nil, err
		}
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: stored.ID}},
			(&jose.SignerOptions{}).WithType(accessTokenType),
		)
		if err != nil {
			return nil, err
		}
		keys.signers = append(keys.signers, timedSigner{signer, stored.From})
		keys.public[stored.ID] = &private.PublicKey
		published.Keys = append(published.Keys, jose.JSONWebKey{Key: &private.PublicKey, KeyID: stored.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	var err error
	keys.jwks, err = json.Marshal(published)
	return keys, err
}

// signer is the newest of the keys that may sign. If none may yet, a clock was wrong, and the oldest does.
func (k *signingKeys) signer(now time.Time) jose.Signer {
	for _, signer := range k.signers {
		if !now.Before(signer.from) {
			return signer
		}
	}
	return k.signers[len(k.signers)-1]
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
