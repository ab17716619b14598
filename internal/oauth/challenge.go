package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Challenge answers a request that Authenticate refused. A missing or bad token gets 401 and one WWW-Authenticate header (RFC 6750
// section 3, RFC 9728 section 5.1), from which a client learns where to begin; it has an error only if a token was sent.
// ErrUnavailable gets 503: the token may well be good, and a client must not throw it away.
func (s *Server) Challenge(w http.ResponseWriter, r *http.Request, res Resource, err error) {
	if !errors.Is(err, ErrNoToken) && !errors.Is(err, ErrInvalidToken) {
		e := unavailable(err)
		e.retryAfter = 5 * time.Second
		writeError(w, e)
		return
	}
	challenge := `Bearer resource_metadata="` + MetadataURL(res, strings.HasSuffix(r.URL.Path, "/")) + `", scope="` + scopeMCP + `"`
	e := &protocolError{code: "unauthorized", description: "An access token is needed.", status: http.StatusUnauthorized}
	if errors.Is(err, ErrInvalidToken) {
		e.code, e.description = codeInvalidToken, "The access token is expired, revoked, or not for this server."
		challenge += `, error="` + e.code + `", error_description="` + e.description + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	writeError(w, e)
}

// MetadataURL is the absolute address of a resource's metadata (RFC 9728 section 3.1), on the mount's own site. slash asks
// for that of the form with a trailing slash, so that a client finds there the very URL that it called.
func MetadataURL(res Resource, slash bool) string {
	u, err := url.Parse(canonical(res).URL)
	if err != nil {
		return ""
	}
	path := u.EscapedPath()
	if slash && path != "" {
		path += "/"
	}
	return u.Scheme + "://" + u.Host + wellKnownResource + path
}
