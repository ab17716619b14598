package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// A person who is a member of several organizations says as a member of which one they come. Until then, what the identity provider
// needs to go on is kept here, sealed: it may be too long for a cookie.
const (
	kindChoice    = "choice"
	purposeChoice = "oauth-choice"
)

// offerChoice sends the browser to the page on which an organization is chosen.
func (s *Server) offerChoice(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, choice *identity.Choice) {
	tx.Pending = randomText(32)
	id := digest(tx.Pending)
	plain, err := json.Marshal(choice)
	if err == nil {
		err = s.cfg.Store.Put(r.Context(), kindChoice, id, []byte(sealer.Seal(purposeChoice, id, plain)), s.now().Add(txTTL))
	}
	if err == nil {
		tx.Step, tx.Secret, tx.Token = stepChoose, nil, newTxToken(tx.name())
		err = s.saveTx(w, r, sealer, tx)
	}
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	s.seeOther(w, r, s.choicePage(tx))
}

// choicePage is the address of the page of a transaction.
func (s *Server) choicePage(tx *transaction) string {
	return s.endpoint("organization") + "?" + fieldTx + "=" + url.QueryEscape(tx.name())
}

// loadChoice reads what there is to choose.
func (s *Server) loadChoice(ctx context.Context, sealer *seal.Sealer, tx *transaction) (*identity.Choice, error) {
	id := digest(tx.Pending)
	value, err := s.cfg.Store.Get(ctx, kindChoice, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoTransaction
	}
	if err != nil {
		return nil, err
	}
	plain, err := sealer.Open(purposeChoice, id, string(value))
	if err != nil {
		return nil, err
	}
	choice := new(identity.Choice)
	return choice, json.Unmarshal(plain, choice)
}

// serveOrganization is the page on which an organization is chosen: shown by GET, answered by POST.
func (s *Server) serveOrganization(w http.ResponseWriter, r *http.Request) {
	sealer, err := s.cfg.Sealer(r.Context())
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	var tx *transaction
	var form params
	if r.Method == http.MethodPost {
		tx, form, err = s.postedTx(r, sealer)
	} else {
		tx, err = s.loadTx(r, sealer, r.URL.Query().Get(fieldTx))
	}
	if err == nil && tx.Step != stepChoose {
		err = errNoTransaction
	}
	if err != nil {
		s.noTransaction(w, r, err)
		return
	}
	decision := form.get("decision")
	if decision == personCancels || decision == personDenies {
		s.cancel(w, r, tx, "The person cancelled.")
		return
	}
	choice, err := s.loadChoice(r.Context(), sealer, tx)
	switch {
	case errors.Is(err, errNoTransaction):
		s.noTransaction(w, r, err)
	case err != nil:
		s.trouble(w, r, err)
	case r.Method == http.MethodPost:
		s.chosen(w, r, sealer, tx, choice, form.get("organization"))
	default:
		s.showChoice(w, r, tx, choice)
	}
}

// showChoice writes the page.
func (s *Server) showChoice(w http.ResponseWriter, r *http.Request, tx *transaction, choice *identity.Choice) {
	page := pages.Organization{Action: s.endpoint("organization"), Hidden: []pages.Field{{Name: fieldTx, Value: tx.Token}}}
	for _, o := range choice.Options {
		label := o.Name
		if label == "" {
			label = o.ID
		}
		page.Choices = append(page.Choices, pages.Choice{Value: o.ID, Label: label})
	}
	if tx.Request.Own {
		s.pages.Organization(w, nil, page)
		return
	}
	c, to, ok := s.txClient(w, r, tx)
	if !ok {
		return
	}
	res, _ := s.resource(tx.Request.Resource)
	page.Client, page.Server = c.page(to), res.Server
	s.pages.Organization(w, to.formTargets(), page)
}

// chosen goes on with the sign-in.
func (s *Server) chosen(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, choice *identity.Choice, id string) {
	provider, ok := s.providers[tx.Provider].(identity.Chooser)
	if !ok {
		s.noTransaction(w, r, errNoTransaction)
		return
	}
	began := s.now()
	person, err := provider.Choose(r.Context(), choice.Pending, id)
	switch {
	case err == nil:
		s.signedIn(w, r, sealer, tx, person, began)
	case errors.Is(err, identity.ErrCallback), errors.Is(err, identity.ErrDenied):
		s.endTx(w, tx)
		s.signInFailed(w, r, tx, err)
	default:
		// Trying again may help.
		s.signInFailed(w, r, tx, err)
	}
}
