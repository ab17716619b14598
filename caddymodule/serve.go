package caddymodule

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// allowedMethods are the HTTP methods of an MCP endpoint.
const allowedMethods = "GET, POST, DELETE, OPTIONS"

// ServeHTTP serves the OAuth endpoints, the metadata of the mount, and the mount itself. All else is for the next handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	path := sentPath(r)
	if path == h.Mount || len(path) == len(h.Mount)+1 && path[len(h.Mount)] == '/' && path[:len(h.Mount)] == h.Mount {
		if h.Mount != "" {
			return h.serveMount(w, r)
		}
	}
	if h.oauthHere && h.app.isOAuth(path) && h.serveOAuth(w, r, path) {
		return nil
	}
	if rest, found := strings.CutPrefix(path, metadataPath); found && h.Mount != "" {
		if served, err := h.serveMetadata(w, r, rest); served {
			return err
		}
	}
	if h.lacksMetadata(r, path) {
		notFound(w)
		return nil
	}
	if h.Mount == "" {
		return next.ServeHTTP(w, r)
	}
	if at := h.seatFor(r); h.below(at, path) || r.URL.Path != path && h.below(at, r.URL.Path) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.Error(w, "Not found", http.StatusNotFound)
		return nil
	}
	return next.ServeHTTP(w, r)
}

// below reports whether a path that isn't the mount could be taken for it, or for something below it: such a path never
// reaches an upstream. Mounts nested in this one look after themselves, but only those of the seat that the request came
// to: on another site there may be none.
func (h *Handler) below(at *seat, path string) bool {
	folded := fold(path)
	if !within(folded, h.folded) {
		return false
	}
	return at == nil || !slices.ContainsFunc(at.nested, func(nested string) bool { return within(folded, nested) })
}

// serveMetadata serves the protected resource metadata of the mount (RFC 9728 section 3). rest is the path after the
// well-known name; where it is empty, the client wants to know of the only mount, or of the default one.
func (h *Handler) serveMetadata(w http.ResponseWriter, r *http.Request, rest string) (served bool, err error) {
	rest, slash := strings.CutSuffix(rest, "/")
	if rest != "" && rest != h.Mount {
		return false, nil
	}
	at := h.seatFor(r)
	switch {
	case at == nil:
		return true, misdirected(w)
	case rest == "" && !at.alone && !at.fallback:
		return false, nil
	}
	h.app.oauth.ServeResourceMetadata(w, r, at.resource, slash && rest != "")
	return true, nil
}

// seatFor returns the seat whose Host the request names, or nil if it is none of ours: a name that an attacker has
// pointed at us (DNS rebinding), or another site's. The port may be the public one or the one the request came in at.
func (h *Handler) seatFor(r *http.Request) *seat {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]"), ""
	}
	for _, at := range h.seats {
		if !strings.EqualFold(host, at.host) {
			if at.isAlso(host) {
				return at
			}
			continue
		}
		switch {
		case port == at.port:
			return at
		case port == "" && (at.port == "443" || at.port == "80"):
			return at
		case port != "" && port == localPort(r):
			return at
		}
	}
	return nil
}

// isAlso reports whether requests for a seat may come with this host, though it isn't the public one.
func (at *seat) isAlso(host string) bool {
	return slices.ContainsFunc(at.also, func(pattern string) bool { return coversHost(pattern, strings.ToLower(host)) })
}

// localPort returns the port that the request came in at.
func localPort(r *http.Request) string {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	_, port, _ := net.SplitHostPort(address.String())
	return port
}

// serveMount serves a request to the MCP endpoint.
func (h *Handler) serveMount(w http.ResponseWriter, r *http.Request) error {
	at := h.seatFor(r)
	if at == nil {
		return misdirected(w)
	}
	if !h.checkOrigin(w, r, at) {
		return nil
	}
	switch r.Method {
	case http.MethodOptions:
		preflight(w, r)
		return nil
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodHead:
	default:
		w.Header().Set("Allow", allowedMethods)
		refuse(w, http.StatusMethodNotAllowed, "method not allowed")
		return nil
	}
	// h2c is what some HTTP clients offer with every request; an offer may be ignored (RFC 9110 section 7.8). Other
	// protocols would be tunnels.
	if upgrade := r.Header.Get("Upgrade"); upgrade != "" && !strings.EqualFold(upgrade, "h2c") {
		refuse(w, http.StatusBadRequest, "this endpoint speaks no other protocol")
		return nil
	}
	if h.app.unaudited() != nil {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "requests can't be recorded as they have to be at the moment")
		return nil
	}
	access, err := h.app.oauth.Authenticate(r.Context(), asker(r, at.resource), at.resource)
	if err != nil {
		h.app.oauth.Challenge(w, r, at.resource, err)
		h.tally.refused(r.Method, err)
		return nil
	}
	h.serveCaller(w, r, at, access)
	return nil
}

// serveCaller serves a request whose caller is known.
func (h *Handler) serveCaller(w http.ResponseWriter, r *http.Request, at *seat, access *oauth.Access) {
	record := newRecord(h, r, access)
	// A copy of the answer that breaks off panics, and is recorded like any other.
	defer record.finish()
	caller := guard.Caller{
		Subject:  newLiveCaller(h.app, r, at.resource, access).subject,
		Grant:    access.GrantID,
		Client:   access.ClientID,
		Person:   h.app.oauth.CanApprove(access),
		Resource: at.resource.URL,
	}
	err := h.guard.Serve(&record.outcome, w, r, caller, func(w http.ResponseWriter, out *http.Request) error {
		hop := guard.HopOf(out.Context())
		if hop == nil || hop.Live == nil {
			return h.proxy(w, out)
		}
		ctx, done := h.app.streams.start(out.Context(), hop.Live, func() bool { return caller.Subject() != nil })
		defer done()
		defer countStream(h.Server)()
		return h.proxy(w, out.WithContext(ctx))
	})
	if err != nil {
		// The answer has begun and can't be finished. Whoever reads it must not take it for whole, and nothing may be
		// written behind it, such as an error page.
		panic(http.ErrAbortHandler)
	}
}

// longLived reports whether the answer to a request will stay open for as long as the client likes, before the guard has
// read it. A subscription names itself in Mcp-Method, which the guard compares with the body (revision 2026-07-28
// requires the header).
func longLived(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Header.Get("Mcp-Method") == "subscriptions/listen"
}

// misdirected answers a request for a Host that isn't ours.
func misdirected(w http.ResponseWriter) error {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.Error(w, "This host is not served here", http.StatusMisdirectedRequest)
	return nil
}

// refuse answers a request to an MCP endpoint that isn't even looked at. The body is a JSON-RPC error without an id, as
// the Streamable HTTP transport has it.
func refuse(w http.ResponseWriter, status int, message string) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// An error here means that the client has gone.
	_, _ = w.Write(jsonrpc.AppendError(nil, nil, jsonrpc.CodeInvalidRequest, message, nil))
}
