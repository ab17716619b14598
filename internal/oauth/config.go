package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Resource is one mount: a protected resource of RFC 9728, and what a token is bound to.
type Resource struct {
	// URL is the resource identifier: the origin of the mount's own site and the mount, without a
	// trailing slash, also if the mount is the root. It is the aud of tokens.
	URL string
	// Server is the name of the server in the policy.
	Server string
	// Mount is the path of the mount, such as /github, or / for the root.
	Mount string
	// Accepts are the authorization servers whose access tokens are good here besides ours.
	Accepts []*Accepted
}

// Consent says when a person is asked again.
type Consent uint8

const (
	// ConsentOnce asks a person once for each client and resource, where the client is proved by an
	// https redirect; clients on loopback or with a scheme of their own are asked every time.
	ConsentOnce Consent = iota
	// ConsentAlways shows both pages at every login.
	ConsentAlways
)

// StaticClient is a client set up by the operator.
type StaticClient struct {
	// ID is the client_id, Name what the consent page calls it (default: ID).
	ID, Name string
	// Secret is the client secret, resolved. Of Secret, Public and PublicKeys there is exactly one.
	Secret string
	// PublicKeys are what the client proves itself with by signing (private_key_jwt, RFC 7523), resolved: each is one key in
	// PEM, or a JWK or JWK Set. While keys are changed there is more than one.
	PublicKeys []string
	// Public clients have no secret and prove themselves by PKCE and their redirect URI alone.
	Public bool
	// RedirectURIs are needed for the authorization_code grant.
	RedirectURIs []string
	// Grants are the grant types the client may use. Default: authorization_code and refresh_token.
	Grants []string
	// Roles and Permissions are those of the client itself under client_credentials.
	Roles, Permissions []string
	// Introspect names the servers whose access tokens the client may ask about (RFC 7662), whoever holds them; a star is all of
	// them. A client that has this, and neither a grant nor a redirect URI, is a resource server and can do nothing else.
	Introspect []string
}

// Config is what the authorization server has to be told. Zero durations mean the defaults that
// are named with each field.
type Config struct {
	// Issuer is the public origin of the authorization server, one string everywhere. It may have a
	// path. Only https, or http on a loopback host.
	Issuer string
	// Path is the prefix of the endpoints on the issuer's origin. Default "/".
	Path string
	// Resources returns the mounts as they are now.
	Resources func() []Resource
	// DefaultResource is the URL of the mount meant by a request that names none. Optional.
	DefaultResource string

	// Providers are the ways to sign in, in the order shown. With none, static clients get tokens for themselves, and tokens from
	// elsewhere are accepted; nobody else comes in, and no client can register.
	Providers []identity.Provider
	// Store keeps clients, codes, grants and keys.
	Store store.Store
	// Sealer returns the sealer, loading its root secret on first use.
	Sealer func(ctx context.Context) (*seal.Sealer, error)

	// Dynamic turns registration (RFC 7591) on. Clients that have registered before go on working
	// without it.
	Dynamic bool
	// RegisterPerMinute is how many clients one address may register in a minute, after the first
	// 200; all addresses together may register ten times as many. Default 60; negative means that
	// there is no limit.
	RegisterPerMinute int
	// Documents turns client ID metadata documents on. Nil: they are off, and a client_id that is the address of one is unknown.
	Documents *Documents
	// Static are the clients set up by the operator.
	Static []StaticClient
	// Consent says when a person is asked again.
	Consent Consent

	// AccessTTL is the lifetime of an access token, at least 1 second. Default 1 hour.
	AccessTTL time.Duration
	// RefreshTTL is how long a refresh token lives unused, at least as long as an access token. Default 30 days.
	RefreshTTL time.Duration
	// RefreshGrace is how long the previous generation of a refresh token goes on working after a
	// token of the next one was used. Default 2 minutes.
	RefreshGrace time.Duration
	// KeyRotation is how long a key signs access tokens before the next one does. Default 30 days, at least 2 hours.
	KeyRotation time.Duration
	// IdentityRefresh is the age at which a person's roles are read anew. Default 5 minutes.
	IdentityRefresh time.Duration
	// MaxStale is how long roles may be served from memory while the identity provider is down.
	// Default 1 hour.
	MaxStale time.Duration

	// PersonalTokens lets people make access tokens by hand. Turning it off ends those that there are.
	PersonalTokens bool
	// PersonalTokenTTL is the longest that one may live, in whole days. Default 90 days.
	PersonalTokenTTL time.Duration

	// Abilities says in plain words what a subject could do at a resource, for the consent page.
	// Optional.
	Abilities func(*policy.Subject, Resource) (abilities []pages.Ability, nothing bool)
	// Offers lists the tools that a subject's role shows at a resource, for people to choose among. It returns when ctx ends, with what
	// is known by then. Optional.
	Offers func(context.Context, *policy.Subject, Resource) Offers
	// Trusted reports whether what a server says of its tools counts, so that people can leave an agent those that only read. Optional:
	// no server's word does.
	Trusted func(Resource) bool
	// Contact says whom a person asks whose role allows nothing, such as it@example.com. Optional.
	Contact string

	// Approvals is where calls wait for their person. Optional.
	Approvals *approval.Desk

	// Audit takes one record for each event. Optional.
	Audit audit.Sink
	// Logger takes what an operator should read. Optional.
	Logger *zap.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Pages draws what a person sees. Default pages.New().
	Pages *pages.Pages
}

// minAccessTTL is the shortest life of an access token: clients are told it in whole seconds, and throw away what lives for none.
const minAccessTTL = time.Second

// prepare fills in the defaults and checks what can be checked; it returns the issuer.
func (c *Config) prepare() (*url.URL, error) {
	issuer, err := parseIssuer(c.Issuer)
	if err != nil {
		return nil, err
	}
	if c.Resources == nil || c.Store == nil || c.Sealer == nil {
		return nil, errors.New("oauth: Resources, Store and Sealer are needed")
	}
	if c.DefaultResource != "" {
		if _, ok := canonicalResource(c.DefaultResource); !ok {
			return nil, errors.New("oauth: the default resource has to be the URL of a mount")
		}
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&c.AccessTTL, time.Hour},
		{&c.RefreshTTL, 30 * 24 * time.Hour},
		{&c.RefreshGrace, 2 * time.Minute},
		{&c.KeyRotation, 30 * 24 * time.Hour},
		{&c.PersonalTokenTTL, 90 * 24 * time.Hour},
		{&c.IdentityRefresh, 5 * time.Minute},
		{&c.MaxStale, time.Hour},
	} {
		if *d.value < 0 {
			return nil, errors.New("oauth: a duration can't be negative")
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if c.AccessTTL < minAccessTTL {
		return nil, fmt.Errorf("oauth: access tokens have to live for %v or longer, not %v", minAccessTTL, c.AccessTTL)
	}
	if c.RefreshTTL < c.AccessTTL {
		return nil, fmt.Errorf("oauth: refresh tokens have to live as long as access tokens (%v) or longer, not %v", c.AccessTTL, c.RefreshTTL)
	}
	if c.PersonalTokenTTL < 24*time.Hour {
		return nil, fmt.Errorf("oauth: personal tokens have to live for a day or longer, not %v", c.PersonalTokenTTL)
	}
	if c.KeyRotation < 2*keyLead {
		return nil, fmt.Errorf("oauth: a key has to sign for %v or longer, not %v: the next one is published %v before it is used", 2*keyLead, c.KeyRotation, keyLead)
	}
	// Where nobody can sign in, a client that registers has nothing to come for.
	c.Dynamic = c.Dynamic && len(c.Providers) > 0
	c.MaxStale = max(c.MaxStale, c.IdentityRefresh)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Pages == nil {
		c.Pages = pages.New()
	}
	return issuer, nil
}
