package oauth

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
)

// An agent that is set up for several servers of one gateway asks for them in turn, each with a login of its own. On page 3 a person can
// allow the others at once: that is remembered as an answer to both pages there, by the rules of remembered.go, but for minutes. So
// the pages are left out for the same client in the same browser only, and page 1 never for a client that isn't proved; prompt asks
// all the same.
const (
	fieldAlso = "also"
	alsoTTL   = 10 * time.Minute
	// maxOthers bounds how many servers are offered.
	maxOthers = 12
)

// offered reports whether more than one server can be allowed at once.
func (s *Server) offered(tx *transaction, p *identity.Person) bool {
	return s.cfg.Consent == ConsentOnce && p.Impersonator == "" && !tx.Request.Ask
}

// others lists the servers on the same host as that of tx on which a person could do anything.
func (s *Server) others(tx *transaction, p *identity.Person) (others []pages.Other) {
	if !s.offered(tx, p) {
		return nil
	}
	for _, res := range s.cfg.Resources() {
		res = canonical(res)
		if res.URL == tx.Request.Resource || !sameOrigin(res.URL, tx.Request.Resource) {
			continue
		}
		abilities, nothing := s.abilities(p, res)
		if nothing || len(abilities) == 0 || len(others) == maxOthers {
			continue
		}
		others = append(others, pages.Other{Value: alsoValue(tx, res.URL, s.abilitiesDigest(p, res.URL)), Server: res.Server, Abilities: abilities})
	}
	return others
}

// alsoValue is what a form posts for a server: it stands for what the person was shown, and for nothing else.
func alsoValue(tx *transaction, resource, abilities string) string {
	return shortDigest(tx.Token, resource, abilities)
}

// rememberOthers keeps what a person has allowed besides. What is no longer as it was on the page is left out: it is asked about when it
// comes up. list are the answers of this browser so far; those to page 1 are added to it.
func (s *Server) rememberOthers(r *http.Request, tx *transaction, ticked []string, where string, p *identity.Person, list []remembered) []remembered {
	if !s.offered(tx, p) || len(ticked) == 0 || len(ticked) > maxOthers {
		return list
	}
	now := s.now()
	for _, res := range s.cfg.Resources() {
		res = canonical(res)
		abilities := s.abilitiesDigest(p, res.URL)
		if res.URL == tx.Request.Resource || !sameOrigin(res.URL, tx.Request.Resource) || !slices.Contains(ticked, alsoValue(tx, res.URL, abilities)) {
			continue
		}
		other := &transaction{Request: authRequest{Client: tx.Request.Client, Resource: res.URL}}
		if !s.consented(r.Context(), other, p) {
			value, err := json.Marshal(consentRecord{Abilities: abilities, At: now.UTC()})
			if err == nil {
				err = s.cfg.Store.Put(r.Context(), kindConsent, consentID(other, p), value, now.Add(alsoTTL))
			}
			if err != nil {
				s.log.Warn("a person's consent could not be remembered", zap.Error(err))
				continue
			}
		}
		what := shortDigest(res.URL)
		if where == "" || slices.ContainsFunc(list, func(e remembered) bool { return e.Where == where && e.What == what }) {
			continue
		}
		list = append(list, remembered{Where: where, What: what, Provider: tx.Provider, Expires: now.Add(alsoTTL).Unix()})
	}
	return list
}

// sameOrigin reports whether two resources are on one host.
func sameOrigin(a, b string) bool { return originOf(a) == originOf(b) }

// originOf is a canonical URL without its path.
func originOf(resource string) string {
	scheme, rest, _ := strings.Cut(resource, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
