package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/fetch"
)

// Bounds of a client's keys. Checking a signature takes time that grows with the key, and whoever writes a document chooses both.
const (
	maxKeySet  = 32 << 10 // bytes
	maxKeys    = 16
	minRSABits = 2048 // RFC 7518 section 3.3
	maxRSABits = 4096
	// keysReread is how old keys are at least that are fetched again because none of them fits.
	keysReread = time.Minute
)

// clientKeySet are public keys that signatures can be checked with.
type clientKeySet []jose.JSONWebKey

// clientKeys are a client's keys, or where they are.
type clientKeys struct {
	set clientKeySet
	uri string
	// algorithm is the only one that the client signs with; "" if it does not say.
	algorithm string
}

// parseKeys reads a JWK Set (RFC 7517 section 5); where it comes from does not matter. Keys that are for something else, of kinds that are
// not known, or too small or large are left out; that of a set no key is left is an error, and so is a key that is no secret any more.
func parseKeys(_ string, body []byte) (clientKeySet, error) {
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := jsonv2.Unmarshal(body, &doc); err != nil {
		return nil, &fetch.Refusal{Reason: "is not a JWK Set", Err: err}
	}
	if len(doc.Keys) > maxKeys {
		return nil, &fetch.Refusal{Reason: "has too many keys"}
	}
	var set clientKeySet
	for _, raw := range doc.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(raw); err != nil {
			continue
		}
		if _, symmetric := key.Key.([]byte); !symmetric && key.Valid() && !key.IsPublic() {
			return nil, &fetch.Refusal{Reason: "gives away a private key"}
		}
		if usableKey(&key) {
			set = append(set, key)
		}
	}
	if len(set) == 0 {
		return nil, &fetch.Refusal{Reason: "has no key that can be used here"}
	}
	return set, nil
}

// usableKey reports whether signatures can be checked with a key.
func usableKey(key *jose.JSONWebKey) bool {
	if !key.Valid() || key.Use != "" && key.Use != "sig" {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits && k.E >= 3 && k.E%2 == 1 && k.E <= 1<<31-1
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}

// parsePublicKeys reads keys that an operator wrote down: each in PEM, or as a JWK or JWK Set.
func parsePublicKeys(texts []string) (clientKeySet, error) {
	var all clientKeySet
	for _, text := range texts {
		set, err := parsePublicKey(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		all = append(all, set...)
	}
	if len(all) > maxKeys {
		return nil, errors.New("there are too many public keys")
	}
	return all, nil
}

// CheckPublicKey says why a text can't be one of StaticClient.PublicKeys. It does not repeat the text, which may be a private key.
func CheckPublicKey(text string) error {
	_, err := parsePublicKey(strings.TrimSpace(text))
	return err
}

// parsePublicKey reads one of them.
func parsePublicKey(text string) (clientKeySet, error) {
	errKey := errors.New("a public key has to be in PEM (BEGIN PUBLIC KEY), or a JWK or JWK Set: RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519")
	if strings.HasPrefix(text, "{") {
		var members map[string]jsontext.Value
		if err := jsonv2.Unmarshal([]byte(text), &members); err != nil {
			return nil, errKey
		}
		if members["keys"] == nil {
			text = `{"keys":[` + text + `]}`
		}
		set, err := parseKeys("", []byte(text))
		if refusal, ok := errors.AsType[*fetch.Refusal](err); ok {
			return nil, errors.New(errKey.Error() + "; this one " + refusal.Reason)
		}
		return set, err
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errKey
	}
	if strings.Contains(block.Type, "PRIVATE") {
		return nil, errors.New("a private key is for the client alone: put its public half here")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errKey
	}
	key := jose.JSONWebKey{Key: public}
	if !usableKey(&key) {
		return nil, errKey
	}
	return clientKeySet{key}, nil
}

// keysOf returns a client's keys, those of a document as they were after askedAfter.
func (d *documents) keysOf(ctx context.Context, c *client, askedAfter time.Time) (clientKeySet, error) {
	keys := c.Keys
	if keys.uri != "" {
		set, err := d.keys.Get(ctx, keys.uri, d.request(ctx, keys.uri, askedAfter))
		if err != nil {
			return nil, documentError("JWK Set", err)
		}
		return set, nil
	}
	if askedAfter.IsZero() || c.Domain == "" {
		return keys.set, nil
	}
	anew, err := d.clients.Get(ctx, c.ID, d.request(ctx, c.ID, askedAfter))
	if err != nil {
		return nil, documentError("metadata document", err)
	}
	if anew.Keys == nil {
		return nil, nil
	}
	return anew.Keys.set, nil
}

// verify checks a signature and returns what was signed.
func (set clientKeySet) verify(head *assertionHead, signed *jose.JSONWebSignature) ([]byte, error) {
	for _, key := range set.matching(head) {
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, jose.ErrCryptoFailure
}

// is reports whether a set is the other one, and not only like it.
func (set clientKeySet) is(other clientKeySet) bool {
	return len(set) == len(other) && (len(set) == 0 || &set[0] == &other[0])
}

// verifySignature returns what a client has signed. A key that it has only just begun to use, be it under the name of an older one, is not
// among those that were fetched before: they are fetched again if none fits, unless that was done in the last minute.
func (s *Server) verifySignature(ctx context.Context, c *client, head *assertionHead, signed *jose.JSONWebSignature) ([]byte, error) {
	set, err := s.documents.keysOf(ctx, c, time.Time{})
	if err != nil {
		return nil, err
	}
	payload, err := set.verify(head, signed)
	if err == nil {
		return payload, nil
	}
	anew, err := s.documents.keysOf(ctx, c, s.now().Add(-keysReread))
	if err != nil {
		return nil, err
	}
	if !anew.is(set) {
		if payload, err = anew.verify(head, signed); err == nil {
			return payload, nil
		}
	}
	return nil, invalidClient("The client_assertion is not signed with a key of this client.", false)
}

// matching returns the keys with the kid of a signature, or all if it has none, that are for its algorithm.
func (set clientKeySet) matching(head *assertionHead) clientKeySet {
	return slices.DeleteFunc(slices.Clone(set), func(key jose.JSONWebKey) bool {
		return head.KeyID != "" && key.KeyID != head.KeyID && key.KeyID != "" || key.Algorithm != "" && key.Algorithm != head.Algorithm
	})
}
