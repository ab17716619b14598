package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

const (
	// kindMessage keeps which messages of identity providers were acted on.
	kindMessage = "message"
	// maxMessage bounds a message in bytes.
	maxMessage = 256 << 10
)

// mailbox is the endpoint at which an identity provider sends messages. It answers 200 once everything that a message says has been
// acted on, so that the provider tries again if it was not.
func (s *Server) mailbox(m identity.Messenger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r, maxMessage)
		if err != nil {
			s.answerError(w, r, "message", nil, err)
			return
		}
		message, err := m.Open(r.Context(), r.Header, body)
		switch {
		case errors.Is(err, identity.ErrMessage):
			s.answerError(w, r, "message", nil, &protocolError{code: codeInvalidRequest, description: "This is not a message of the identity provider.", reason: err})
			return
		case err == nil:
			err = s.actOn(r.Context(), m.Name(), message)
		}
		if err != nil {
			s.answerError(w, r, "message", nil, unavailable(err))
			return
		}
		writeJSON(w, http.StatusOK, struct{}{})
	}
}

// actOn does what a message says, unless that was done before. It is remembered afterwards, since a crash in between must not lose it;
// doing it twice does no harm.
func (s *Server) actOn(ctx context.Context, provider string, message *identity.Message) error {
	if len(message.Notices) == 0 {
		return nil
	}
	id := shortDigest(provider, message.ID)
	if message.ID != "" {
		switch _, err := s.cfg.Store.Get(ctx, kindMessage, id); {
		case err == nil:
			return nil
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	for _, n := range message.Notices {
		if err := s.heed(ctx, provider, n); err != nil {
			return err
		}
		e := &event{name: "message", decision: decisionAllow, reason: n.Reason, org: n.Org, status: http.StatusOK}
		if n.Person != "" {
			e.userID = subjectID(&identity.Person{Provider: provider, ID: n.Person})
		}
		s.record(e)
	}
	if message.ID == "" {
		return nil
	}
	// A little longer than the provider's word counts, since clocks differ.
	return s.cfg.Store.Put(ctx, kindMessage, id, []byte{}, message.Expires.Add(time.Minute))
}

// heed acts on one notice. Doing it again does no harm.
func (s *Server) heed(ctx context.Context, provider string, n identity.Notice) error {
	if n.Over {
		_, err := s.EndSessions(ctx, provider, n.Ended, n.Reason)
		return err
	}
	return s.tell(ctx, newsEntry{At: s.now().UTC(), Provider: provider, Person: n.Person, Org: n.Org})
}
