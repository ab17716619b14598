package caddymodule

import (
	"net/http"
	"slices"
	"strings"
)

// serverMetadata are the well-known names of the authorization server's metadata (RFC 8414, OpenID Connect Discovery).
// Clients look for it with the path of a mount behind them too.
var serverMetadata = []string{wellKnown + "/oauth-authorization-server", wellKnown + "/openid-configuration"}

// isOAuth reports whether a path of the issuer's site belongs to the authorization server: an endpoint, what comes near
// one, or a name that is kept free. To clients an empty answer, which is what Caddy gives where nobody answers, would be
// success.
func (app *App) isOAuth(path string) bool {
	if app.oauth.Handles(path) {
		return true
	}
	folded := fold(path)
	if prefix := fold(app.OAuthPath); prefix != "/" && within(folded, prefix) {
		return true
	}
	return slices.Contains(app.oauthNames, folded) ||
		slices.ContainsFunc(serverMetadata, func(name string) bool { return within(folded, name) })
}

// foldedOAuthNames returns the paths of the authorization server's endpoints, and those kept free, folded.
func (app *App) foldedOAuthNames() []string {
	names := app.oauth.Paths()
	for _, name := range optionalOAuthNames {
		names = append(names, strings.TrimSuffix(app.OAuthPath, "/")+"/"+name)
	}
	for i, name := range names {
		names[i] = fold(name)
	}
	return names
}

// serveOAuth serves what isOAuth names, and reports whether it did.
func (h *Handler) serveOAuth(w http.ResponseWriter, r *http.Request, path string) bool {
	at := h.seatFor(r)
	if at != nil && !at.isIssuer {
		return false
	}
	h.serveUnlogged(w, r, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case at == nil:
			_ = misdirected(w)
		case h.app.oauth.Handles(path):
			h.app.oauth.ServeHTTP(w, fromClient(r))
		default:
			notFound(w)
		}
	})
	return true
}

// lacksMetadata reports whether a path asks for the protected resource metadata of a mount that this site doesn't have.
func (h *Handler) lacksMetadata(r *http.Request, path string) bool {
	if !within(fold(path), metadataPath) {
		return false
	}
	at := h.seatFor(r)
	if at == nil {
		return false
	}
	rest, _ := strings.CutSuffix(strings.TrimPrefix(path, metadataPath), "/")
	return !slices.Contains(at.elsewhere, rest)
}

// notFound answers a client that asks for something there is not, in the form of the OAuth endpoints.
func notFound(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(http.StatusNotFound)
	// An error here means that the client has gone.
	_, _ = w.Write([]byte(`{"error":"not_found"}` + "\n"))
}
