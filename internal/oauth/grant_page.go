package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// showGrant writes page 3: what the agent will be able to do.
func (s *Server) showGrant(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction) {
	c, to, ok := s.txClient(w, r, tx)
	if !ok {
		return
	}
	l, _, err := s.pending(r.Context(), sealer, tx)
	if err == nil && l == nil {
		err = errNoTransaction
	}
	if errors.Is(err, errNoTransaction) {
		s.noTransaction(w, r, err)
		return
	}
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	res, _ := s.resource(tx.Request.Resource)
	abilities, nothing := s.abilities(l.Person, res)
	s.pages.Grant(w, to.formTargets(), pages.Grant{
		Client: c.page(to), Server: res.Server, Resource: res.URL, Person: personName(l.Person), Email: l.Person.Email, Org: orgName(l.Person), Abilities: abilities,
		Nothing: nothing, Contact: s.cfg.Contact, Impersonator: l.Person.Impersonator, Action: s.endpoint("consent"), Others: s.others(tx, l.Person),
		Hidden: []pages.Field{{Name: fieldTx, Value: tx.Token}},
	})
}

// decideGrant takes the answer to page 3.
func (s *Server) decideGrant(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, allow bool, also []string) {
	c, to, ok := s.txClient(w, r, tx)
	if !ok {
		return
	}
	l, answer, err := s.takePending(r.Context(), sealer, tx, to, allow)
	switch {
	case errors.Is(err, errNoTransaction), errors.Is(err, seal.ErrForeign):
		s.noTransaction(w, r, err)
	case err != nil:
		s.trouble(w, r, err)
	case l == nil: // a second click
		s.seeOther(w, r, answer)
	case !allow:
		s.forget(w, r, sealer, tx, l.Person)
		s.record((&event{
			name: "consent", decision: decisionDeny, reason: "The person denied it.", clientID: c.ID, clientName: c.Name, resource: tx.Request.Resource,
		}).of(l.Person))
		s.endTx(w, tx)
		s.seeOther(w, r, answer)
	default:
		s.remember(w, r, sealer, tx, c, to, l.Person, also)
		s.finish(w, r, tx, c, l.Person, answer, "The person allowed it.")
	}
}

// answerGrant makes the answer to the client: a code, or that the person denied it.
func (s *Server) answerGrant(ctx context.Context, sealer *seal.Sealer, tx *transaction, to redirect, l *login, allow bool) (string, error) {
	if !allow {
		return s.clientAnswer(to, tx.Request.State, url.Values{
			"error": {codeAccessDenied}, "error_description": {"The person denied the request."},
		}), nil
	}
	code, err := s.newCode(ctx, sealer, &tx.Request, l)
	if err != nil {
		return "", err
	}
	return s.codeAnswer(tx, to, code), nil
}

// codeAnswer is the address that takes a code to the client (OAuth 2.1 section 4.1.2).
func (s *Server) codeAnswer(tx *transaction, to redirect, code string) string {
	return s.clientAnswer(to, tx.Request.State, url.Values{"code": {code}})
}

// finish sends the browser to the client with a code.
func (s *Server) finish(w http.ResponseWriter, r *http.Request, tx *transaction, c *client, p *identity.Person, answer, reason string) {
	if err := s.touch(r.Context(), c); err != nil {
		s.log.Warn("a client's registration could not be prolonged", zap.Error(err))
	}
	s.record((&event{
		name: "consent", decision: decisionAllow, reason: reason, clientID: c.ID, clientName: c.Name, resource: tx.Request.Resource,
	}).of(p))
	s.endTx(w, tx)
	s.seeOther(w, r, answer)
}
