package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Where a person is kept who has signed in and has yet to answer page 3. A cookie would be too small for what some
// providers say about people, and could be used twice.
const (
	kindPending    = "pending"
	purposePending = "oauth-pending"
)

// answerTTL is how long the answer to page 3 is kept for a second click.
const answerTTL = time.Minute

// login is a person who has signed in, when, and roughly from where.
type login struct {
	Person *identity.Person `json:"person"`
	At     time.Time        `json:"at"`
	Whence string           `json:"whence,omitempty"`
}

// pendingRecord is what is kept of one.
type pendingRecord struct {
	// Login is the sealed login, until it was taken.
	Login string `json:"login,omitempty"`
	// Answer is where the browser was sent then, sealed. A second click on the same button gets the same answer: browsers show that of
	// the last click only.
	Answer string `json:"answer,omitempty"`
}

// signedIn goes on after the sign-in: to page 3, or past it where the person has answered it before. at is from before the provider was asked
// about the person: what it says of them while it answers is newer than its answer.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, person *identity.Person, at time.Time) {
	if tx.Request.Own {
		s.openSession(w, r, sealer, tx, person, at)
		return
	}
	c, to, ok := s.txClient(w, r, tx)
	if !ok {
		return
	}
	l := &login{Person: person, At: at.UTC(), Whence: whence(r)}
	s.record((&event{name: "login", decision: decisionAllow, clientID: c.ID, clientName: c.Name, resource: tx.Request.Resource}).of(person))
	if rec := s.consented(r.Context(), tx, person); rec != nil {
		code, err := s.newCode(r.Context(), sealer, &tx.Request, l, rec.Narrowing)
		if err != nil {
			s.trouble(w, r, err)
			return
		}
		s.finish(w, r, tx, c, l.Person, s.codeAnswer(tx, to, code), "Remembered from an earlier login.")
		return
	}
	tx.Pending = randomText(32)
	id := digest(tx.Pending)
	plain, err := json.Marshal(l)
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	value, err := json.Marshal(pendingRecord{Login: sealer.Seal(purposePending, id, plain)})
	if err == nil {
		err = s.cfg.Store.Put(r.Context(), kindPending, id, value, s.now().Add(txTTL))
	}
	if err == nil {
		tx.Step, tx.Secret, tx.Token = stepGrant, nil, newTxToken(tx.name())
		err = s.saveTx(w, r, sealer, tx)
	}
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	s.seeOther(w, r, s.grantPage(tx))
}

// pending reads the login that waits for page 3 of tx.
func (s *Server) pending(ctx context.Context, sealer *seal.Sealer, tx *transaction) (*login, *pendingRecord, error) {
	id := digest(tx.Pending)
	value, err := s.cfg.Store.Get(ctx, kindPending, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, errNoTransaction
	}
	if err != nil {
		return nil, nil, err
	}
	return openPending(sealer, id, value)
}

// openPending reads a record; the login is nil if it was taken.
func openPending(sealer *seal.Sealer, id string, value []byte) (*login, *pendingRecord, error) {
	var rec pendingRecord
	if err := json.Unmarshal(value, &rec); err != nil {
		return nil, nil, err
	}
	if rec.Login == "" {
		return nil, &rec, nil
	}
	plain, err := sealer.Open(purposePending, id, rec.Login)
	if err != nil {
		return nil, nil, err
	}
	var l login
	if err := json.Unmarshal(plain, &l); err != nil || l.Person == nil {
		return nil, nil, errNoTransaction
	}
	return &l, &rec, nil
}

// takePending takes the login that waits for page 3 of tx, exactly once, and leaves in its place the answer that it led to, which
// makeAnswer makes; if that fails, so does this, and the login waits on. The login is nil for whoever comes second; the answer is then the first one's.
func (s *Server) takePending(ctx context.Context, sealer *seal.Sealer, tx *transaction, makeAnswer func(*login) (string, error)) (*login, string, error) {
	l, rec, err := s.pending(ctx, sealer, tx)
	if err != nil {
		return nil, "", err
	}
	id := digest(tx.Pending)
	won := false
	var answer string
	if l != nil {
		// The code is kept before the login is taken, so that nobody is ever sent off with one that is not there. That of whoever
		// comes second leads nowhere and expires.
		if answer, err = makeAnswer(l); err != nil {
			return nil, "", err
		}
		err = s.cfg.Store.Update(ctx, kindPending, id, func(old []byte) ([]byte, time.Time, error) {
			expires := s.now().Add(answerTTL)
			if old == nil {
				return nil, time.Time{}, errNoTransaction
			}
			waiting, present, err := openPending(sealer, id, old)
			if err != nil || waiting == nil {
				rec = present
				return old, expires, err
			}
			won = true
			next, err := json.Marshal(pendingRecord{Answer: sealer.Seal(purposePending, id, []byte(answer))})
			return next, expires, err
		})
		if err != nil {
			return nil, "", err
		}
	}
	if won {
		return l, answer, nil
	}
	plain, err := sealer.Open(purposePending, id, rec.Answer)
	return nil, string(plain), err
}
