package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
)

// originList are the web origins whose pages may talk to the servers from a browser, besides our own.
type originList []originPattern

// originPattern is an origin whose port may be any.
type originPattern struct {
	origin
	anyPort bool
}

// parseOrigins reads origins such as https://app.example.com and http://localhost:*.
func parseOrigins(texts []string) (originList, error) {
	list := make(originList, 0, len(texts))
	for _, text := range texts {
		if text == "*" {
			return nil, fmt.Errorf("origins: name the origins whose pages may call the servers; * would be every page on the web")
		}
		pattern := originPattern{}
		written := text
		if bare, found := strings.CutSuffix(text, ":*"); found {
			pattern.anyPort, written = true, bare
		}
		var err error
		if pattern.origin, err = parseOrigin(written); err != nil {
			return nil, fmt.Errorf("origins: %w", err)
		}
		if strings.Contains(pattern.host, "*") {
			return nil, fmt.Errorf("origins: %q: a star can only stand for the port", text)
		}
		list = append(list, pattern)
	}
	return list, nil
}

// allow reports whether a page of this origin may call the servers. What isn't written exactly as browsers write it
// (RFC 6454 section 6.1), such as `null`, is no origin.
func (l originList) allow(text string) bool {
	o, err := parseOrigin(text)
	if err != nil {
		return false
	}
	for _, pattern := range l {
		if pattern.scheme == o.scheme && pattern.host == o.host && (pattern.anyPort || pattern.port == o.port) {
			return true
		}
	}
	return false
}

// exposedHeaders are the answer's fields that scripts in a browser may read.
const exposedHeaders = "WWW-Authenticate, Mcp-Session-Id, Retry-After"

// checkOrigin answers a request that comes from a page whose origin isn't allowed here with 403, and says so by false.
// To one that is allowed it gives the fields of the CORS protocol, never with credentials: tokens come from the page's
// own script, so nothing that a browser would add by itself is needed.
func (h *Handler) checkOrigin(w http.ResponseWriter, r *http.Request, at *seat) bool {
	sent := r.Header["Origin"]
	if len(sent) == 0 {
		return true
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	if len(sent) != 1 || !h.allowsOrigin(sent[0], at) {
		refuse(w, http.StatusForbidden, "requests from this origin are not allowed here")
		return false
	}
	header.Set("Access-Control-Allow-Origin", sent[0])
	header.Set("Access-Control-Expose-Headers", exposedHeaders)
	return true
}

// allowsOrigin reports whether pages of this origin may call the server: our own, and those of the config.
func (h *Handler) allowsOrigin(text string, at *seat) bool {
	return text == at.origin || text == h.app.issuer.String() || h.app.origins.allow(text)
}

// preflight answers OPTIONS. It comes before authentication, since browsers send no token with it, and it names the
// fields that were asked for: the star doesn't cover Authorization, and Mcp-Param-* has no end.
func preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Allow", allowedMethods)
	if r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		header.Set("Access-Control-Allow-Methods", allowedMethods)
		if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
			header.Add("Vary", "Access-Control-Request-Headers")
			header.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
		}
		header.Set("Access-Control-Max-Age", "7200")
		header.Del("Access-Control-Expose-Headers")
	}
	w.WriteHeader(http.StatusNoContent)
}
