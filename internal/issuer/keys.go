package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
)

// Algorithms are those that a token may be signed with: none of a shared secret, so that nobody who knows a public key can sign
// with it (RFC 8725 section 3.1).
var Algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// maxKeys bounds how many keys of one issuer are kept.
const maxKeys = 64

// keySet is what an issuer signs with.
type keySet struct{ keys []jose.JSONWebKey }

// find returns the keys that a signature may be of. A token that names no key may be signed with any.
func (s *keySet) find(kid, algorithm string) (found []jose.JSONWebKey) {
	for _, key := range s.keys {
		if (kid == "" || key.KeyID == kid) && (key.Algorithm == "" || key.Algorithm == algorithm) {
			found = append(found, key)
		}
	}
	return found
}

// readKeys reads the keys (RFC 7517 section 5). What is no public key for signatures is left out, as is what can't be read:
// a new kind of key must not take the others with it.
func (i *Issuer) readKeys(ctx context.Context) (*keySet, error) {
	address := i.cfg.JWKS
	if address == "" {
		var err error
		if address, err = i.Endpoint(ctx, "jwks_uri", func(m *Metadata) string { return m.JWKS }); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := i.Do(r, &document); err != nil {
		return nil, err
	}
	set := new(keySet)
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.Valid() && key.IsPublic() && key.Use != "enc" && len(set.keys) < maxKeys {
			set.keys = append(set.keys, key)
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("the issuer has published no key that can be used")
	}
	return set, nil
}

// failureKey is where VerifySignature leaves why it could not tell.
type failureKey struct{}

// WithFailure returns a context with which VerifySignature leaves at failure why it could not tell whether a signature is good: go-oidc
// makes a text of errors.
func WithFailure(ctx context.Context) (_ context.Context, failure *error) {
	failure = new(error)
	return context.WithValue(ctx, failureKey{}, failure), failure
}

// VerifySignature implements oidc.KeySet. Which key is used depends on its id and the algorithm alone; keys, or addresses of
// keys, that the token brings along are nobody's (jwk, jku, x5c, x5u of RFC 7515).
func (i *Issuer) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	allowed := make([]jose.SignatureAlgorithm, len(Algorithms))
	for n, name := range Algorithms {
		allowed[n] = jose.SignatureAlgorithm(name)
	}
	jws, err := jose.ParseSignedCompact(token, allowed)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Header
	var tried *keySet
	for {
		// A key may have been replaced under its old id, so that where none fits, newer ones are looked for as well, now and then.
		set, err := i.keys.get(ctx, func(set *keySet) bool {
			return set != tried && (tried != nil || len(set.find(header.KeyID, header.Algorithm)) > 0)
		})
		if err != nil && (set == nil || !errors.Is(err, ErrResting)) {
			// Older keys may be there, and the token be of none of them: whether there is a newer one can't be told.
			if failure, ok := ctx.Value(failureKey{}).(*error); ok {
				*failure = err
			}
			i.log().Warn("the keys of an authorization server could not be read", zap.String("issuer", i.cfg.Name), zap.Error(err))
			return nil, err
		}
		if set != tried {
			for _, key := range set.find(header.KeyID, header.Algorithm) {
				if payload, err := jws.Verify(key); err == nil {
					return payload, nil
				}
			}
		}
		if tried != nil || err != nil {
			return nil, errors.New("no key of the issuer fits the signature")
		}
		tried = set
	}
}
