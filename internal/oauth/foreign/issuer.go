// Package foreign checks access tokens that other authorization servers have issued: signed ones (JWT, RFC 9068) by the
// issuer's published keys, opaque ones by asking the issuer (RFC 7662). It says what a token holds and that its issuer
// vouches for it; what that is worth here is for the caller to decide, the audience above all.
package foreign

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// Errors of Verify. They are wrapped with a reason that is meant for the log.
var (
	// ErrInvalid says that the token is no access token of this issuer, or no longer.
	ErrInvalid = errors.New("foreign: invalid token")
	// ErrUnavailable says that the issuer could not be asked: for its keys, or about the token.
	ErrUnavailable = errors.New("foreign: issuer unavailable")
)

// Config is what is known of an issuer beforehand. It is comparable: Issuers with equal Configs do the same.
type Config struct {
	// Issuer is the issuer identifier, as tokens have it in iss (RFC 8414 section 2).
	Issuer string
	// JWKS is where its keys are; empty: where its metadata say.
	JWKS string
	// ClientID and ClientSecret are what the gateway shows to ask about tokens (RFC 7662 section 2.1). Where they are
	// set, every token is asked about, also one that could be read.
	ClientID, ClientSecret string
	// Introspection is where tokens are asked about; empty: where the metadata say.
	Introspection string
}

// Introspects reports whether tokens are asked about.
func (c *Config) Introspects() bool { return c.ClientID != "" }

// Check says what is wrong with a configuration.
func (c *Config) Check() error {
	switch {
	case issuer.CheckName(c.Issuer) != nil:
		return issuer.CheckName(c.Issuer)
	case c.Introspects() != (c.ClientSecret != ""):
		return errors.New("introspection needs a client_id and a client_secret, with which the gateway shows who asks")
	case c.Introspection != "" && !c.Introspects():
		return errors.New("introspection needs a client_id and a client_secret, with which the gateway shows who asks")
	case c.JWKS != "" && c.Introspects():
		return errors.New("tokens are checked either by their signature (jwks) or by introspection, not both")
	}
	for name, address := range map[string]string{"jwks": c.JWKS, "endpoint": c.Introspection} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.User != nil || !issuer.Secure(u)) {
			return fmt.Errorf("%s %q must be a URL with https; plain http is for loopback only", name, address)
		}
	}
	return nil
}

// Token is what the issuer vouches for.
type Token struct {
	// Subject is who it is about, at the issuer.
	Subject string
	// Audience is whom it is for.
	Audience []string
	// Expires is when it does.
	Expires time.Time
	// Claims is all that it says. It is read-only.
	Claims issuer.Claims
}

// Issuer is an authorization server somewhere else. It reads nothing from there before the first token comes. Safe for
// concurrent use.
type Issuer struct {
	cfg       Config
	elsewhere *issuer.Issuer
	now       func() time.Time
	log       func() *zap.Logger
	verifier  *oidc.IDTokenVerifier
	asking    chan struct{} // has room for those who ask about a token
}

// New makes an issuer of a configuration that Check finds nothing wrong with. client may be nil; it is copied, and what
// would be unsafe taken from it. log returns the logger of the moment, as an issuer may live longer than one.
func New(cfg Config, client *http.Client, now func() time.Time, log func() *zap.Logger) *Issuer {
	i := &Issuer{
		cfg: cfg, elsewhere: issuer.New(issuer.Config{Name: cfg.Issuer, JWKS: cfg.JWKS}, client, now, log), now: now, log: log,
		asking: make(chan struct{}, maxAsking),
	}
	i.verifier = oidc.NewVerifier(cfg.Issuer, i.elsewhere, &oidc.Config{
		SupportedSigningAlgs: issuer.Algorithms, SkipClientIDCheck: true, Now: now,
	})
	return i
}

// Name is the issuer identifier.
func (i *Issuer) Name() string { return i.cfg.Issuer }

// Introspects reports whether the issuer is asked about every token: its tokens may then be of any form.
func (i *Issuer) Introspects() bool { return i.cfg.Introspects() }

// Verify checks everything about a token but its audience. The errors are ErrInvalid and ErrUnavailable.
func (i *Issuer) Verify(ctx context.Context, token string) (*Token, error) {
	if len(token) > maxToken {
		return nil, invalid("it is too long")
	}
	if i.cfg.Introspects() {
		return i.introspect(ctx, token)
	}
	return i.verifyJWT(ctx, token)
}

// invalid is an ErrInvalid with its reason.
func invalid(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }

// unavailable is an ErrUnavailable with its cause.
func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
