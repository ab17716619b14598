package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// What a person can do on their own page.
const (
	personSignsIn     = "signin"
	personSignsOut    = "signout"
	personRevokes     = "revoke"
	personRevokesAll  = "revoke-all"
	personMakesAToken = "make"
	personNarrows     = "narrow"
)

// fieldChange names, in the address of the page, the grant whose agent is to be left more or less.
const fieldChange = "change"

// serveConnections is a person's own page: what acts in their name (GET), and the end of it (POST).
func (s *Server) serveConnections(w http.ResponseWriter, r *http.Request) {
	sealer, err := s.cfg.Sealer(r.Context())
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	sess, err := s.personSession(r, sealer)
	if err != nil && !errors.Is(err, errNoSession) {
		s.trouble(w, r, err)
		return
	}
	switch {
	case r.Method == http.MethodPost:
		s.changeConnections(w, r, sealer, sess)
	case sess == nil:
		s.welcome(w, s.endpoint("connections"), s.takeNote(w, r, sealer))
	case r.URL.Query().Has(fieldChange):
		s.showChange(w, r, sess, r.URL.Query().Get(fieldChange), nil, "")
	default:
		s.showConnections(w, r, sess, pages.Connections{Notice: s.takeNote(w, r, sealer)})
	}
}

// changeConnections takes what a form of the page says. That it is a form of ours, sent in this browser, is known by where the browser
// says it comes from, by the session's cookie, which does not travel with a post from elsewhere, and by a token in the form.
func (s *Server) changeConnections(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, sess *personSession) {
	form, err := readForm(r, maxChoiceBytes)
	if err == nil && !s.sameSite(r) {
		err = errors.New("oauth: the form was posted from another site")
	}
	if err == nil && form.repeated("action", "provider", "token", "grant", "name", "resource", "days") != "" {
		err = errors.New("oauth: the form has a field twice")
	}
	if err != nil {
		s.notOurForm(w, err)
		return
	}
	action := form.get("action")
	if action == personSignsIn {
		s.signInFor(w, r, sealer, sess, form.get("provider"), &authRequest{Own: true})
		return
	}
	if sess == nil {
		s.seeOther(w, r, s.endpoint("connections"))
		return
	}
	if !sess.holds(form.get("token")) {
		s.notOurForm(w, errors.New("oauth: the form is not of this session"))
		return
	}
	switch action {
	case personSignsOut:
		err = s.closeSession(r.Context(), w, sess)
	case personRevokes:
		err = s.endAccess(w, r, sealer, sess.Login.Person, form.get("grant"))
	case personRevokesAll:
		err = s.endAccess(w, r, sealer, sess.Login.Person, "")
	case personMakesAToken:
		s.makePersonal(w, r, sealer, sess, form)
		return
	case personNarrows:
		s.narrow(w, r, sealer, sess, form)
		return
	default:
		s.notOurForm(w, errors.New("oauth: the form says nothing that can be done"))
		return
	}
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	s.leaveNote(w, sealer, action)
	s.seeOther(w, r, s.endpoint("connections"))
}

// signInFor sends a person to sign in to their own page, or to one below it: at the provider of before, if they are signed in.
func (s *Server) signInFor(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, sess *personSession, name string, request *authRequest) {
	provider := s.providers[name]
	switch {
	case sess != nil:
		provider = s.providers[sess.Login.Person.Provider]
	case name == "" && len(s.cfg.Providers) == 1:
		provider = s.cfg.Providers[0]
	}
	if provider == nil {
		s.notOurForm(w, errors.New("oauth: the form names no way to sign in"))
		return
	}
	s.begin(w, r, sealer, request, provider, "")
}

// endAccess ends a grant of a person, or all of them if id is "". One that is not theirs, or no more there, is no error: there is nothing
// to end. What they once agreed to is forgotten too, so that the agent can't come back without being asked about.
func (s *Server) endAccess(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, p *identity.Person, id string) error {
	grants, err := s.grantsOf(r.Context(), p)
	if err != nil {
		return err
	}
	if id == "" {
		if err := s.endConsents(r.Context(), p, ""); err != nil {
			return err
		}
	}
	list := s.readRemembered(r, sealer)
	kept := len(list)
	for _, g := range grants {
		if id != "" && g.id != id {
			continue
		}
		if id != "" && !g.Personal {
			if err := s.endConsents(r.Context(), p, g.Client); err != nil {
				return err
			}
		}
		if err := s.Revoke(r.Context(), g.id); err != nil {
			return err
		}
		if to, err := parseRedirect(g.Redirect); err == nil {
			list = withoutClient(list, g.Client, to.host())
		}
		s.record((&event{
			name: "revoke", decision: decisionAllow, reason: "The person ended it.", clientID: g.Client, clientName: g.ClientName, grantID: g.id, resource: g.Resource,
		}).of(p))
	}
	if id == "" {
		list = nil
	}
	if len(list) < kept {
		s.writeRemembered(w, sealer, list)
	}
	return nil
}

// welcome asks who it is. action is the page that they then come to.
func (s *Server) welcome(w http.ResponseWriter, action, notice string) {
	if len(s.cfg.Providers) == 0 {
		s.pages.Message(w, pages.Message{Status: http.StatusNotFound, Title: "Nobody can sign in here", Text: "This gateway serves programs only."})
		return
	}
	page := pages.Welcome{Action: action, Notice: notice}
	for _, p := range s.cfg.Providers {
		page.Providers = append(page.Providers, pages.Choice{Value: p.Name(), Label: p.Label()})
	}
	s.pages.Welcome(w, s.signInTargets(), page)
}

// signInTargets are where a form that leads to a sign-in may lead.
func (s *Server) signInTargets() []string {
	if s.cookiePrefix == "" {
		return []string{"https:", "http://localhost:*", "http://127.0.0.1:*"}
	}
	return []string{"https:"}
}

// showConnections writes the page; what has happened is in it already.
func (s *Server) showConnections(w http.ResponseWriter, r *http.Request, sess *personSession, page pages.Connections) {
	p := sess.Login.Person
	grants, err := s.grantsOf(r.Context(), p)
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	page.Action, page.Now, page.Hidden = s.endpoint("connections"), s.now(), []pages.Field{{Name: "token", Value: sess.Token}}
	page.Person, page.Email, page.Org, page.Impersonator = personName(p), p.Email, orgName(p), p.Impersonator
	page.Servers, page.Contact = s.usable(p), s.cfg.Contact
	if s.cfg.PersonalTokens {
		if page.Tokens == nil {
			page.Tokens = new(pages.Tokens)
		}
		s.describePersonal(page.Tokens, sess, grants)
	}
	if page.Asking, err = s.asking(r.Context(), sess, grants); err != nil {
		s.trouble(w, r, err)
		return
	}
	for _, g := range grants {
		if g.Personal {
			continue
		}
		page.Agents = append(page.Agents, s.connection(p, g))
	}
	s.pages.Connections(w, s.signInTargets(), page)
}

// connection is a grant as its person is shown it.
func (s *Server) connection(p *identity.Person, g personGrant) pages.Connection {
	c := pages.Connection{
		ID: g.id, Client: pages.Client{Name: g.ClientName, Domain: g.Domain, Origin: g.Origin}, Server: g.Resource, Resource: g.Resource, Since: g.Created,
		Used: g.LastUsed, Ends: g.Expires, Whence: g.Whence, Impersonator: g.imposter, May: pages.MayAll,
	}
	if n := g.Narrowing; n != nil {
		if c.May, c.Tools = pages.MayTools, n.Tools; n.ReadOnly {
			c.May = pages.MayRead
		}
	}
	if p.Impersonator == "" {
		c.Change = s.endpoint("connections") + "?" + fieldChange + "=" + url.QueryEscape(g.id)
	}
	if to, err := parseRedirect(g.Redirect); err == nil {
		c.Client.RedirectHost, c.Client.Loopback, c.Client.CustomScheme = to.host(), to.kind == redirectLoopback, to.kind == redirectCustom
	}
	if i := slices.IndexFunc(s.cfg.Resources(), func(res Resource) bool { return canonical(res).URL == g.Resource }); i >= 0 {
		c.Server = s.serverLabel(s.cfg.Resources()[i])
	}
	return c
}

// personName is what a person is called on pages.
func personName(p *identity.Person) string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// orgName is what a person's organization is called on pages.
func orgName(p *identity.Person) string {
	if p.OrgName != "" {
		return p.OrgName
	}
	return p.Org
}

// notOurForm refuses a form. Why is in the audit record: to a person it makes no difference, and to an attacker it should make none.
func (s *Server) notOurForm(w http.ResponseWriter, reason error) {
	s.record(&event{name: "connections", decision: decisionRefuse, reason: reason.Error(), status: http.StatusBadRequest})
	s.pages.Message(w, pages.Message{
		Status: http.StatusBadRequest, Title: "That can't be done", Text: "It was not asked for on this page, or the page was open for too long.",
		Hint: "Open your connections anew. Cookies have to be allowed for this site.",
	})
}
