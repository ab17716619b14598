package oauth

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// cryptoSHA256 is the digest of key thumbprints (RFC 7638).
const cryptoSHA256 = crypto.SHA256

// randomBytes returns n bytes that nobody can guess.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the program ends if the system has no randomness
	return b
}

// randomText returns n random bytes as base64url.
func randomText(n int) string { return base64.RawURLEncoding.EncodeToString(randomBytes(n)) }

// digest is how a secret of ours is kept and looked up. The secrets have 256 random bits, so that one plain SHA-256 hides
// them as well as any slower function would.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
