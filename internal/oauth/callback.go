package oauth

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// callbackOf is where a provider sends people back to, below the endpoints: the first that does has the short address, each further one
// an address of its own. At most one of them lets people be sent to each, so a provider can't have another one's answer
// arrive as if it were its own, and be asked about that one's code (RFC 9700 section 4.4.2.2).
func (s *Server) callbackOf(provider string) string {
	for _, p := range s.cfg.Providers {
		if _, ok := p.(identity.Redirector); ok {
			if p.Name() == provider {
				return "callback"
			}
			break
		}
	}
	return "callback/" + provider
}

// addCallbackRoutes adds the addresses that people come back to.
func (s *Server) addCallbackRoutes(routes map[string]http.HandlerFunc, page func(http.HandlerFunc, []string) http.HandlerFunc) {
	routes[s.prefix+"callback"] = page(s.serveCallback, []string{http.MethodGet, http.MethodHead})
	for name, provider := range s.providers {
		if _, ok := provider.(identity.Redirector); ok {
			routes[s.prefix+s.callbackOf(name)] = routes[s.prefix+"callback"]
		}
	}
}

// serveCallback is where the identity provider sends the person back to. It requires the cookie of the browser in which
// page 1 was allowed: without that, an attacker could have somebody else finish a login that the attacker began, and
// get a code for that person's account (CVE-2026-27124).
func (s *Server) serveCallback(w http.ResponseWriter, r *http.Request) {
	sealer, err := s.cfg.Sealer(r.Context())
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	query, err := parseParams(r.URL.RawQuery, maxFormBytes)
	if err != nil || query.repeated("state", "code", "error", "iss") != "" {
		s.noTransaction(w, r, errNoTransaction)
		return
	}
	tx, err := s.loadTx(r, sealer, query.get("state"))
	if err != nil {
		s.noTransaction(w, r, err)
		return
	}
	if tx.Step == stepGrant {
		// Reloaded: the person has signed in already.
		s.seeOther(w, r, s.grantPage(tx))
		return
	}
	if tx.Step == stepChoose {
		s.seeOther(w, r, s.choicePage(tx))
		return
	}
	provider, ok := s.providers[tx.Provider].(identity.Redirector)
	if !ok || tx.Step != stepCallback || !tx.matches(query.get("state")) || r.URL.EscapedPath() != s.prefix+s.callbackOf(tx.Provider) {
		s.noTransaction(w, r, errNoTransaction)
		return
	}
	var choice *identity.Choice
	began := s.now()
	person, err := provider.Finish(r.Context(), identity.Finish{RedirectURI: s.endpoint(s.callbackOf(tx.Provider)), Query: query.values, Secret: tx.Secret})
	switch {
	case err == nil:
		s.signedIn(w, r, sealer, tx, person, began)
	case errors.As(err, &choice):
		s.offerChoice(w, r, sealer, tx, choice)
	case errors.Is(err, identity.ErrCallback) && query.get("error") == codeAccessDenied:
		s.cancel(w, r, tx, "The person did not sign in.")
	case errors.Is(err, identity.ErrCallback), errors.Is(err, identity.ErrDenied):
		s.endTx(w, tx)
		s.signInFailed(w, r, tx, err)
	default:
		// The provider's code may still be good: reloading the page tries it again.
		s.signInFailed(w, r, tx, err)
	}
}

// grantPage is the address of page 3 of a transaction.
func (s *Server) grantPage(tx *transaction) string {
	return s.endpoint("consent") + "?" + fieldTx + "=" + url.QueryEscape(tx.name())
}
