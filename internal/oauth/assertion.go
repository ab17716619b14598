package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// authKey is the way to prove oneself by signing (OpenID Connect Core section 9, RFC 7523 section 2.2); assertionType is what
// client_assertion_type says then.
const (
	authKey       = "private_key_jwt"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Bounds of an assertion.
const (
	maxAssertion = 8 << 10 // bytes
	maxJTI       = 512     // bytes
	// maxAssertionLife bounds how long an assertion is good, and so for how long it is remembered that it was used.
	maxAssertionLife = time.Hour
)

// kindAssertion is where the assertions are kept that were used, until they expire.
const kindAssertion = "assertion"

// assertionAlgorithms are the algorithms of assertions. None of them works with a secret: the public key that everybody can read could
// otherwise pass for one.
var assertionAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256}

// assertionAlgorithmNames are their names, as they are advertised.
func assertionAlgorithmNames() []string {
	names := make([]string, len(assertionAlgorithms))
	for i, algorithm := range assertionAlgorithms {
		names[i] = string(algorithm)
	}
	return names
}

// assertionTypes are what the typ of an assertion may be, in lower case: nothing, what most clients write, and what RFC 7523bis asks for. Any
// other is a token for another purpose.
var assertionTypes = []string{"", "jwt", "client-authentication+jwt"}

// assertionHead is what is needed of an assertion's header.
type assertionHead struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// assertionClaims are the claims of an assertion (RFC 7523 section 3).
type assertionClaims struct {
	Issuer    string         `json:"iss"`
	Subject   string         `json:"sub"`
	Audience  jsontext.Value `json:"aud"`
	Expires   *float64       `json:"exp"`
	NotBefore float64        `json:"nbf"`
	IssuedAt  float64        `json:"iat"`
	ID        string         `json:"jti"`
}

// errAssertionUsed says that an assertion was used before.
var errAssertionUsed = errors.New("oauth: the assertion was used before")

// authenticateAssertion finds the client that has signed an assertion.
func (s *Server) authenticateAssertion(r *http.Request, form params) (*client, error) {
	if form.get("client_assertion_type") != assertionType {
		return nil, invalidClient("The only client_assertion_type here is that of private_key_jwt.", false)
	}
	if basic, _, _ := basicCredentials(r); basic || form.get("client_secret") != "" {
		return nil, refuse(codeInvalidRequest, "The client authenticates in two ways at once.")
	}
	assertion := form.get("client_assertion")
	head, claims, err := readAssertion(assertion)
	if err != nil {
		return nil, err
	}
	// RFC 7521 section 4.2: the client_id is not needed, and if it is there it names the same client.
	if id := form.get("client_id"); id != "" && id != claims.Subject {
		return nil, refuse(codeInvalidRequest, "The client_id is not the one of the client_assertion.")
	}
	c, err := s.client(r.Context(), claims.Subject)
	if errors.Is(err, errUnknownClient) {
		return nil, invalidClient("Client not found", false)
	}
	if err != nil {
		return nil, asProtocolError(err)
	}
	if err := s.verifyAssertion(r.Context(), c, head, assertion); err != nil {
		return nil, err
	}
	return c, nil
}

// readAssertion reads an assertion that nobody has vouched for yet.
func readAssertion(assertion string) (*assertionHead, *assertionClaims, error) {
	malformed := invalidClient("The client_assertion is no signed JWT.", false)
	header, rest, _ := strings.Cut(assertion, ".")
	payload, _, ok := strings.Cut(rest, ".")
	if !ok || len(assertion) > maxAssertion {
		return nil, nil, malformed
	}
	var head assertionHead
	if decodeStrictly(header, &head) != nil {
		return nil, nil, malformed
	}
	if !slices.Contains(assertionTypes, strings.ToLower(head.Type)) {
		return nil, nil, invalidClient("The client_assertion is a token of another type.", false)
	}
	var claims assertionClaims
	if decodeStrictly(payload, &claims) != nil {
		return nil, nil, malformed
	}
	return &head, &claims, nil
}

// decodeStrictly reads one part of a compact JWS, whose names are compared exactly and none of which is there twice.
func decodeStrictly(segment string, v any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return err
	}
	return jsonv2.Unmarshal(raw, v)
}

// verifyAssertion reports whether a client has signed an assertion, for us and now, and has not used it before (RFC 7523 section 3).
func (s *Server) verifyAssertion(ctx context.Context, c *client, head *assertionHead, assertion string) error {
	if c.Keys == nil {
		return invalidClient("This client has no keys to prove itself with.", false)
	}
	if c.Keys.algorithm != "" && head.Algorithm != c.Keys.algorithm {
		return invalidClient("The client_assertion is signed with another algorithm than the client says.", false)
	}
	signed, err := jose.ParseSignedCompact(assertion, assertionAlgorithms)
	if err != nil {
		return invalidClient("The client_assertion is no signed JWT, or is signed with an algorithm that there is not here.", false)
	}
	payload, err := s.verifySignature(ctx, c, head, signed)
	if err != nil {
		return asProtocolError(err)
	}
	// The claims that count are those that were signed.
	var claims assertionClaims
	if err := jsonv2.Unmarshal(payload, &claims); err != nil {
		return invalidClient("The client_assertion is no signed JWT.", false)
	}
	expires, err := s.checkAssertion(c, &claims)
	if err != nil {
		return err
	}
	return s.useAssertion(ctx, c, &claims, payload, expires)
}

// checkAssertion checks the claims, and returns when the assertion ends.
func (s *Server) checkAssertion(c *client, claims *assertionClaims) (time.Time, error) {
	now := s.now()
	wrong := func(description string) (time.Time, error) { return time.Time{}, invalidClient(description, false) }
	switch {
	case claims.Issuer != c.ID || claims.Subject != c.ID:
		return wrong("The client_assertion is not by this client about itself.")
	case !s.audienceIsUs(claims.Audience):
		return wrong("The client_assertion is not for this server: its aud has to be the issuer, alone.")
	case claims.Expires == nil:
		return wrong("The client_assertion does not say when it expires.")
	case !before(now.Add(-clockSkew), *claims.Expires):
		return wrong("The client_assertion has expired.")
	case before(now.Add(maxAssertionLife+clockSkew), *claims.Expires):
		return wrong("The client_assertion is good for longer than an hour.")
	case before(now.Add(clockSkew), max(claims.NotBefore, claims.IssuedAt)):
		return wrong("The client_assertion is from the future.")
	case len(claims.ID) > maxJTI:
		return wrong("The jti of the client_assertion is too long.")
	}
	return time.Unix(int64(*claims.Expires), 0).Add(clockSkew + time.Second), nil
}

// before reports whether a time is before another one that is in seconds.
func before(t time.Time, seconds float64) bool { return float64(t.UnixMilli())/1000 < seconds }

// audienceIsUs reports whether an aud is the issuer and nothing else (RFC 7523bis section 4). An assertion for one of our endpoints would do
// for RFC 7523, but a server that a client is made to trust could name our endpoint as one of its own, and use here what
// the client then signs. A slash at the end is what some libraries add to an origin.
func (s *Server) audienceIsUs(aud jsontext.Value) bool {
	var one string
	if jsonv2.Unmarshal(aud, &one) != nil {
		var list []string
		if jsonv2.Unmarshal(aud, &list) != nil || len(list) != 1 {
			return false
		}
		one = list[0]
	}
	return one != "" && strings.TrimSuffix(one, "/") == strings.TrimSuffix(s.cfg.Issuer, "/")
}

// useAssertion sees to it that an assertion is used once, on whichever node. One without a jti is told by all that it says; not by its
// signature, of which an attacker can make a second form. Only what a client has signed comes this far, and is limited.
func (s *Server) useAssertion(ctx context.Context, c *client, claims *assertionClaims, payload []byte, expires time.Time) error {
	var wait time.Duration
	if c.Static == nil {
		wait = s.assertions.wait(c.ID, identity.Origin(ctx), s.now())
	}
	if wait > 0 {
		return &protocolError{
			code: codeTemporarilyUnavailable, description: "This client authenticates too often. Try again later.",
			status: http.StatusTooManyRequests, retryAfter: wait,
		}
	}
	id := shortDigest(c.ID, "jti", claims.ID)
	if claims.ID == "" {
		id = shortDigest(c.ID, "payload", string(payload))
	}
	err := s.cfg.Store.Update(ctx, kindAssertion, id, func(old []byte) ([]byte, time.Time, error) {
		if old != nil {
			return nil, time.Time{}, errAssertionUsed
		}
		return []byte{1}, expires, nil
	})
	if errors.Is(err, errAssertionUsed) {
		e := invalidClient("The client_assertion was used before: each request needs one of its own.", false)
		e.reason = err
		return e
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}
