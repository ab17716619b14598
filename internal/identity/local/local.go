// Package local signs in people who are written in the configuration, with bcrypt-hashed passwords.
package local

import (
	"context"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// User is one person of the configuration.
type User struct {
	// Name is what the person types.
	Name string
	// Hash is a bcrypt hash, as `caddy hash-password` prints it.
	Hash string
	// Email and DisplayName are optional.
	Email, DisplayName string
	Roles, Permissions []string
}

// Provider implements identity.Verifier. It is safe for concurrent use.
type Provider struct{}

// New checks the users. now is the clock of the rate limits; nil means time.Now.
func New(users []User, now func() time.Time) (*Provider, error) { return &Provider{}, nil }

// Name implements identity.Provider.
func (*Provider) Name() string { return "local" }

// Label implements identity.Provider.
func (*Provider) Label() string { return "a password" }

// Verify implements identity.Verifier.
func (*Provider) Verify(ctx context.Context, user, password string) (*identity.Person, error) {
	return nil, identity.ErrCredentials
}

var _ identity.Verifier = (*Provider)(nil)
