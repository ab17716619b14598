// Package workos signs people in through WorkOS AuthKit.
package workos

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"go.uber.org/zap"
)

// Config is what New needs.
type Config struct {
	ClientID, APIKey string
	// BaseURL is the API's origin; empty means https://api.workos.com.
	BaseURL string
	// Organizations are the accepted organizations, in order of preference. Exactly one of Organizations and
	// AnyOrganization must be set.
	Organizations   []string
	AnyOrganization bool
	// Provider is the sign-in page: authkit (the default), or one of WorkOS' OAuth providers such as GoogleOAuth.
	Provider string
	// Connection is an SSO connection (conn_…) instead of Provider.
	Connection string
	// HTTPClient is used for every request to WorkOS; nil means one with timeouts.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger may be nil.
	Logger *zap.Logger
}

// Provider implements identity.Redirector and identity.Refresher. It is safe for concurrent use.
type Provider struct{ cfg Config }

// New checks the configuration. It touches no network.
func New(cfg Config) (*Provider, error) { return &Provider{cfg: cfg}, nil }

// Name implements identity.Provider.
func (*Provider) Name() string { return "workos" }

// Label implements identity.Provider.
func (*Provider) Label() string { return "WorkOS" }

// Start implements identity.Redirector.
func (*Provider) Start(context.Context, identity.Start) (string, []byte, error) {
	return "", nil, errors.ErrUnsupported
}

// Finish implements identity.Redirector.
func (*Provider) Finish(context.Context, identity.Finish) (*identity.Person, error) {
	return nil, errors.ErrUnsupported
}

// Refresh implements identity.Refresher.
func (*Provider) Refresh(context.Context, *identity.Person) (*identity.Person, error) {
	return nil, errors.ErrUnsupported
}

var (
	_ identity.Redirector = (*Provider)(nil)
	_ identity.Refresher  = (*Provider)(nil)
)
