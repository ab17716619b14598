// Package workos signs people in through WorkOS AuthKit and keeps their roles live.
//
// A sign-in is the authorization code flow with PKCE. What WorkOS returns is a session: an access token, which says who
// the person is and which organization, roles and permissions the session carries, and a refresh token, which is all we
// keep. Roles exist only within an organization, so a session without an accepted one is moved into one of the person's
// own, or the person is turned away: nobody comes in without an accepted organization.
package workos

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/workos/workos-go/v4/pkg/organizations"
	"github.com/workos/workos-go/v4/pkg/usermanagement"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// DefaultBaseURL is WorkOS' API.
const DefaultBaseURL = "https://api.workos.com"

// DefaultName is the name of a provider that was given none.
const DefaultName = "workos"

// authKit is the provider that stands for WorkOS' own hosted sign-in page.
const authKit = "authkit"

// Config is what New needs. The texts are the values themselves: placeholders are resolved by the caller.
type Config struct {
	// Name tells the provider from others; it is in people's ids, and never changes. Empty: DefaultName.
	Name string
	// ClientID is the environment's client id (client_…).
	ClientID string
	// APIKey is the environment's secret key (sk_…).
	APIKey string
	// BaseURL is where the API is; empty means DefaultBaseURL. Plain http is accepted on loopback only.
	BaseURL string
	// Organizations are the accepted organizations (org_…), in the order in which they are offered to who is a member of several; where nobody
	// can be asked, the first counts. Exactly one of Organizations and AnyOrganization must be set.
	Organizations []string
	// AnyOrganization accepts every organization of the environment, also those customers make for themselves. Whoever
	// builds the Config warns the operator.
	AnyOrganization bool
	// Provider is the sign-in page: authkit, which is the default, or one of WorkOS' OAuth providers, such as
	// GoogleOAuth.
	Provider string
	// Connection is an SSO connection (conn_…) to use instead of Provider.
	Connection string
	// DomainHint is a domain that is passed on to the identity provider's own page, where that has a use for it. Optional.
	DomainHint string
	// Issuers are issuers of session tokens to accept besides the ones WorkOS uses by itself; an environment with a
	// custom authentication domain has that domain as its issuer.
	Issuers []string
	// Audience is accepted in a session token besides ClientID, for environments whose JWT template sets `aud`.
	Audience string
	// WebhookSecret is what WorkOS signs the webhooks with that it sends to us. Empty: it sends none, and there is nowhere to send them.
	WebhookSecret string
	// HTTPClient is used for every request to WorkOS; nil means one with timeouts. It is copied: redirects are not
	// followed, since a request carries the API key, and answers are limited in size.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger may be nil.
	Logger *zap.Logger
}

// Provider implements identity.Redirector and identity.Configured. It is safe for concurrent use. It keeps nothing but
// WorkOS' public keys and the names of organizations, and shares nothing with other Providers: the SDK's package-level
// clients are not used, so two configurations can live side by side during a reload.
type Provider struct {
	cfg      Config
	users    *usermanagement.Client
	orgs     *organizations.Client
	verifier *oidc.IDTokenVerifier
	issuers  []string
	names    nameCache
	log      *zap.Logger
	now      func() time.Time
	// replayAfter is how long to wait before a refresh whose answer was lost is sent again.
	replayAfter time.Duration
}

var (
	_ identity.Redirector = (*Provider)(nil)
	_ identity.Configured = (*Provider)(nil)
)

// New checks the configuration and returns a Provider. It touches no network. An error says what to write instead.
func New(cfg Config) (*Provider, error) {
	if cfg.Name == "" {
		cfg.Name = DefaultName
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.Provider == "" && cfg.Connection == "" {
		cfg.Provider = authKit
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	client := newHTTPClient(cfg.HTTPClient, cfg.Now)
	p := &Provider{
		cfg:   cfg,
		users: usermanagement.NewClient(cfg.APIKey),
		orgs:  &organizations.Client{APIKey: cfg.APIKey, Endpoint: cfg.BaseURL, HTTPClient: client},
		// Environments differ in what they call themselves: the older ones use the API's origin, with or without a
		// slash, those made since mid-2025 name the client in the path.
		issuers: append([]string{
			cfg.BaseURL, cfg.BaseURL + "/", cfg.BaseURL + "/user_management/" + cfg.ClientID,
		}, cfg.Issuers...),
		log:         cfg.Logger,
		now:         cfg.Now,
		replayAfter: time.Second,
	}
	p.users.Endpoint, p.users.HTTPClient = cfg.BaseURL, client
	jwks, err := p.users.GetJWKSURL(cfg.ClientID)
	if err != nil {
		return nil, fmt.Errorf("base_url %q: %w", cfg.BaseURL, err)
	}
	p.verifier = newVerifier(jwks.String(), client, cfg.Now)
	return p, nil
}

// Account returns the origin of the API and the key for it, for whatever else is done in the same environment.
func (p *Provider) Account() (baseURL, apiKey string) { return p.cfg.BaseURL, p.cfg.APIKey }

// Name implements identity.Provider.
func (p *Provider) Name() string { return p.cfg.Name }

// Label implements identity.Provider.
func (p *Provider) Label() string {
	if name, ok := strings.CutSuffix(p.cfg.Provider, "OAuth"); ok {
		return name
	}
	if p.cfg.Name != DefaultName {
		return "your organization account (" + p.cfg.Name + ")"
	}
	return "your organization account"
}

var (
	clientIDForm     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	providerForm     = regexp.MustCompile(`^(authkit|[A-Z][A-Za-z0-9]{0,40}OAuth)$`)
	organizationForm = regexp.MustCompile(`^org_[A-Za-z0-9_-]{1,128}$`)
	domainForm       = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}$`)
	connectionForm   = regexp.MustCompile(`^conn_[A-Za-z0-9_-]{1,128}$`)
)

// check reports everything that is wrong with the configuration at once.
func (c *Config) check() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := identity.CheckName(c.Name); err != nil {
		errs = append(errs, err)
	}
	switch {
	case c.ClientID == "":
		fail("client_id is missing: write the client id of your WorkOS environment (client_…)")
	case !clientIDForm.MatchString(c.ClientID):
		fail("client_id %q is not a WorkOS client id: it looks like client_01H…", c.ClientID)
	}
	switch {
	case c.APIKey == "":
		fail("api_key is missing: write the secret key of your WorkOS environment (sk_…)")
	case strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }):
		fail("api_key holds a space or a character no WorkOS key has")
	}
	if c.WebhookSecret != "" && len(c.WebhookSecret) < minWebhookSecret {
		fail("webhook_secret is too short to be one: copy it from the webhook's page in the WorkOS dashboard")
	}
	if err := CheckBaseURL(c.BaseURL); err != nil {
		errs = append(errs, err)
	}
	switch {
	case c.AnyOrganization && len(c.Organizations) > 0:
		fail("organization: write either the accepted organizations or `any`, not both")
	case !c.AnyOrganization && len(c.Organizations) == 0:
		fail("organization is missing: write the organizations whose members may come in (org_…), or `any`")
	}
	for i, org := range c.Organizations {
		if !organizationForm.MatchString(org) {
			fail("organization %q is not the id of a WorkOS organization: it looks like org_01H…", org)
		} else if slices.Contains(c.Organizations[:i], org) {
			fail("organization %s is written twice", org)
		}
	}
	switch {
	case c.Connection != "" && c.Provider != "":
		fail("write either provider or connection, not both")
	case c.Connection != "" && !connectionForm.MatchString(c.Connection):
		fail("connection %q is not the id of a WorkOS connection: it looks like conn_01H…", c.Connection)
	case c.Connection == "" && !providerForm.MatchString(c.Provider):
		fail("provider %q is unknown: write authkit, or an OAuth provider such as GoogleOAuth or MicrosoftOAuth", c.Provider)
	}
	if c.DomainHint != "" && !domainForm.MatchString(c.DomainHint) {
		fail("domain_hint %q is not a domain: it looks like example.com", c.DomainHint)
	}
	return errors.Join(errs...)
}

// CheckBaseURL says what is wrong with an address for WorkOS' API.
func CheckBaseURL(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("base_url %q is not the URL of an API: it looks like %s", base, DefaultBaseURL)
	}
	switch host := u.Hostname(); {
	case u.Scheme == "https":
	case u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1"):
	default:
		return fmt.Errorf("base_url %q must be https: the API key is sent there (http is for an emulator on this computer)", base)
	}
	return nil
}
