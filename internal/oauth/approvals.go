package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// pathApprove is the page where a person answers what their agents ask, below the endpoints.
const pathApprove = "connections/approve"

// What a person can say there.
const (
	answersOnce     = "once"
	answersAlways   = "always"
	answersDeny     = "deny"
	answersAskAgain = "ask-again"
)

// ApprovalPage is the address where the call of an id can be approved.
func (s *Server) ApprovalPage(id string) string {
	return s.endpoint(pathApprove) + "?call=" + url.QueryEscape(id)
}

// CanApprove reports whether the person of an Access can sign in here, to say what an agent may do in their name.
func (s *Server) CanApprove(a *Access) bool {
	return a.Person != nil && s.providers[a.Person.Provider] != nil && a.Subject.ID == subjectID(a.Person)
}

// asked is the call that a request is about; "" if it names none.
func asked(id string) string {
	if len(id) != 40 || strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return id
}

// serveApproval is the page of one call that waits (GET), and takes what its person says of it (POST).
func (s *Server) serveApproval(w http.ResponseWriter, r *http.Request) {
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
	call := asked(r.URL.Query().Get("call"))
	switch {
	case r.Method == http.MethodPost:
		s.takeAnswer(w, r, sealer, sess, call)
	case call == "":
		s.seeOther(w, r, s.endpoint("connections"))
	case sess == nil:
		s.welcome(w, s.ApprovalPage(call), "An app of yours asks whether it may do something. Sign in to see what.")
	default:
		s.showApproval(w, r, sess, call)
	}
}

// showApproval writes the page of a call that waits.
func (s *Server) showApproval(w http.ResponseWriter, r *http.Request, sess *personSession, id string) {
	p := sess.Login.Person
	pending, err := s.cfg.Approvals.Pending(r.Context(), subjectID(p), id)
	if errors.Is(err, approval.ErrGone) {
		s.nothingWaits(w)
		return
	}
	var grants []personGrant
	if err == nil {
		grants, err = s.grantsOf(r.Context(), p)
	}
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	client, alive := s.clientOf(p, grants, pending.Call.Grant, pending.Call.ClientName)
	if !alive {
		s.nothingWaits(w)
		return
	}
	s.pages.Approve(w, nil, pages.Approve{
		Action: s.endpoint(pathApprove), Hidden: []pages.Field{{Name: "token", Value: sess.Token}}, Call: waitingCall(p, pending, client),
		Person: personName(p), Email: p.Email, Org: orgName(p), Impersonator: p.Impersonator, Now: s.now(),
	})
}

// nothingWaits says that a call needs no answer, or none of this person's.
func (s *Server) nothingWaits(w http.ResponseWriter) {
	s.pages.Message(w, pages.Message{
		Status: http.StatusNotFound, Title: "Nothing waits here", Text: "It was answered already, the app has waited for too long, or it was asked of somebody else.",
		Hint: "If the app still wants it, have it try again.",
	})
}

// takeAnswer takes what a form says. That it is one of ours is found out as for the page of connections.
func (s *Server) takeAnswer(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, sess *personSession, call string) {
	form, err := readForm(r, maxFormBytes)
	if err == nil && !s.sameSite(r) {
		err = errors.New("oauth: the form was posted from another site")
	}
	if err == nil && form.repeated("action", "provider", "token", "call", "standing") != "" {
		err = errors.New("oauth: the form has a field twice")
	}
	if err != nil {
		s.notOurForm(w, err)
		return
	}
	action := form.get("action")
	switch {
	case action == personSignsIn:
		s.signInFor(w, r, sealer, sess, form.get("provider"), &authRequest{Own: true, Call: call})
		return
	case sess == nil:
		s.seeOther(w, r, s.endpoint("connections"))
		return
	case !sess.holds(form.get("token")):
		s.notOurForm(w, errors.New("oauth: the form is not of this session"))
		return
	}
	switch err = s.answer(r.Context(), sess.Login.Person, action, form); {
	case errors.Is(err, errNoAnswer):
		s.notOurForm(w, err)
	case errors.Is(err, approval.ErrGone):
		s.nothingWaits(w)
	case errors.Is(err, approval.ErrMany):
		s.pages.Message(w, pages.Message{
			Status: http.StatusConflict, Title: "That is too much", Text: "You have allowed as much for good as can be kept.", Hint: "Take something back first, or allow this once.",
		})
	case err != nil:
		s.trouble(w, r, err)
	default:
		s.leaveNote(w, sealer, action)
		s.seeOther(w, r, s.endpoint("connections"))
	}
}

// errNoAnswer says that a form holds no answer that there is.
var errNoAnswer = errors.New("oauth: the form says nothing that can be done")

// answer does what a person says.
func (s *Server) answer(ctx context.Context, p *identity.Person, action string, form params) error {
	person := approval.Person{ID: subjectID(p), Email: p.Email, Org: p.Org, Roles: p.Roles}
	var a approval.Answer
	switch action {
	case answersAskAgain:
		return s.cfg.Approvals.Revoke(ctx, person, p.Impersonator, form.get("standing"))
	case answersOnce:
		a = approval.Once
	case answersAlways:
		if p.Impersonator != "" {
			// Who acts as somebody else may not leave something behind that goes on when they have gone.
			return errNoAnswer
		}
		a = approval.Always
	case answersDeny:
		a = approval.Deny
	default:
		return errNoAnswer
	}
	_, err := s.cfg.Approvals.Decide(ctx, person, p.Impersonator, asked(form.get("call")), a)
	return err
}

// asking is what waits for a person, and what they have approved for good, of grants that are alive.
func (s *Server) asking(ctx context.Context, sess *personSession, grants []personGrant) (*pages.Asking, error) {
	if s.cfg.Approvals == nil {
		return nil, nil
	}
	waiting, always, err := s.cfg.Approvals.Of(ctx, subjectID(sess.Login.Person))
	if err != nil {
		return nil, err
	}
	page := &pages.Asking{Action: s.endpoint(pathApprove), Hidden: []pages.Field{{Name: "token", Value: sess.Token}}}
	for _, p := range waiting {
		if client, alive := s.clientOf(sess.Login.Person, grants, p.Call.Grant, p.Call.ClientName); alive {
			page.Waiting = append(page.Waiting, waitingCall(sess.Login.Person, p, client))
		}
	}
	for _, a := range always {
		if client, alive := s.clientOf(sess.Login.Person, grants, a.Grant, a.ClientName); alive {
			page.Standing = append(page.Standing, pages.StandingUse{ID: a.ID, Client: client, Server: a.Server, Kind: a.Kind, Name: a.Name, Since: a.Since})
		}
	}
	return page, nil
}

// clientOf is the agent of a grant, as its person is shown it. A grant that has ended is not alive; the tokens of other
// authorization servers have none here.
func (s *Server) clientOf(p *identity.Person, grants []personGrant, id, name string) (c pages.Client, alive bool) {
	if strings.HasPrefix(id, foreignGrant) {
		return pages.Client{Name: name}, true
	}
	i := slices.IndexFunc(grants, func(g personGrant) bool { return g.id == id })
	if i < 0 {
		return c, false
	}
	return s.connection(p, grants[i]).Client, true
}

// waitingCall is a call that waits, as a person is shown it.
func waitingCall(person *identity.Person, p *approval.Pending, client pages.Client) pages.WaitingCall {
	return pages.WaitingCall{
		ID: p.ID, Client: client, Server: p.Call.Server, Kind: p.Call.Kind, Name: p.Call.Name, Args: p.Args, Asked: p.Asked,
		OnceOnly: person.Impersonator != "",
	}
}
