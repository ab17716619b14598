package oauth

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// fieldTx is the form field that carries a transaction's token.
const fieldTx = "tx"

// Decisions that a person takes in our forms.
const (
	personAllows  = "allow"
	personCancels = "cancel"
	personDenies  = "deny"
)

// ask begins a transaction with page 1, before anything leaves for the identity provider: otherwise whoever registers a
// client could collect codes behind one static client's consent there (the confused deputy).
func (s *Server) ask(w http.ResponseWriter, r *http.Request, req *authRequest, c *client, to redirect) {
	sealer, err := s.cfg.Sealer(r.Context())
	if err != nil {
		s.refuseAuthorization(w, r, &authorizeError{protocolError: unavailable(err), client: c})
		return
	}
	if len(s.cfg.Providers) == 0 {
		s.refuseAuthorization(w, r, &authorizeError{
			protocolError: refuse(codeUnauthorizedClient, "Nobody can sign in here."), client: c, to: &to, state: req.State,
		})
		return
	}
	if provider := s.rememberedProvider(r, sealer, req, c, to); provider != nil {
		s.begin(w, r, sealer, req, provider, "")
		return
	}
	tx := &transaction{Step: stepAsk, Token: newTxToken(""), Request: *req}
	if err := s.saveTx(w, r, sealer, tx); err != nil {
		s.refuseAuthorization(w, r, &authorizeError{protocolError: unavailable(err), client: c})
		return
	}
	res, _ := s.resource(req.Resource)
	page := pages.Ask{
		Client: c.page(to), Server: res.Server, Resource: res.URL, Action: s.endpoint("consent"), Hidden: []pages.Field{{Name: fieldTx, Value: tx.Token}},
	}
	for _, p := range s.cfg.Providers {
		page.Providers = append(page.Providers, pages.Choice{Value: p.Name(), Label: p.Label()})
	}
	s.pages.Ask(w, s.askTargets(to), page)
}

// askTargets are where the form of page 1 may lead: to the client, or to an identity provider and from there on. Those are
// on https, except on a computer where all of this is tried out.
func (s *Server) askTargets(to redirect) []string {
	targets := to.formTargets()
	if s.cookiePrefix == "" {
		targets = append(targets, "http://localhost:*", "http://127.0.0.1:*")
	}
	return targets
}

// serveConsent shows page 3 (GET), and takes the answers of pages 1 and 3 (POST).
func (s *Server) serveConsent(w http.ResponseWriter, r *http.Request) {
	sealer, err := s.cfg.Sealer(r.Context())
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	if r.Method != http.MethodPost {
		tx, err := s.loadTx(r, sealer, r.URL.Query().Get(fieldTx))
		if err != nil || tx.Step != stepGrant {
			s.noTransaction(w, r, errNoTransaction)
			return
		}
		s.showGrant(w, r, sealer, tx, nil, "")
		return
	}
	tx, form, err := s.postedTx(r, sealer)
	if err != nil {
		s.noTransaction(w, r, err)
		return
	}
	decision := form.get("decision")
	switch {
	case tx.Step == stepAsk && decision == personAllows:
		s.allowAsk(w, r, sealer, tx, form.get("provider"))
	case tx.Step == stepAsk && (decision == personCancels || decision == personDenies):
		s.forgetHere(w, r, sealer, tx)
		s.cancel(w, r, tx, "The person cancelled.")
	case tx.Step == stepGrant && (decision == personAllows || decision == personDenies || decision == personCancels):
		s.decideGrant(w, r, sealer, tx, decision == personAllows, form)
	default:
		s.noTransaction(w, r, errNoTransaction)
	}
}

// postedTx finds the transaction of a form of ours, and checks that the form was ours, in this browser.
func (s *Server) postedTx(r *http.Request, sealer *seal.Sealer) (*transaction, params, error) {
	if !s.sameSite(r) {
		return nil, params{}, errors.New("oauth: the form was posted from another site")
	}
	form, err := readForm(r, maxChoiceBytes)
	if err != nil {
		return nil, params{}, err
	}
	if name := form.repeated(fieldTx, "decision", "provider", "username", "password", "organization"); name != "" {
		return nil, params{}, errNoTransaction
	}
	tx, err := s.loadTx(r, sealer, form.get(fieldTx))
	if err != nil {
		return nil, params{}, err
	}
	if !tx.matches(form.get(fieldTx)) {
		return nil, params{}, errNoTransaction
	}
	return tx, form, nil
}

// allowAsk goes on after page 1.
func (s *Server) allowAsk(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, name string) {
	provider := s.providers[name]
	if name == "" && len(s.cfg.Providers) == 1 {
		provider = s.cfg.Providers[0]
	}
	if provider == nil {
		s.noTransaction(w, r, errNoTransaction)
		return
	}
	s.begin(w, r, sealer, &tx.Request, provider, tx.name())
}

// begin sends the person to sign in. The transaction it saves, under a name of its own, is what the callback will require;
// that of page 1, asked, stays until the login ends, so that the browser's back button and a second click do no harm.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, req *authRequest, provider identity.Provider, asked string) {
	tx := &transaction{Token: newTxToken(""), Request: *req, Provider: provider.Name(), Asked: asked}
	var location string
	switch p := provider.(type) {
	case identity.Redirector:
		var err error
		tx.Step = stepCallback
		location, tx.Secret, err = p.Start(r.Context(), identity.Start{RedirectURI: s.endpoint(s.callbackOf(provider.Name())), State: tx.Token, LoginHint: req.Hint, Anew: req.Anew})
		if err != nil {
			s.trouble(w, r, err)
			return
		}
	case identity.Verifier:
		tx.Step = stepSignIn
		location = s.endpoint("signin") + "?" + fieldTx + "=" + url.QueryEscape(tx.name())
	default:
		s.trouble(w, r, errors.New("oauth: the identity provider "+provider.Name()+" offers no way to sign in"))
		return
	}
	if err := s.saveTx(w, r, sealer, tx); err != nil {
		s.trouble(w, r, err)
		return
	}
	s.seeOther(w, r, location)
}

// cancel ends a transaction and tells the client that the person did not want it.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, tx *transaction, description string) {
	s.endTx(w, tx)
	if tx.Request.Own {
		s.seeOther(w, r, s.endpoint("connections"))
		return
	}
	to, err := parseRedirect(tx.Request.Redirect)
	if err != nil {
		s.noTransaction(w, r, err)
		return
	}
	s.record(&event{
		name: "consent", decision: decisionDeny, reason: description, clientID: tx.Request.Client, resource: tx.Request.Resource,
		status: http.StatusSeeOther,
	})
	s.answerClient(w, r, to, tx.Request.State, url.Values{"error": {codeAccessDenied}, "error_description": {description}})
}

// noTransaction tells a person that there is nothing to go on with. Why is in the log: to a person it makes no difference,
// and to an attacker it should make none.
func (s *Server) noTransaction(w http.ResponseWriter, r *http.Request, reason error) {
	s.record(&event{name: "consent", decision: decisionRefuse, reason: reason.Error(), status: http.StatusBadRequest})
	s.pages.Message(w, pages.Message{
		Status: http.StatusBadRequest, Title: "This sign-in can't go on",
		Text: "It was not started in this browser, it is finished already, or it has taken more than ten minutes.",
		Hint: "Go back to your app and connect again. Cookies have to be allowed for this site.",
	})
}

// trouble tells a person that something here does not work now.
func (s *Server) trouble(w http.ResponseWriter, r *http.Request, err error) {
	e := unavailable(err)
	s.record(&event{name: "login", decision: decisionError, reason: err.Error(), status: e.status})
	setRetryAfter(w, e.retryAfter)
	s.pages.Message(w, pages.Message{
		Status: e.status, Title: "Not right now", Text: "Signing in does not work at the moment.", Hint: "Try again in a minute.",
	})
}
