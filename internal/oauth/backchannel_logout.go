package oauth

import (
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// An OpenID provider tells by a logout token that a session has ended (OpenID Connect Back-Channel Logout 1.0). Each provider has
// an address of its own for that, below this one.
const (
	backChannelLogout = "backchannel_logout/"
	kindLogout        = "logout"
	// logoutMemory is how long a token is remembered, so that a copy ends nothing that began after it. It is longer than one is good.
	logoutMemory = 30 * time.Minute
)

// errLogoutUsed says that a logout token came a second time.
var errLogoutUsed = errors.New("oauth: the logout token was used before")

// addLogoutRoutes adds an address for each provider that tells when sessions end.
func (s *Server) addLogoutRoutes(routes map[string]http.HandlerFunc) {
	for name, provider := range s.providers {
		if verifier, ok := provider.(identity.LogoutVerifier); ok {
			routes[s.prefix+backChannelLogout+name] = func(w http.ResponseWriter, r *http.Request) {
				if allowMethods(w, r, http.MethodPost) {
					s.serveLogout(w, r, verifier)
				}
			}
		}
	}
}

// serveLogout takes a logout token. Section 2.8 has 400 for whatever went wrong.
func (s *Server) serveLogout(w http.ResponseWriter, r *http.Request, from identity.LogoutVerifier) {
	if err := s.logOut(r, from); err != nil {
		refused := *asProtocolError(err)
		if refused.status >= http.StatusInternalServerError {
			s.log.Warn("sessions that the identity provider has ended could not be ended here", zap.String("provider", from.Name()), zap.Error(err))
		}
		refused.status = http.StatusBadRequest
		s.answerError(w, r, "logout", nil, &refused)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// logOut ends what a logout token says.
func (s *Server) logOut(r *http.Request, from identity.LogoutVerifier) error {
	form, err := readForm(r, maxFormBytes)
	if err != nil {
		return err
	}
	if len(form.values["logout_token"]) != 1 {
		return refuse(codeInvalidRequest, "There has to be one logout_token.")
	}
	logout, err := from.VerifyLogout(r.Context(), form.get("logout_token"))
	if errors.Is(err, identity.ErrCallback) {
		e := refuse(codeInvalidRequest, "The logout_token is not good.")
		e.reason = err
		return e
	}
	if err != nil {
		return err
	}
	// A copy that comes while the first is at work does no harm: it ends the same.
	id := shortDigest(from.Name(), logout.Token)
	if _, err := s.cfg.Store.Get(r.Context(), kindLogout, id); err == nil {
		e := refuse(codeInvalidRequest, "The logout_token was used before.")
		e.reason = errLogoutUsed
		return e
	} else if !errors.Is(err, store.ErrNotFound) {
		return unavailable(err)
	}
	if _, err := s.EndSessions(r.Context(), from.Name(), logout.Ended, "The identity provider ended the session."); err != nil {
		return unavailable(err)
	}
	if err := s.cfg.Store.Put(r.Context(), kindLogout, id, []byte{1}, s.now().Add(logoutMemory)); err != nil {
		return unavailable(err)
	}
	s.record(&event{name: "logout", decision: decisionAllow, reason: "The identity provider ended a session.", status: http.StatusOK})
	return nil
}
