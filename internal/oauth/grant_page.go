package oauth

import (
	"errors"
	"net/http"
	"net/url"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// showGrant writes page 3: what the agent will be able to do, and how much of that the person wants to leave it. chosen is what a form
// chose that has to be sent again, because of problem; both are zero the first time.
func (s *Server) showGrant(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, chosen *choice, problem string) {
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
	others := s.others(tx, l.Person)
	choices, err := s.choicesOf(r.Context(), tx, l.Person, append([]other{{Resource: res}}, others...))
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	if chosen != nil {
		choices[0].now = chosen.now
	}
	page := pages.Grant{
		Client: c.page(to), Server: res.Server, Resource: res.URL, Person: personName(l.Person), Email: l.Person.Email, Org: orgName(l.Person), Abilities: abilities,
		Nothing: nothing, Contact: s.cfg.Contact, Impersonator: l.Person.Impersonator, Action: s.endpoint("consent"), Choosing: choices[0].page(""), Problem: problem,
		Hidden: []pages.Field{{Name: fieldTx, Value: tx.Token}},
	}
	for i, o := range others {
		page.Others = append(page.Others, pages.Other{Value: o.value, Server: s.serverLabel(o.Resource), Abilities: o.abilities, Choosing: choices[i+1].page("-" + o.value)})
	}
	s.pages.Grant(w, to.formTargets(), page)
}

// serverLabel is the name of a server, with its path where others have the same name.
func (s *Server) serverLabel(res Resource) string {
	for _, other := range s.cfg.Resources() {
		if other.Server == res.Server && canonical(other).URL != canonical(res).URL {
			return res.Server + " (" + res.Mount + ")"
		}
	}
	return res.Server
}

// decideGrant takes the answer to page 3.
func (s *Server) decideGrant(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, allow bool, form params) {
	c, to, ok := s.txClient(w, r, tx)
	if !ok {
		return
	}
	var chosen *choice
	var left *policy.Narrowing
	l, answer, err := s.takePending(r.Context(), sealer, tx, func(l *login) (string, error) {
		if !allow {
			return s.clientAnswer(to, tx.Request.State, url.Values{
				"error": {codeAccessDenied}, "error_description": {"The person denied the request."},
			}), nil
		}
		res, err := s.resource(tx.Request.Resource)
		if err != nil {
			return "", errNoTransaction
		}
		choices, err := s.choicesOf(r.Context(), tx, l.Person, []other{{Resource: res}})
		if err != nil {
			return "", err
		}
		chosen = choices[0]
		if left, err = chosen.take(form, ""); err != nil {
			return "", err
		}
		code, err := s.newCode(r.Context(), sealer, &tx.Request, l, left)
		return s.codeAnswer(tx, to, code), err
	})
	switch {
	case errors.Is(err, errNoTransaction), errors.Is(err, seal.ErrForeign):
		s.noTransaction(w, r, err)
	case chooseAgain(err) != "":
		s.showGrant(w, r, sealer, tx, chosen, chooseAgain(err))
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
		s.remember(w, r, sealer, tx, c, to, l.Person, form, left)
		reason := "The person allowed it."
		if left != nil {
			reason = "The person allowed it: " + left.String() + "."
		}
		s.finish(w, r, tx, c, l.Person, answer, reason)
	}
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
