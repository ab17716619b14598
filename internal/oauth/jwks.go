package oauth

import (
	"net/http"
	"strconv"
)

// serveJWKS serves the public keys of access tokens (RFC 7517 section 5).
func (s *Server) serveJWKS(w http.ResponseWriter, r *http.Request) {
	keys, err := s.keys.current(r.Context())
	if err != nil {
		s.answerError(w, r, "jwks", nil, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Length", strconv.Itoa(len(keys.jwks)))
	_, _ = w.Write(keys.jwks)
}
