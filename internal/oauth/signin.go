package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// Bounds of what is typed into the sign-in form, in bytes.
const (
	maxUsername = 256
	maxPassword = 1024
)

// serveSignIn is the form for people whose passwords are checked here: shown by GET, answered by POST.
func (s *Server) serveSignIn(w http.ResponseWriter, r *http.Request) {
	sealer, err := s.cfg.Sealer(r.Context())
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	if r.Method != http.MethodPost {
		tx, err := s.loadTx(r, sealer, r.URL.Query().Get(fieldTx))
		if err != nil || tx.Step != stepSignIn {
			s.noTransaction(w, r, errNoTransaction)
			return
		}
		s.showSignIn(w, r, tx, "", "")
		return
	}
	tx, form, err := s.postedTx(r, sealer)
	if err != nil {
		s.noTransaction(w, r, err)
		return
	}
	verifier, ok := s.providers[tx.Provider].(identity.Verifier)
	switch {
	case !ok || tx.Step != stepSignIn:
		s.noTransaction(w, r, errNoTransaction)
	case form.get("decision") == personCancels || form.get("decision") == personDenies:
		s.cancel(w, r, tx, "The person cancelled.")
	default:
		s.verify(w, r, sealer, tx, verifier, form.get("username"), form.get("password"))
	}
}

// verify checks what was typed in.
func (s *Server) verify(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, v identity.Verifier, user, password string) {
	if len(user) > maxUsername || len(password) > maxPassword {
		s.showSignIn(w, r, tx, "", "That user name or password is too long.")
		return
	}
	began := s.now()
	person, err := v.Verify(r.Context(), user, password)
	switch {
	case err == nil:
		s.signedIn(w, r, sealer, tx, person, began)
	case errors.Is(err, identity.ErrCredentials):
		s.record(&event{name: "login", decision: decisionDeny, reason: err.Error(), clientID: tx.Request.Client, resource: tx.Request.Resource})
		s.showSignIn(w, r, tx, user, "The user name or the password is wrong.")
	case errors.Is(err, identity.ErrRateLimited):
		wait := time.Minute
		if limited, ok := errors.AsType[*identity.RateLimited](err); ok && limited.RetryAfter > 0 {
			wait = limited.RetryAfter
		}
		s.record(&event{name: "login", decision: decisionDeny, reason: err.Error(), clientID: tx.Request.Client, resource: tx.Request.Resource})
		setRetryAfter(w, wait)
		s.showSignIn(w, r, tx, user, "There were too many attempts. Wait a little, then try again.")
	default:
		s.signInFailed(w, r, tx, err)
	}
}

// showSignIn writes the form.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request, tx *transaction, user, problem string) {
	if tx.Request.Own {
		s.pages.SignIn(w, nil, pages.SignIn{
			Action: s.endpoint("signin"), Hidden: []pages.Field{{Name: fieldTx, Value: tx.Token}}, Username: user, Error: problem,
		})
		return
	}
	c, to, ok := s.txClient(w, r, tx)
	if !ok {
		return
	}
	res, _ := s.resource(tx.Request.Resource)
	s.pages.SignIn(w, to.formTargets(), pages.SignIn{
		Action: s.endpoint("signin"), Hidden: []pages.Field{{Name: fieldTx, Value: tx.Token}}, Username: user, Error: problem,
		Client: c.page(to), Server: res.Server,
	})
}

// txClient finds the client of a transaction again, which may have been removed meanwhile, and answers if it is not there.
func (s *Server) txClient(w http.ResponseWriter, r *http.Request, tx *transaction) (*client, redirect, bool) {
	c, err := s.client(r.Context(), tx.Request.Client)
	if err != nil && !errors.Is(err, errUnknownClient) && asProtocolError(err).code != codeInvalidClient {
		s.trouble(w, r, err)
		return nil, redirect{}, false
	}
	var to redirect
	if err == nil {
		to, err = matchRedirect(c.RedirectURIs, tx.Request.Redirect)
	}
	if err == nil {
		_, err = s.resource(tx.Request.Resource)
	}
	if err != nil {
		s.endTx(w, tx)
		s.noTransaction(w, r, err)
		return nil, redirect{}, false
	}
	return c, to, true
}

// signInFailed answers a sign-in that came to nothing for another reason than what was typed in.
func (s *Server) signInFailed(w http.ResponseWriter, r *http.Request, tx *transaction, err error) {
	ev := &event{
		name: "login", decision: decisionDeny, reason: err.Error(), clientID: tx.Request.Client, resource: tx.Request.Resource,
		status: http.StatusForbidden,
	}
	switch {
	case errors.Is(err, identity.ErrDenied):
		text := "You have signed in, but you may not use this server."
		if denied, ok := errors.AsType[*identity.Denied](err); ok && denied.Reason != "" {
			text = denied.Reason
		}
		hint := ""
		if s.cfg.Contact != "" {
			hint = "If you should be able to, ask " + s.cfg.Contact + "."
		}
		s.record(ev)
		s.pages.Message(w, pages.Message{
			Status: ev.status, Title: "You can't come in", Text: text, Hint: hint, Back: s.wayBack(tx, codeAccessDenied, "The person may not use this server."),
		})
	case errors.Is(err, identity.ErrCallback), errors.Is(err, identity.ErrCredentials), errors.Is(err, identity.ErrRateLimited):
		ev.status = http.StatusBadRequest
		s.record(ev)
		s.pages.Message(w, pages.Message{
			Status: ev.status, Title: "Signing in did not work", Text: "The sign-in service gave no usable answer.",
			Hint: "Go back to your app and connect again.", Back: s.wayBack(tx, codeServerError, "The sign-in service gave no usable answer."),
		})
	default:
		s.trouble(w, r, err)
	}
}

// wayBack is a link by which the client hears why it waits in vain, once the person has read the same. (To send the browser there at once would
// leave the person with whatever the client makes of an error.) It leads where page 1 said that the answer would go.
func (s *Server) wayBack(tx *transaction, code, description string) pages.Link {
	to, err := parseRedirect(tx.Request.Redirect)
	if err != nil {
		return pages.Link{}
	}
	link := pages.Link{URL: s.clientAnswer(to, tx.Request.State, url.Values{"error": {code}, "error_description": {description}})}
	if to.kind == redirectWeb {
		link.To = to.host()
	}
	return link
}
