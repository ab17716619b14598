// Package seal makes what an upstream hands out (session ids, cursors, task
// ids, request state) useless to anyone but the caller it was handed to, and
// encrypts secrets at rest. A sealed text carries all there is to know, so no
// one has to keep it: it outlives a restart, and another node opens it too.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrForeign is returned by Open for anything that this Sealer, or one with the
// same root, did not seal for the same purpose and binding. It doesn't say which
// of these it was: who tries out handles learns nothing.
var ErrForeign = errors.New("seal: not a handle of ours for this holder")

// RootSize is the size of a root secret in bytes.
const RootSize = 32

// Sealer seals and opens. It is safe for concurrent use.
type Sealer struct {
	roots   []root // the first seals, all open
	secrets [][RootSize]byte
}

// New makes a Sealer of a root secret. What was sealed under one of the older
// ones is opened too.
func New(first [RootSize]byte, older ...[RootSize]byte) *Sealer {
	s := &Sealer{roots: make([]root, 1+len(older)), secrets: append([][RootSize]byte{first}, older...)}
	for i, secret := range s.secrets {
		s.roots[i].derive(secret)
	}
	return s
}

// Seal encrypts plain for a purpose and a holder, and returns a text of the
// URL-safe base64 alphabet, 38 characters and a third longer than plain. Sealing
// the same twice gives two texts.
//
// The purpose says what plain is and is a constant of the program; a text sealed
// for one purpose opens for no other. The binding says whose it is and may be any
// string; one that is joined of parts must be joined so that no other parts make
// the same.
func (s *Sealer) Seal(purpose, binding string, plain []byte) string {
	aead := s.roots[0].key(purpose, binding)
	sealed := make([]byte, 0, len(plain)+aead.Overhead())
	return encoding.EncodeToString(aead.Seal(sealed, nil, plain, []byte(binding)))
}

// Open returns what was sealed for the same purpose and binding, or ErrForeign.
// Each sealed text has one spelling: no other text opens to the same.
func (s *Sealer) Open(purpose, binding, text string) ([]byte, error) {
	// The decoder would skip line ends.
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrForeign
	}
	sealed, err := encoding.DecodeString(text)
	if err != nil {
		return nil, ErrForeign
	}
	for i := range s.roots {
		if plain, err := s.roots[i].key(purpose, binding).Open(nil, nil, sealed, []byte(binding)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrForeign
}

// encoding refuses bits that the last character has and no byte needs.
var encoding = base64.RawURLEncoding.Strict()

// root derives keys from one root secret, each when it is first needed.
type root struct {
	prk  []byte   // HKDF's pseudorandom key
	keys sync.Map // purpose to *[shards]atomic.Pointer[cipher.AEAD]
}

// shards is how many keys each purpose has, among which holders are spread. With
// random nonces a key is good for 2^32 texts (NIST SP 800-38D §8.3), which the
// events of one busy fleet could come to.
const shards = 256

func (r *root) derive(secret [RootSize]byte) {
	prk, err := hkdf.Extract(sha256.New, secret[:], nil)
	if err != nil {
		panic("seal: " + err.Error()) // only for a hash that FIPS 140 forbids
	}
	r.prk = prk
}

// key returns the key of a purpose for a holder.
func (r *root) key(purpose, binding string) cipher.AEAD {
	value, ok := r.keys.Load(purpose)
	if !ok {
		value, _ = r.keys.LoadOrStore(purpose, new([shards]atomic.Pointer[cipher.AEAD]))
	}
	shard := shardOf(binding)
	slot := &value.(*[shards]atomic.Pointer[cipher.AEAD])[shard]
	if aead := slot.Load(); aead != nil {
		return *aead
	}
	aead := r.newKey(purpose, shard)
	slot.Store(&aead) // whoever comes second stores the same key
	return aead
}

func (r *root) newKey(purpose string, shard uint8) cipher.AEAD {
	info := "caddy-mcp-gateway/seal/1\x00" + purpose + "\x00" + string([]byte{shard})
	key, err := hkdf.Expand(sha256.New, r.prk, info, 32)
	if err != nil {
		panic("seal: " + err.Error()) // only for keys of more than 255 hashes
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("seal: " + err.Error()) // only for other sizes of keys
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error()) // only for other ciphers than AES
	}
	return aead
}

// shardOf spreads holders evenly; the same on all nodes, and forever (FNV-1a).
func shardOf(binding string) uint8 {
	h := uint32(2166136261)
	for i := range len(binding) {
		h = (h ^ uint32(binding[i])) * 16777619
	}
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}
