// Package oidc signs people in with any OpenID provider (OpenID Connect Core 1.0), and keeps their rights live.
//
// A sign-in is the authorization code flow with PKCE and a nonce. Who the person is comes from the ID token, and from the
// userinfo endpoint what that lacks; roles, permissions, groups and the organization are read from the claims that the
// configuration names. What is kept of a session is the refresh token, where the provider gives one.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// DefaultName is the name of a provider that was given none.
const DefaultName = "oidc"

// defaultSessionTTL is how long a sign-in counts without a refresh token.
const defaultSessionTTL = 12 * time.Hour

// Config is what New needs. The texts are the values themselves: placeholders are resolved by the caller.
type Config struct {
	// Name tells the provider from others; it is in people's ids, and never changes. Empty: DefaultName.
	Name string
	// Label is what pages call it; empty: the Name that was given, or else the issuer's host.
	Label string
	// Issuer is the issuer identifier, from which all else is discovered. Plain http is accepted on loopback only.
	Issuer string
	// ClientID and ClientSecret are ours there. Without a secret we are a public client, which PKCE alone protects.
	ClientID, ClientSecret string
	// Scopes to ask for; none: openid, profile, email, and offline_access where the provider has it.
	Scopes []string
	// Parameters are sent along with the person, as provider-specific ones such as access_type.
	Parameters map[string]string

	// RoleClaims, PermissionClaims, GroupClaims and OrgClaims are where claims have these, by name or path. Of OrgClaims, the first
	// that is there counts. GroupClaims default to groups.
	RoleClaims, PermissionClaims, GroupClaims, OrgClaims []string
	// Roles and Permissions are those of everybody who is let in, besides their own.
	Roles, Permissions []string
	// Allow are the rules of which one has to let a person in. At least one is needed.
	Allow []Admission
	// SessionTTL is how long a sign-in counts where the provider gives no refresh token, by which to ask whether it still
	// should. Zero: 12 hours.
	SessionTTL time.Duration

	// HTTPClient is used for every request to the provider; nil means one with timeouts. It is copied: redirects are not followed, and
	// answers are limited in size.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger may be nil.
	Logger *zap.Logger
}

// Provider implements identity.Redirector, identity.Configured and identity.LogoutVerifier. It is safe for concurrent use. It keeps
// nothing but what the provider publishes, and reads that when it is first needed.
type Provider struct {
	cfg    Config
	issuer *issuer.Issuer
	wanted []string // the claims for which userinfo is asked where the ID token lacks them
	now    func() time.Time
	log    *zap.Logger
	// wait reports whether a time went by before the context ended. A refresh whose answer was lost waits before it is sent again.
	wait func(context.Context, time.Duration) bool
}

var (
	_ identity.Redirector     = (*Provider)(nil)
	_ identity.Configured     = (*Provider)(nil)
	_ identity.LogoutVerifier = (*Provider)(nil)
)

// New checks the configuration and returns a Provider. It touches no network. An error says what to write instead.
func New(cfg Config) (*Provider, error) {
	if cfg.Label == "" {
		cfg.Label = cfg.Name
	}
	if cfg.Name == "" {
		cfg.Name = DefaultName
	}
	if cfg.SessionTTL == 0 {
		cfg.SessionTTL = defaultSessionTTL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	p := &Provider{cfg: cfg, now: cfg.Now, log: cfg.Logger, wait: wait}
	p.issuer = issuer.New(issuer.Config{Name: cfg.Issuer, OpenID: true}, cfg.HTTPClient, cfg.Now, func() *zap.Logger { return cfg.Logger })
	p.wanted = slices.Concat([]string{"name", "email"}, cfg.RoleClaims, cfg.PermissionClaims, cfg.GroupClaims)
	if len(cfg.GroupClaims) == 0 {
		p.cfg.GroupClaims = []string{"groups"}
	}
	for _, rule := range cfg.Allow {
		switch {
		case rule.Claim != "":
			p.wanted = append(p.wanted, rule.Claim)
		case len(rule.Domains) > 0:
			p.wanted = append(p.wanted, "email_verified")
		case len(rule.Groups) > 0:
			p.wanted = append(p.wanted, p.cfg.GroupClaims...)
		}
	}
	return p, nil
}

// Name implements identity.Provider.
func (p *Provider) Name() string { return p.cfg.Name }

// Label implements identity.Provider.
func (p *Provider) Label() string {
	if p.cfg.Label != "" {
		return p.cfg.Label
	}
	u, err := url.Parse(p.cfg.Issuer)
	if err != nil {
		return p.cfg.Name
	}
	return u.Host
}

// reserved are the parameters of an authorization request that are ours to set.
var reserved = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "request",
	"request_uri", "login_hint", "claims", "registration", "id_token_hint",
}

var scopeForm = regexp.MustCompile(`^[!#-\[\]-~]+$`) // RFC 6749 section 3.3

// Check reports what is wrong with the configuration, everything at once.
func (c *Config) Check() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := issuer.CheckName(c.Issuer); err != nil {
		errs = append(errs, err)
	} else if strings.HasSuffix(c.Issuer, "/.well-known/openid-configuration") {
		fail("issuer: write %s, without what discovery adds", strings.TrimSuffix(c.Issuer, "/.well-known/openid-configuration"))
	}
	if c.Name != "" {
		if err := identity.CheckName(c.Name); err != nil {
			errs = append(errs, err)
		}
	}
	if c.ClientID == "" {
		fail("client_id is missing: write the id that the provider knows the gateway by")
	}
	for _, scope := range c.Scopes {
		if !scopeForm.MatchString(scope) {
			fail("scopes: %q is no scope", scope)
		}
	}
	if len(c.Scopes) > 0 && !slices.Contains(c.Scopes, "openid") {
		fail("scopes need openid, without which the provider does not say who has signed in")
	}
	for name, value := range c.Parameters {
		switch {
		case slices.Contains(reserved, name):
			fail("authorize_param: %s is for the gateway to set", name)
		case name == "prompt" && slices.Contains(strings.Fields(value), "none"):
			fail("authorize_param: with prompt none nobody could sign in who is not signed in already")
		}
	}
	if c.SessionTTL < 0 {
		fail("session_ttl must be more than 0")
	}
	if len(c.Allow) == 0 {
		fail("allow is missing: say who may come in, such as `allow domain example.com`, `allow group staff` or `allow claim department it`, or `allow any` for everybody who has an account there")
	}
	for _, rule := range c.Allow {
		if err := rule.check(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
