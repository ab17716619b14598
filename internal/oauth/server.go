// Package oauth is the authorization server towards MCP clients (OAuth 2.1 with PKCE, RFC 7009, 7591, 8414, 8707, 9068 and
// 9207) and the resource server's side of it: protected resource metadata (RFC 9728), the check of an access token, and the
// challenge of a request without a good one.
//
// One file holds one RFC or endpoint. The package knows no Caddy: it serves plain HTTP, keeps what it must in a store.Store,
// and asks an identity.Provider who a person is.
package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
)

// Server is the authorization server and the token check of the resource server. It is safe for concurrent use.
type Server struct {
	cfg        Config
	log        *zap.Logger
	pages      *pages.Pages
	static     map[string]*client
	documents  *documents
	providers  map[string]identity.Provider
	limits     *registerLimits
	secrets    *secretLimits
	assertions *assertionLimits
	keys       keyring
	cache      *cache
	reads      flights[*grantState]
	asks       flights[*grantRecord]
	rooms      flights[struct{}]
	accepting  *accepting
	directory  directory
	news       news
	paces      paces
	askWait    time.Duration
	bodyWait   time.Duration
	routes     map[string]http.HandlerFunc

	origin       string // of the issuer
	base         string // issuer and oauth_path, with a slash at the end
	prefix       string // path of base
	cookiePrefix string // __Host- where that is possible
}

// New checks the configuration and returns a server. It touches neither the network nor the store, so that a configuration
// can be checked without leaving traces.
func New(cfg Config) (*Server, error) {
	issuer, err := cfg.prepare()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, pages: cfg.Pages, providers: make(map[string]identity.Provider), limits: newRegisterLimits(cfg.RegisterPerMinute),
		secrets: newSecretLimits(), assertions: newAssertionLimits(), cache: newCache(), accepting: newAccepting(), askWait: defaultAskWait, bodyWait: defaultBodyWait, origin: issuer.Scheme + "://" + issuer.Host,
	}
	s.keys.server, s.directory.news = s, &s.news
	if issuer.Scheme == "https" {
		s.cookiePrefix = "__Host-"
	}
	if s.static, err = staticClients(cfg.Static); err != nil {
		return nil, err
	}
	if s.documents, err = newDocuments(&s.cfg); err != nil {
		return nil, err
	}
	for _, p := range cfg.Providers {
		if s.providers[p.Name()] != nil {
			return nil, errors.New("oauth: the identity provider " + p.Name() + " is there twice")
		}
		s.providers[p.Name()] = p
	}
	issuerPath := strings.TrimSuffix(issuer.EscapedPath(), "/")
	s.prefix = issuerPath + "/" + strings.Trim(cfg.Path, "/") + "/"
	if strings.Trim(cfg.Path, "/") == "" {
		s.prefix = issuerPath + "/"
	}
	s.base = s.origin + s.prefix
	s.routes = s.makeRoutes(issuerPath)
	return s, nil
}

// makeRoutes says what answers at which path.
func (s *Server) makeRoutes(issuerPath string) map[string]http.HandlerFunc {
	get, post := []string{http.MethodGet, http.MethodHead}, []string{http.MethodPost}
	both := []string{http.MethodGet, http.MethodHead, http.MethodPost}
	// Of pages, and of what is only for servers, nothing may be read by other origins.
	page := func(f http.HandlerFunc, methods []string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if allowMethods(w, r, methods...) {
				f(w, r)
			}
		}
	}
	open := func(f http.HandlerFunc, methods []string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			allowAnyOrigin(w, r)
			if allowMethods(w, r, methods...) {
				f(w, r)
			}
		}
	}
	server := open(func(w http.ResponseWriter, _ *http.Request) { s.serveMetadata(w, false) }, get)
	openID := open(func(w http.ResponseWriter, _ *http.Request) { s.serveMetadata(w, true) }, get)
	routes := map[string]http.HandlerFunc{
		// RFC 8414 puts the issuer's path behind the well-known one, OpenID Connect before it; clients try both.
		wellKnownServer + issuerPath: server,
		wellKnownOpenID + issuerPath: openID,
		issuerPath + wellKnownOpenID: openID,
		s.prefix + "authorize":       page(s.serveAuthorize, both),
		s.prefix + "consent":         page(s.serveConsent, both),
		s.prefix + "signin":          page(s.serveSignIn, both),
		s.prefix + "connections":     page(s.serveConnections, both),
		s.prefix + "token":           open(s.serveToken, post),
		s.prefix + "revoke":          open(s.serveRevoke, post),
		s.prefix + "introspect":      page(s.serveIntrospect, post),
		s.prefix + "jwks":            open(s.serveJWKS, get),
	}
	s.addCallbackRoutes(routes, page)
	s.addLogoutRoutes(routes)
	if s.cfg.Approvals != nil {
		routes[s.prefix+pathApprove] = page(s.serveApproval, both)
	}
	if s.cfg.Dynamic {
		routes[s.prefix+"register"] = open(s.serveRegister, post)
	}
	for _, p := range s.cfg.Providers {
		if _, ok := p.(identity.Chooser); ok {
			routes[s.prefix+"organization"] = page(s.serveOrganization, both)
		}
		if m, ok := p.(identity.Messenger); ok && m.Mailbox() != "" {
			routes[s.prefix+m.Mailbox()] = page(s.mailbox(m), post)
		}
	}
	return routes
}

// Handles reports whether path, as it was sent and before any normalisation, is one of the endpoints or well-known
// documents of the authorization server. Below an oauth_path of its own, everything is.
func (s *Server) Handles(path string) bool {
	return s.routes[path] != nil || s.prefix != "/" && strings.HasPrefix(path, s.prefix)
}

// Paths returns the paths at which the authorization server answers, in no order, for checking that nothing else is there.
func (s *Server) Paths() []string {
	paths := make([]string, 0, len(s.routes))
	for path := range s.routes {
		paths = append(paths, path)
	}
	return paths
}

// ServeHTTP serves what Handles names, CORS included. The path that counts is the one that was sent.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	limitBody(w, r, s.bodyWait)
	// What is limited for one address is so wherever the request leads to.
	r = r.WithContext(identity.WithOrigin(r.Context(), remotePrefix(r)))
	route := s.routes[r.URL.EscapedPath()]
	if route == nil {
		writeJSON(w, http.StatusNotFound, struct {
			Code string `json:"error"`
		}{"not_found"})
		return
	}
	route(w, r)
}

// endpoint is the absolute address of an endpoint.
func (s *Server) endpoint(name string) string { return s.base + name }

// now is the time.
func (s *Server) now() time.Time { return s.cfg.Now() }

// abilities says what a person could do at a resource.
func (s *Server) abilities(p *identity.Person, res Resource) ([]pages.Ability, bool) {
	if s.cfg.Abilities == nil {
		return nil, false
	}
	return s.cfg.Abilities(subject(p), res)
}

// Sweep deletes what has expired, and the signs of it in memory. It also puts back the keys that tokens are signed with, should
// they have gone from the store.
func (s *Server) Sweep(ctx context.Context) error {
	s.cache.tokens.prune(s.now())
	s.accepting.tokens.prune(s.now())
	s.keys.keep(ctx)
	s.saveUses(ctx)
	_, err := s.cfg.Store.Sweep(ctx)
	return err
}

// Close waits until nothing is under way that was started on behalf of requests and outlives them: reading a grant, and asking an
// identity provider. It need not be called, since nothing is lost without it.
func (s *Server) Close() {
	s.reads.wait()
	s.asks.wait()
	s.rooms.wait()
	s.accepting.checks.wait()
	s.directory.calls.wait()
	s.keys.looks.wait()
}

// parseIssuer checks an issuer identifier (RFC 8414 section 2). It is used as it is written, everywhere.
func parseIssuer(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Opaque != "" || strings.ContainsAny(raw, "?# ") || !printable(raw) {
		return nil, errors.New("oauth: the issuer has to be an origin such as https://mcp.example.com")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return nil, errors.New("oauth: the issuer has to be https; http is only for localhost, 127.0.0.1 and [::1]")
	default:
		return nil, errors.New("oauth: the issuer has to begin with https://")
	}
	if !strings.HasPrefix(raw, u.Scheme+"://") || strings.ToLower(u.Host) != u.Host {
		return nil, errors.New("oauth: the issuer has to be in lower case")
	}
	return u, nil
}
