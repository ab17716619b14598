// Package oauth is the authorization server towards MCP clients (OAuth 2.1 with PKCE, RFC 7591,
// 8414, 8707, 9068, 9207) and the resource server's side of it: protected resource metadata
// (RFC 9728), the check of an access token, and the challenge of a request without a good one.
//
// One file holds one RFC or endpoint. The package knows no Caddy: it serves plain HTTP handlers,
// keeps what it must in a store.Store, and asks an identity.Provider who a person is.
package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Errors of Authenticate. They may be wrapped with a reason that is meant for the log.
var (
	// ErrNoToken says that the request carried no bearer token at all.
	ErrNoToken = errors.New("oauth: no access token")
	// ErrInvalidToken says that a token was sent and is not good here, for whatever reason.
	ErrInvalidToken = errors.New("oauth: invalid access token")
	// ErrUnavailable says that it could not be found out whether the token is good.
	ErrUnavailable = errors.New("oauth: temporarily unavailable")
)

// Server is the authorization server and the token check of the resource server. It is safe for
// concurrent use.
type Server struct {
	cfg Config
}

// Access is what a good access token stands for, as it is now. It is read-only.
type Access struct {
	// GrantID, ClientID and ClientName name the grant and the agent that holds it.
	GrantID, ClientID, ClientName string
	// Person is who signed in; nil for a machine client.
	Person *identity.Person
	// Subject is the person or machine client as the policy sees it, with the roles of now.
	Subject *policy.Subject
	// Expires is when the access token does.
	Expires time.Time
}

// Grant is what a person (or a machine client) has given an agent, as the operator sees it.
type Grant struct {
	ID, ClientID, ClientName   string
	Resource                   string
	Scope                      string
	UserID, Email, Org         string
	Roles                      []string
	Created, Expires, LastUsed time.Time
}

// New checks the configuration and returns a server. It touches neither the network nor the store.
func New(cfg Config) (*Server, error) { return &Server{cfg: cfg}, nil }

// Handles reports whether path, as it was sent, is one of the authorization server's endpoints
// or one of its well-known documents.
func (s *Server) Handles(path string) bool { return false }

// ServeHTTP serves the endpoints that Handles names, CORS included.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// ServeResourceMetadata serves the RFC 9728 document of res. slash says that the client asked for
// the form with a trailing slash, which the document then echoes.
func (s *Server) ServeResourceMetadata(w http.ResponseWriter, r *http.Request, res Resource, slash bool) {
	http.NotFound(w, r)
}

// Authenticate finds what the request's access token stands for at res. It is the hot path: a
// token seen in the last seconds costs neither a signature nor a read of the store. Errors are
// ErrNoToken, ErrInvalidToken and ErrUnavailable.
func (s *Server) Authenticate(ctx context.Context, r *http.Request, res Resource) (*Access, error) {
	return nil, ErrNoToken
}

// Challenge answers a request that Authenticate refused: 401 with one WWW-Authenticate header
// (RFC 6750 section 3, RFC 9728 section 5.1), or 503.
func (s *Server) Challenge(w http.ResponseWriter, r *http.Request, res Resource, err error) {
	w.WriteHeader(http.StatusUnauthorized)
}

// Grants calls f for every grant that is alive.
func (s *Server) Grants(ctx context.Context, f func(Grant) error) error { return nil }

// Revoke ends a grant: its refresh tokens at once, its access tokens at once on this node and
// within seconds on others.
func (s *Server) Revoke(ctx context.Context, grantID string) error { return nil }

// Sweep deletes what has expired.
func (s *Server) Sweep(ctx context.Context) error { return nil }
