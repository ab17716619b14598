package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// What a person has answered before is kept in two places. That page 1 was answered is known to the browser, in a sealed
// cookie: who the person is can't be known before the sign-in. That page 3 was answered is in the store, under the person.
const (
	kindConsent       = "consent"
	purposeRemembered = "remembered"
	rememberedTTL     = 90 * 24 * time.Hour
	maxRemembered     = 16
)

// remembered is one answer to page 1 in this browser.
type remembered struct {
	// Where is a digest of client and redirect host, What of the resource.
	Where    string `json:"w"`
	What     string `json:"a"`
	Provider string `json:"p"`
	Expires  int64  `json:"e"`
}

// consentRecord is an answer to page 3.
type consentRecord struct {
	// Abilities is a digest of what the person was shown. If the agent could do something else now, it is asked again.
	Abilities string    `json:"abilities"`
	At        time.Time `json:"at"`
	// Until is when it counts no more; of records that don't say so, in the time that all had.
	Until time.Time `json:"until,omitzero"`
	// Narrowing is what the person left the agent; nil if all.
	Narrowing *policy.Narrowing `json:"narrowing,omitempty"`
}

// until is when the record goes.
func (rec *consentRecord) until() time.Time {
	if rec.Until.IsZero() {
		return rec.At.Add(rememberedTTL)
	}
	return rec.Until
}

// rememberedCookie is the name of the browser's cookie.
func (s *Server) rememberedCookie() string { return s.cookiePrefix + "mcp_allowed" }

// shortDigest is a digest of parts that can't be mistaken for other parts.
func shortDigest(parts ...string) string {
	var all []byte
	for _, p := range parts {
		all = fmt.Appendf(all, "%d:%s", len(p), p)
	}
	return digest(string(all))[:22]
}

// readRemembered returns what this browser remembers, oldest first.
func (s *Server) readRemembered(r *http.Request, sealer *seal.Sealer) []remembered {
	c, err := r.Cookie(s.rememberedCookie())
	if err != nil {
		return nil
	}
	plain, err := sealer.Open(purposeRemembered, c.Name, c.Value)
	if err != nil {
		return nil
	}
	var list []remembered
	if json.Unmarshal(plain, &list) != nil {
		return nil
	}
	now := s.now().Unix()
	return slices.DeleteFunc(list, func(e remembered) bool { return e.Expires <= now })
}

// place is a digest of a client and where its answers go, if it is proved that they go to the same client every time: by an https redirect, or
// since only who has the client's key can do anything with them. For a client that isn't proved, it is "".
func place(c *client, to redirect) string {
	switch {
	case to.kind == redirectWeb:
		return shortDigest(c.ID, to.host())
	case c.KeyOnly:
		return shortDigest(c.ID)
	default:
		return ""
	}
}

// rememberedProvider returns with which provider to go on without page 1, or nil if the page has to be shown: always, unless
// the client is proved and this browser has allowed the same before.
func (s *Server) rememberedProvider(r *http.Request, sealer *seal.Sealer, req *authRequest, c *client, to redirect) identity.Provider {
	where := place(c, to)
	if s.cfg.Consent != ConsentOnce || req.Ask || where == "" {
		return nil
	}
	what := shortDigest(req.Resource)
	for _, e := range s.readRemembered(r, sealer) {
		if e.Where == where && e.What == what {
			return s.providers[e.Provider]
		}
	}
	return nil
}

// rememberedHost reports whether this browser has allowed this client at this place before, for whatever resource.
func (s *Server) rememberedHost(r *http.Request, c *client, to redirect) bool {
	sealer, err := s.cfg.Sealer(r.Context())
	if err != nil {
		return false
	}
	where := place(c, to)
	return where != "" && slices.ContainsFunc(s.readRemembered(r, sealer), func(e remembered) bool { return e.Where == where })
}

// remember keeps that a person allowed this on both pages, what they left the agent, and what was allowed besides. Failing to is no reason
// to fail: they are asked again then. Where people are asked every time, it is kept for the page to show what they chose before.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, c *client, to redirect, p *identity.Person, form params, left *policy.Narrowing) {
	if p.Impersonator != "" {
		return
	}
	now := s.now()
	err := s.keepConsent(r.Context(), consentID(tx, p), &consentRecord{
		Abilities: s.abilitiesDigest(p, tx.Request.Resource), At: now.UTC(), Until: now.Add(rememberedTTL).UTC(), Narrowing: left,
	})
	if err != nil {
		s.log.Warn("a person's consent could not be remembered", zap.Error(err))
		return
	}
	if s.cfg.Consent != ConsentOnce {
		return
	}
	where := place(c, to)
	if where == "" {
		s.rememberOthers(r, tx, form, where, p, nil)
		return
	}
	entry := remembered{
		Where: where, What: shortDigest(tx.Request.Resource), Provider: tx.Provider, Expires: now.Add(rememberedTTL).Unix(),
	}
	list, _ := without(s.readRemembered(r, sealer), entry.Where, entry.What)
	if list = s.rememberOthers(r, tx, form, where, p, append(list, entry)); len(list) > maxRemembered {
		list = list[len(list)-maxRemembered:]
	}
	s.writeRemembered(w, sealer, list)
}

// forget takes back what the person allowed on both pages before, since they have denied it now.
func (s *Server) forget(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, p *identity.Person) {
	if err := s.cfg.Store.Delete(r.Context(), kindConsent, consentID(tx, p)); err != nil {
		s.log.Error("a person's consent could not be taken back", zap.Error(err))
	}
	s.forgetHere(w, r, sealer, tx)
}

// forgetHere takes back what this browser remembers of page 1, in whichever way the client was proved.
func (s *Server) forgetHere(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction) {
	to, err := parseRedirect(tx.Request.Redirect)
	if err != nil {
		return
	}
	what := shortDigest(tx.Request.Resource)
	list, byRedirect := without(s.readRemembered(r, sealer), shortDigest(tx.Request.Client, to.host()), what)
	list, byKey := without(list, shortDigest(tx.Request.Client), what)
	if byRedirect || byKey {
		s.writeRemembered(w, sealer, list)
	}
}

// without takes an answer out of those that a browser remembers, and reports whether it was among them.
func without(list []remembered, where, what string) ([]remembered, bool) {
	left := slices.DeleteFunc(slices.Clone(list), func(e remembered) bool { return e.Where == where && e.What == what })
	return left, len(left) < len(list)
}

// writeRemembered replaces what this browser remembers.
func (s *Server) writeRemembered(w http.ResponseWriter, sealer *seal.Sealer, list []remembered) {
	plain, err := json.Marshal(list)
	if err != nil {
		return
	}
	name := s.rememberedCookie()
	s.setCookie(w, name, sealer.Seal(purposeRemembered, name, plain), rememberedTTL)
}

// consented returns the answer by which page 3 may be left out, or nil: the same person has allowed the same client the same abilities
// at the same resource. Whether page 1 was left out too does not matter here: only clients that are proved get past that one.
func (s *Server) consented(ctx context.Context, tx *transaction, p *identity.Person) *consentRecord {
	if s.cfg.Consent != ConsentOnce || tx.Request.Ask || p.Impersonator != "" {
		return nil
	}
	rec, err := s.consentRecord(ctx, p, tx.Request.Client, tx.Request.Resource)
	if err != nil {
		s.log.Warn("a person's consent could not be read", zap.Error(err))
		return nil
	}
	if rec == nil || rec.Abilities != s.abilitiesDigest(p, tx.Request.Resource) || s.ended(ctx, p, tx.Request.Client, *rec) {
		return nil
	}
	return rec
}

// consentRecord reads a person's answer to page 3 of a client at a resource; nil if there is none that can be read.
func (s *Server) consentRecord(ctx context.Context, p *identity.Person, clientID, resource string) (*consentRecord, error) {
	value, err := s.cfg.Store.Get(ctx, kindConsent, consentOf(p, clientID, resource))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rec := new(consentRecord)
	if json.Unmarshal(value, rec) != nil {
		return nil, nil
	}
	return rec, nil
}

// keepConsent keeps an answer to page 3.
func (s *Server) keepConsent(ctx context.Context, id string, rec *consentRecord) error {
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return s.cfg.Store.Put(ctx, kindConsent, id, value, rec.until())
}

// consentID is the id of a person's answer to page 3.
func consentID(tx *transaction, p *identity.Person) string {
	return consentOf(p, tx.Request.Client, tx.Request.Resource)
}

// consentOf is the id of a person's answer to page 3 of a client at a resource.
func consentOf(p *identity.Person, clientID, resource string) string {
	return shortDigest(subjectID(p), clientID, resource)
}

// abilitiesDigest is a digest of what page 3 would show.
func (s *Server) abilitiesDigest(p *identity.Person, resource string) string {
	res, _ := s.resource(resource)
	abilities, nothing := s.abilities(p, res)
	text, err := json.Marshal(abilities)
	if err != nil {
		return randomText(8) // never equal to another: ask again
	}
	return shortDigest(string(text), fmt.Sprint(nothing))
}
