package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// accessTokenType is the typ of an access token (RFC 9068 section 2.1). It keeps every other JWT out, whoever signed it.
const accessTokenType = "at+jwt"

// maxAccessToken bounds what is looked at, in bytes. Our own tokens have fewer than 1,000.
const maxAccessToken = 4096

// clockSkew is how far the clocks of two nodes may be apart.
const clockSkew = time.Minute

// accessClaims are the claims of an access token (RFC 9068 section 2.2).
type accessClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	// NotBefore is not in our tokens.
	NotBefore int64 `json:"nbf,omitempty"`
	// Grant names the grant that the token came of.
	Grant string `json:"gid"`
}

// newAccessToken signs an access token for a grant; user is the internal id of the subject.
func (s *Server) newAccessToken(ctx context.Context, grantID, clientID, resource, scope, user string) (string, error) {
	keys, err := s.keys.current(ctx)
	if err != nil {
		return "", err
	}
	now := s.now()
	payload, err := json.Marshal(accessClaims{
		Issuer: s.cfg.Issuer, Subject: keys.subject(clientID, resource, user), Audience: resource, ClientID: clientID, Scope: scope,
		ID: randomText(16), IssuedAt: now.Unix(), Expires: now.Add(s.cfg.AccessTTL).Unix(), Grant: grantID,
	})
	if err != nil {
		return "", err
	}
	signed, err := keys.signer(now).Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// parseAccessToken checks everything about a token that does not depend on the resource it is used at. The errors are
// ErrInvalidToken, with the reason, and ErrUnavailable where the keys can't be read.
//
// What is cheap comes first, so that a made-up token costs no signature: its shape, its header, its claims.
func (s *Server) parseAccessToken(ctx context.Context, token string) (*accessClaims, error) {
	header, rest, ok := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || len(token) > maxAccessToken || len(signature) != 86 || strings.Contains(signature, ".") {
		return nil, invalidToken("not a token of ours")
	}
	var head struct {
		Algorithm string   `json:"alg"`
		Type      string   `json:"typ"`
		KeyID     string   `json:"kid"`
		Critical  []string `json:"crit"`
	}
	if err := decodeSegment(header, &head); err != nil {
		return nil, invalidToken("its header can't be read")
	}
	if head.Algorithm != string(jose.ES256) || len(head.Critical) > 0 {
		return nil, invalidToken("it is signed with another algorithm")
	}
	if head.Type != accessTokenType {
		return nil, invalidToken("it is not an access token")
	}
	var claims accessClaims
	if err := decodeSegment(payload, &claims); err != nil {
		return nil, invalidToken("its claims can't be read")
	}
	now := s.now()
	switch {
	case claims.Issuer != s.cfg.Issuer:
		return nil, invalidToken("it is from another issuer")
	case claims.Grant == "" || claims.ClientID == "" || claims.Audience == "":
		return nil, invalidToken("it lacks claims")
	case !now.Before(time.Unix(claims.Expires, 0)):
		return nil, invalidToken("it has expired")
	case now.Add(clockSkew).Before(time.Unix(max(claims.NotBefore, claims.IssuedAt), 0)):
		return nil, invalidToken("it is from the future")
	}
	key, err := s.keys.verifier(ctx, head.KeyID)
	if errors.Is(err, errUnknownKey) {
		return nil, invalidToken("it is signed with a key that is not ours")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, invalidToken("it is not a signed token")
	}
	verified, err := jws.Verify(key)
	if err != nil {
		return nil, invalidToken("its signature is wrong")
	}
	// The claims that count are those that were signed.
	var signed accessClaims
	if err := json.Unmarshal(verified, &signed); err != nil || signed != claims {
		return nil, invalidToken("its claims can't be read")
	}
	return &signed, nil
}

// decodeSegment reads one part of a compact JWS.
func decodeSegment(segment string, v any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// invalidToken is an ErrInvalidToken with its reason.
func invalidToken(reason string) error { return fmt.Errorf("%w: %s", ErrInvalidToken, reason) }
