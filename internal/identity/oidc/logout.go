package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

const (
	// maxLogoutAge is how old a logout token may be: long enough for a provider that tries again.
	maxLogoutAge = 10 * time.Minute
	// logoutTimeout bounds a whole VerifyLogout, which may have to read the provider's keys.
	logoutTimeout = 15 * time.Second
)

// VerifyLogout implements identity.LogoutVerifier (OpenID Connect Back-Channel Logout 1.0 section 2.6).
func (p *Provider) VerifyLogout(ctx context.Context, raw string) (*identity.Logout, error) {
	refuse := func(reason string) error { return fmt.Errorf("%w: logout token: %s", identity.ErrCallback, reason) }
	if len(raw) > maxToken || !logoutTyped(raw) {
		return nil, refuse("it has not the form of one")
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	md, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	verifier, err := p.verifier(md)
	if err != nil {
		return nil, p.failed("check a logout token", err).unavailable()
	}
	ctx, failure := issuer.WithFailure(ctx)
	token, err := verifier.VerifyLogout(ctx, raw)
	if *failure != nil {
		return nil, p.failed("read the keys", *failure).unavailable()
	}
	if err != nil {
		return nil, refuse(clip(err.Error()))
	}
	age := p.now().Sub(token.IssuedAt)
	switch {
	case age > maxLogoutAge, age < -clockSkew:
		return nil, refuse("it was not issued just now")
	case len(token.TokenID) > maxText, len(token.Subject) > issuer.MaxSubject, len(token.SessionID) > maxText:
		return nil, refuse("what it names is too long")
	}
	return &identity.Logout{Ended: identity.Ended{Person: token.Subject, Session: token.SessionID}, Token: token.TokenID}, nil
}

// logoutTyped reports whether a token's type is that of a logout token, or of no kind in particular, as older providers have it (section
// 2.4): a token of another kind is never taken for one.
func logoutTyped(raw string) bool {
	first, _, _ := strings.Cut(raw, ".")
	plain, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return false
	}
	var header struct {
		Type string `json:"typ"`
	}
	if json.Unmarshal(plain, &header) != nil {
		return false
	}
	switch strings.TrimPrefix(strings.ToLower(header.Type), "application/") {
	case "", "jwt", "logout+jwt":
		return true
	}
	return false
}
