package oauth

import (
	"errors"
	"net/http"
	"slices"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// ownGrant finds a grant of a person that they may change, and what can be chosen for it. It answers if there is none: one that is not
// theirs, or no more there, leads back to the page, which shows what there is.
func (s *Server) ownGrant(w http.ResponseWriter, r *http.Request, p *identity.Person, id string) (*personGrant, *choice) {
	if p.Impersonator != "" {
		// Who acts as somebody else may end what agents may do, and not leave them more when they have gone.
		s.notOurForm(w, errors.New("oauth: somebody who acts as the person wanted to change what an agent may use"))
		return nil, nil
	}
	grants, err := s.grantsOf(r.Context(), p)
	if err != nil {
		s.trouble(w, r, err)
		return nil, nil
	}
	i := slices.IndexFunc(grants, func(g personGrant) bool { return g.id == id })
	if i < 0 {
		s.seeOther(w, r, s.endpoint("connections"))
		return nil, nil
	}
	res, err := s.resource(grants[i].Resource)
	if err != nil {
		s.seeOther(w, r, s.endpoint("connections"))
		return nil, nil
	}
	return &grants[i], s.choices(r.Context(), p, []Resource{res}, []*policy.Narrowing{grants[i].Narrowing})[0]
}

// showChange is the page on which a person changes what an agent of theirs may use. chosen is what a form chose that has to be sent again,
// because of problem; both are zero the first time.
func (s *Server) showChange(w http.ResponseWriter, r *http.Request, sess *personSession, id string, chosen *choice, problem string) {
	p := sess.Login.Person
	g, c := s.ownGrant(w, r, p, id)
	if g == nil {
		return
	}
	if chosen != nil {
		c.now = chosen.now
	}
	res, _ := s.resource(g.Resource) // it was found just now
	entry := s.connection(p, *g)
	abilities, nothing := s.abilities(p, res)
	page := pages.Change{
		Action: s.endpoint("connections"), Back: s.endpoint("connections"), Client: entry.Client, Server: entry.Server, Abilities: abilities, Problem: problem,
		Does: personNarrows, Label: "Save", Hidden: []pages.Field{{Name: "token", Value: sess.Token}, {Name: "grant", Value: g.id}},
	}
	if g.Personal {
		page.Token = g.ClientName
	}
	if !nothing {
		page.Choosing = c.page("")
	}
	s.pages.Change(w, page)
}

// narrow takes what a person chose for an agent that has access already. It counts from the next decision on, and for the logins of that
// agent for which page 3 is left out.
func (s *Server) narrow(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, sess *personSession, form params) {
	p := sess.Login.Person
	g, c := s.ownGrant(w, r, p, form.get("grant"))
	if g == nil {
		return
	}
	left, err := c.take(form, "")
	if again := chooseAgain(err); again != "" {
		s.showChange(w, r, sess, g.id, c, again)
		return
	}
	if !g.Personal {
		err = s.leave(r.Context(), p, g.Client, g.Resource, left)
	}
	if err == nil {
		_, err = s.updateGrant(r.Context(), g.id, func(g *grantRecord) error {
			g.Narrowing = left
			return nil
		})
	}
	if err != nil && !errors.Is(err, errNoGrant) {
		s.trouble(w, r, err)
		return
	}
	s.record((&event{
		name: "narrow", decision: decisionAllow, reason: "The person leaves it " + left.String() + ".", clientID: g.Client, clientName: g.ClientName, grantID: g.id,
		resource: g.Resource,
	}).of(p))
	s.leaveNote(w, sealer, personNarrows)
	s.seeOther(w, r, s.endpoint("connections"))
}

// usable lists the servers that a person may use.
func (s *Server) usable(p *identity.Person) (servers []pages.Server) {
	for _, res := range s.cfg.Resources() {
		abilities, nothing := s.abilities(p, res)
		if nothing || len(abilities) == 0 {
			continue
		}
		servers = append(servers, pages.Server{Name: s.serverLabel(res), URL: canonical(res).URL, Abilities: abilities})
	}
	return servers
}
