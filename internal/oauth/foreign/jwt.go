package foreign

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// clockSkew is how far the issuer's clock may be ahead.
const clockSkew = time.Minute

// header is the JOSE header of a token.
type header struct {
	Algorithm string          `json:"alg"`
	Type      string          `json:"typ"`
	Critical  json.RawMessage `json:"crit"`
}

// PeekIssuer returns the issuer that a signed token names. Nothing of it has been checked: it only says whom to ask. It reports
// false for what has not the form of a signed token.
func PeekIssuer(token string) (string, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > maxToken {
		return "", false
	}
	var head header
	claims := make(issuer.Claims)
	if decode(parts[0], &head) != nil || head.Algorithm == "" || decode(parts[1], &claims) != nil {
		return "", false
	}
	name, _ := claims["iss"].(string)
	return name, true
}

// decode reads a part of a compact JWS.
func decode(part string, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// verifyJWT checks a signed token (RFC 9068 section 4).
func (i *Issuer) verifyJWT(ctx context.Context, token string) (*Token, error) {
	// What is cheap comes first, and is certain once the signature is.
	name, ok := PeekIssuer(token)
	if !ok {
		return nil, invalid("it is not a signed token")
	}
	if name != i.cfg.Issuer {
		return nil, invalid("it is from another issuer")
	}
	var head header
	first, _, _ := strings.Cut(token, ".")
	if err := decode(first, &head); err != nil || head.Critical != nil || !slices.Contains(issuer.Algorithms, head.Algorithm) {
		return nil, invalid("it is signed in a way that is not accepted")
	}
	ctx, failure := issuer.WithFailure(ctx)
	verified, err := i.verifier.Verify(ctx, token)
	if *failure != nil {
		return nil, unavailable(*failure)
	}
	if err != nil {
		return nil, invalid(err.Error())
	}
	claims := make(issuer.Claims)
	if err := verified.Claims(&claims); err != nil {
		return nil, invalid("its claims can't be read")
	}
	if reason := notAccess(head.Type, claims); reason != "" {
		return nil, invalid(reason)
	}
	if bound(claims) {
		return nil, invalid("it is bound to a key")
	}
	if claims["iss"] != i.cfg.Issuer {
		return nil, invalid("it is from another issuer")
	}
	if reason := i.notNow(claims); reason != "" {
		return nil, invalid(reason)
	}
	subject, ok := claims.Subject()
	if !ok {
		return nil, invalid("it names nobody")
	}
	// The library reads names in any case and takes the last: a claim that an issuer lets somebody have named may then stand for another.
	expires, ok := claims["exp"].(float64)
	if !ok || !i.now().Before(seconds2time(expires)) {
		return nil, invalid("it has expired")
	}
	return &Token{Subject: subject, Audience: audienceOf(claims), Expires: seconds2time(expires), Claims: claims}, nil
}

// notAccess says why a token is of another kind than an access token, or nothing. RFC 9068 section 2.1 gives access tokens a type
// of their own; but most that are around are typed as JWT, like all else, or not at all. Of those the ones that are something
// else are told by claims that only these have: an ID token's (OpenID Connect Core sections 2 and 3.3.2.11), a logout token's (Back-Channel
// Logout section 2.4), a security event's (RFC 8417), and by the kind that Keycloak writes down.
func notAccess(typ string, claims issuer.Claims) string {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "at+jwt":
		return ""
	case "", "jwt":
	default:
		return "it is typed as something else than an access token"
	}
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash"} {
		if _, has := claims[name]; has {
			return "it is an ID token"
		}
	}
	if _, has := claims["events"]; has {
		return "it tells of an event"
	}
	if kind, has := claims["typ"]; has && kind != "Bearer" {
		return "it says that it is something else than an access token"
	}
	return ""
}

// notNow says why a token is not good yet, or nothing. That it has not expired is known.
func (i *Issuer) notNow(claims issuer.Claims) string {
	for _, name := range []string{"nbf", "iat"} {
		value, has := claims[name]
		if !has {
			continue
		}
		seconds, ok := value.(float64)
		if !ok || i.now().Add(clockSkew).Before(seconds2time(seconds)) {
			return "it is from the future"
		}
	}
	return ""
}

// seconds2time is the time of a NumericDate (RFC 7519 section 2). One beyond all clocks is in the future.
func seconds2time(seconds float64) time.Time {
	const far = 1 << 40
	return time.Unix(int64(max(-far, min(far, seconds))), 0)
}

// bound reports whether a token is only for who holds a certain key (RFC 7800): it is then no bearer token, and whoever shows it
// without that proof may have found it.
func bound(claims issuer.Claims) bool {
	_, has := claims["cnf"]
	return has
}
