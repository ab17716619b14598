package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// replayAfter is how long to wait before a refresh whose answer was lost is sent again.
const replayAfter = time.Second

// metadata returns what the provider says about itself. The error is ErrUnavailable.
func (p *Provider) metadata(ctx context.Context) (*issuer.Metadata, error) {
	md, err := p.issuer.Metadata(ctx)
	if errors.Is(err, issuer.ErrResting) {
		// That was logged when it was asked; whoever tries to sign in meanwhile can't fill the log.
		return nil, &identity.Unavailable{Err: err}
	}
	if err != nil {
		return nil, p.failed("read the metadata", err).unavailable()
	}
	return md, nil
}

// errNoSecret says that the configuration does not fit what the provider says now.
var errNoSecret = errors.New("the provider takes no client_secret: neither client_secret_basic nor client_secret_post")

// client is us, towards the provider. The error is errNoSecret.
func (p *Provider) client(md *issuer.Metadata, redirect string) (*oauth2.Config, error) {
	config := &oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, RedirectURL: redirect, Scopes: p.scopes(md)}
	// OpenID Connect Discovery section 3: client_secret_basic, unless something else is said.
	has := func(method string) bool { return slices.Contains(md.AuthMethods, method) }
	switch {
	case p.cfg.ClientSecret == "", has("client_secret_post") && !has("client_secret_basic"):
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	case len(md.AuthMethods) == 0, has("client_secret_basic"):
		config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	default:
		return nil, errNoSecret
	}
	return config, nil
}

// scopes are what to ask for.
func (p *Provider) scopes(md *issuer.Metadata) []string {
	if len(p.cfg.Scopes) > 0 {
		return p.cfg.Scopes
	}
	scopes := []string{"openid", "profile", "email"}
	if slices.Contains(md.Scopes, "offline_access") {
		scopes = append(scopes, "offline_access")
	}
	return scopes
}

// tokenClient is us at the token endpoint, and the context to ask there with.
func (p *Provider) tokenClient(ctx context.Context, md *issuer.Metadata, redirect string) (context.Context, *oauth2.Config, *failure) {
	config, err := p.client(md, redirect)
	if err == nil {
		config.Endpoint.TokenURL, err = p.issuer.Endpoint(ctx, "token_endpoint", func(md *issuer.Metadata) string { return md.Token })
	}
	if err != nil {
		return nil, nil, p.failed("find the token endpoint", err)
	}
	return context.WithValue(ctx, oauth2.HTTPClient, p.issuer.Client()), config, nil
}

// exchange redeems a code.
func (p *Provider) exchange(ctx context.Context, md *issuer.Metadata, redirect, code, verifier string) (*oauth2.Token, *failure) {
	ctx, config, fail := p.tokenClient(ctx, md, redirect)
	if fail != nil {
		return nil, fail
	}
	answer, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, p.failed("exchange the code", err)
	}
	return answer, nil
}

// renew redeems a refresh token. When an answer is lost, the request is sent once more: the token may be spent by then, and its
// successor known to nobody; providers that rotate tokens allow for that a moment long, if at all.
func (p *Provider) renew(ctx context.Context, md *issuer.Metadata, refreshToken string) (*oauth2.Token, *failure) {
	ctx, config, fail := p.tokenClient(ctx, md, "")
	if fail != nil {
		return nil, fail
	}
	for replayed := false; ; replayed = true {
		answer, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
		if err == nil {
			return answer, nil
		}
		fail := p.failed("refresh the session", err)
		if replayed || !fail.transient() || fail.retryAfter > 0 || !p.wait(ctx, replayAfter) {
			return nil, fail
		}
	}
}

// complete adds what userinfo says to the claims of an ID token, if they lack something.
func (p *Provider) complete(ctx context.Context, md *issuer.Metadata, answer *oauth2.Token, subject string, claims issuer.Claims) (issuer.Claims, error) {
	if md.UserInfo == "" || !p.lacks(claims) {
		return claims, nil
	}
	more, err := p.userinfo(ctx, answer, subject)
	if err != nil {
		return nil, err
	}
	return merge(claims, more), nil
}

// userinfo asks who the person is (OpenID Connect Core section 5.3).
func (p *Provider) userinfo(ctx context.Context, answer *oauth2.Token, subject string) (issuer.Claims, error) {
	address, err := p.issuer.Endpoint(ctx, "userinfo_endpoint", func(md *issuer.Metadata) string { return md.UserInfo })
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer.SetAuthHeader(r)
	var claims issuer.Claims
	if err := p.issuer.Do(r, &claims); err != nil {
		return nil, err
	}
	// Section 5.3.2: whoever asks has to make sure that it is the same person.
	if got, ok := claims.Subject(); !ok || got != subject {
		return nil, errors.New("userinfo is of somebody else")
	}
	return claims, nil
}

// wait reports whether d went by before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
