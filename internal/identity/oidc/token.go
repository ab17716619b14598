package oidc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// maxToken bounds an ID token or a logout token, in bytes.
const maxToken = 64 << 10

// idToken is an ID token that was found good.
type idToken struct {
	*oidc.IDToken
	subject string
	claims  issuer.Claims
}

// verifier checks what the provider signs. What may be signed with is what the provider says, of what can't be made without its
// private key: never none, nor a shared secret.
func (p *Provider) verifier(md *issuer.Metadata) (*oidc.IDTokenVerifier, error) {
	algorithms := []string{oidc.RS256} // OpenID Connect Core section 2
	if len(md.Algorithms) > 0 {
		algorithms = slices.DeleteFunc(slices.Clone(md.Algorithms), func(name string) bool { return !slices.Contains(issuer.Algorithms, name) })
	}
	if len(algorithms) == 0 {
		return nil, errors.New("the provider signs ID tokens in no way that is accepted here")
	}
	return oidc.NewVerifier(p.cfg.Issuer, p.issuer, &oidc.Config{ClientID: p.cfg.ClientID, SupportedSigningAlgs: algorithms, Now: p.now}), nil
}

// verify checks an ID token (OpenID Connect Core section 3.1.3.7), all but its nonce.
func (p *Provider) verify(ctx context.Context, md *issuer.Metadata, raw string) (*idToken, error) {
	if len(raw) > maxToken {
		return nil, errors.New("it is too long")
	}
	verifier, err := p.verifier(md)
	if err != nil {
		return nil, err
	}
	verified, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	token := &idToken{IDToken: verified}
	if err := verified.Claims(&token.claims); err != nil {
		return nil, err
	}
	var ok bool
	if token.subject, ok = token.claims.Subject(); !ok {
		return nil, errors.New("it names nobody")
	}
	party, has := token.claims["azp"]
	switch {
	case has && party != p.cfg.ClientID, !has && len(verified.Audience) > 1:
		return nil, fmt.Errorf("it was issued to another client (azp) than %s", p.cfg.ClientID)
	case verified.IssuedAt.IsZero(), p.now().Add(clockSkew).Before(verified.IssuedAt):
		return nil, errors.New("it is from the future")
	}
	return token, nil
}

// stale reports whether the person had signed in before a time, as far as the token says. The zero time is before everything.
func (t *idToken) stale(since time.Time) bool {
	at, ok := t.claims["auth_time"].(float64)
	return ok && !since.IsZero() && time.Unix(int64(at), 0).Before(since.Add(-clockSkew))
}

// fits reports whether an access token is the one that the ID token came with, as far as it says (section 3.1.3.6).
func (t *idToken) fits(accessToken string) bool {
	return t.AccessTokenHash == "" || t.VerifyAccessToken(accessToken) == nil
}

// session returns the session ID, if it is one.
func (t *idToken) session() string { return short(t.claims.Text("sid")) }

// names are those of the claims.
func (t *idToken) names() []string { return slices.Sorted(maps.Keys(t.claims)) }
