package oauth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// A person who looks at their own page is signed in to it for half an hour, in one browser. The browser has a sealed handle, so that a
// made-up one costs no look into the store; what it stands for is kept here, so that signing out ends it.
const (
	kindSession    = "session"
	purposeSession = "oauth-session"
	sessionTTL     = 30 * time.Minute
)

// personSession is a person who is signed in to their own page.
type personSession struct {
	// Login is who, and when they signed in.
	Login login `json:"login"`
	// Token is in the forms of the page: only a form of ours, in this browser, has it.
	Token string `json:"token"`
	// Spent is set once the session at the identity provider belongs to a personal token, and is gone from here.
	Spent bool `json:"spent,omitempty"`

	id string
}

// errNoSession says that nobody is signed in in this browser.
var errNoSession = errors.New("oauth: nobody is signed in")

// sessionCookie is the name of the cookie.
func (s *Server) sessionCookie() string { return s.cookiePrefix + "mcp_session" }

// openSession signs a person in to their own page, and shows it.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction, p *identity.Person, at time.Time) {
	handle := randomText(32)
	id := digest(handle)
	l := login{Person: p, At: at.UTC()}
	value, err := sealSession(sealer, id, &personSession{Login: l, Token: randomText(32)})
	if err == nil {
		err = s.cfg.Store.Put(r.Context(), kindSession, id, value, s.now().Add(sessionTTL))
	}
	if err != nil {
		s.trouble(w, r, err)
		return
	}
	s.record((&event{name: "login", decision: decisionAllow, reason: "To the person's own page."}).of(p))
	s.endTx(w, tx)
	s.setCookie(w, s.sessionCookie(), sealer.Seal(purposeSession, s.sessionCookie(), []byte(handle)), sessionTTL)
	if call := tx.Request.Call; call != "" && s.cfg.Approvals != nil {
		s.seeOther(w, r, s.ApprovalPage(call))
		return
	}
	s.seeOther(w, r, s.endpoint("connections"))
}

// personSession finds out who is signed in in this browser. The errors are errNoSession and the store's.
func (s *Server) personSession(r *http.Request, sealer *seal.Sealer) (*personSession, error) {
	c, err := r.Cookie(s.sessionCookie())
	if err != nil {
		return nil, errNoSession
	}
	handle, err := sealer.Open(purposeSession, c.Name, c.Value)
	if err != nil {
		return nil, errNoSession
	}
	id := digest(string(handle))
	value, err := s.cfg.Store.Get(r.Context(), kindSession, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, err
	}
	sess, err := unsealSession(sealer, id, value)
	if err != nil {
		return nil, err
	}
	// The operator may have removed the provider since.
	if s.providers[sess.Login.Person.Provider] == nil {
		return nil, errNoSession
	}
	if err := s.stillSignedIn(r.Context(), &sess.Login); errors.Is(err, errSignedOut) {
		return nil, errNoSession
	} else if err != nil {
		return nil, err
	}
	return sess, nil
}

// closeSession signs a person out.
func (s *Server) closeSession(ctx context.Context, w http.ResponseWriter, sess *personSession) error {
	s.setCookie(w, s.sessionCookie(), "", -1)
	return s.cfg.Store.Delete(ctx, kindSession, sess.id)
}

// spendSession takes the session at the identity provider out of a session here, exactly once: providers give a chain of refresh tokens
// that only one grant can go on with. If what it was taken for is never kept, the person signs in again.
func (s *Server) spendSession(ctx context.Context, sealer *seal.Sealer, sess *personSession) (*login, error) {
	var taken login
	err := s.cfg.Store.Update(ctx, kindSession, sess.id, func(old []byte) ([]byte, time.Time, error) {
		if old == nil {
			return nil, time.Time{}, errNoSession
		}
		now, err := unsealSession(sealer, sess.id, old)
		if err != nil {
			return nil, time.Time{}, err
		}
		if now.Spent {
			return nil, time.Time{}, errNoSession
		}
		taken = now.Login
		known := *taken.Person
		known.Session = nil
		now.Login.Person, now.Spent = &known, true
		next, err := sealSession(sealer, sess.id, now)
		return next, taken.At.Add(sessionTTL), err
	})
	return &taken, err
}

// holds reports whether a form has the token of the session's own forms.
func (sess *personSession) holds(token string) bool {
	return subtle.ConstantTimeCompare([]byte(sess.Token), []byte(token)) == 1
}

// sealSession makes a session fit to be kept: it holds the session at the identity provider.
func sealSession(sealer *seal.Sealer, id string, sess *personSession) ([]byte, error) {
	plain, err := json.Marshal(sess)
	if err != nil {
		return nil, err
	}
	return []byte(sealer.Seal(purposeSession, id, plain)), nil
}

// unsealSession reads a session.
func unsealSession(sealer *seal.Sealer, id string, value []byte) (*personSession, error) {
	plain, err := sealer.Open(purposeSession, id, string(value))
	if err != nil {
		return nil, err
	}
	sess := &personSession{id: id}
	if err := json.Unmarshal(plain, sess); err != nil {
		return nil, err
	}
	if sess.Login.Person == nil {
		return nil, errNoSession
	}
	return sess, nil
}
