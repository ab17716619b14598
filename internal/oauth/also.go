package oauth

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
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
func (s *Server) others(tx *transaction, p *identity.Person) (others []other) {
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
		others = append(others, other{res, alsoValue(tx, res.URL, s.abilitiesDigest(p, res.URL)), abilities})
	}
	return others
}

// other is a server that can be allowed besides; value is what a form posts for it.
type other struct {
	Resource
	value     string
	abilities []pages.Ability
}

// choicesOf finds out what can be chosen at others; see choices.
func (s *Server) choicesOf(ctx context.Context, tx *transaction, p *identity.Person, others []other) ([]*choice, error) {
	resources, before := make([]Resource, len(others)), make([]*policy.Narrowing, len(others))
	for i, o := range others {
		resources[i] = o.Resource
		var err error
		if before[i], err = s.leftBefore(ctx, p, tx.Request.Client, o.URL); err != nil {
			return nil, err
		}
	}
	return s.choices(ctx, p, resources, before), nil
}

// alsoValue is what a form posts for a server: it stands for what the person was shown, and for nothing else.
func alsoValue(tx *transaction, resource, abilities string) string {
	return shortDigest(tx.Token, resource, abilities)
}

// rememberOthers keeps what a person has allowed besides, each with what they left the agent there. What is no longer as it was on the page is
// left out: it is asked about when it comes up. list are the answers of this browser so far; those to page 1 are added to it.
func (s *Server) rememberOthers(r *http.Request, tx *transaction, form params, where string, p *identity.Person, list []remembered) []remembered {
	ticked := form.values[fieldAlso]
	if !s.offered(tx, p) || len(ticked) == 0 || len(ticked) > maxOthers {
		return list
	}
	now := s.now()
	others := slices.DeleteFunc(s.others(tx, p), func(o other) bool { return !slices.Contains(ticked, o.value) })
	choices, err := s.choicesOf(r.Context(), tx, p, others)
	if err != nil {
		s.log.Warn("a person's consent could not be remembered", zap.Error(err))
		return list
	}
	for i, o := range others {
		left, err := choices[i].take(form, "-"+o.value)
		if err != nil {
			continue
		}
		next := &consentRecord{Abilities: s.abilitiesDigest(p, o.URL), At: now.UTC(), Until: now.Add(alsoTTL).UTC(), Narrowing: left}
		there := &transaction{Request: authRequest{Client: tx.Request.Client, Resource: o.URL}}
		if rec := s.consented(r.Context(), there, p); rec != nil {
			next.At, next.Until = rec.At, rec.until()
		}
		if err := s.keepConsent(r.Context(), consentID(there, p), next); err != nil {
			s.log.Warn("a person's consent could not be remembered", zap.Error(err))
			continue
		}
		what := shortDigest(o.URL)
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
