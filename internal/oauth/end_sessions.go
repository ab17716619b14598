package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Identity providers say when a session of theirs ends, or a person is gone. What came of the session ends here with it: grants, found by the
// person's list, and logins that have led to no grant yet, by a mark that says since when they count no more.
const (
	// kindOrigin is whose a provider's session is, for providers that name the session alone.
	kindOrigin    = "origin"
	purposeOrigin = "oauth-origin"
	// kindEnded is the mark.
	kindEnded = "ended"
	// endedTTL is how long a mark is kept: longer than a login can be under way, or a person signed in to their own page.
	endedTTL = time.Hour
)

// errSignedOut says that the session at the identity provider ended while a login was under way.
var errSignedOut = errors.New("the session at the identity provider has ended")

// endedMark is the mark.
type endedMark struct {
	At time.Time `json:"at"`
}

// EndSessions ends all that came of sessions at an identity provider which have ended there, and returns how many grants that
// were. Their refresh tokens end at once, their access tokens and streams too on this node, and on others when they hear of it (see Listen). A
// session that nothing came of is no error. reason is for the audit records.
//
// Where one session of a person is named, a grant whose session is not known ends too: it may be the one.
func (s *Server) EndSessions(ctx context.Context, provider string, ended identity.Ended, reason string) (int, error) {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return 0, err
	}
	// The mark comes first: a login that goes on meanwhile finds it, or its grant is on the list already.
	if err := s.markEnded(ctx, provider, ended); err != nil {
		return 0, err
	}
	p := &identity.Person{Provider: provider, ID: ended.Person}
	if p.ID == "" {
		if p.ID, err = s.originOf(ctx, sealer, provider, ended.Session); err != nil || p.ID == "" {
			return 0, err
		}
	}
	grants, err := s.grantsOf(ctx, p)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, g := range grants {
		owner, err := openPerson(sealer, g.id, g.grantRecord)
		switch {
		case err != nil, ended.Session != "" && owner.SessionID != "" && owner.SessionID != ended.Session,
			ended.Org != "" && owner.Org != ended.Org, !ended.Before.IsZero() && g.Created.After(ended.Before):
			continue
		}
		if err := s.endGrant(ctx, g.id, g.grantRecord, owner, reason); err != nil {
			return count, err
		}
		count++
	}
	return count, s.tell(ctx, newsEntry{At: s.now().UTC(), Provider: provider, Person: p.ID, Org: ended.Org})
}

// endGrant ends a grant with the session at the identity provider.
func (s *Server) endGrant(ctx context.Context, id string, g *grantRecord, p *identity.Person, reason string) error {
	if err := s.Revoke(ctx, id); err != nil {
		return err
	}
	s.record((&event{
		name: "revoke", decision: decisionAllow, reason: reason, clientID: g.Client, clientName: g.ClientName, grantID: id, resource: g.Resource,
	}).of(p))
	return nil
}

// originRecord is whose a session is.
type originRecord struct {
	Person string    `json:"person"` // sealed
	Until  time.Time `json:"until"`
}

// noteOrigin keeps whose a session is, until a time, or longer if something that came of the session before lasts longer.
func (s *Server) noteOrigin(ctx context.Context, p *identity.Person, until time.Time) error {
	if p.SessionID == "" {
		return nil
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return err
	}
	id := shortDigest(p.Provider, p.SessionID)
	return s.cfg.Store.Update(ctx, kindOrigin, id, func(old []byte) ([]byte, time.Time, error) {
		var before originRecord
		if json.Unmarshal(old, &before) == nil && before.Until.After(until) {
			until = before.Until
		}
		next, err := json.Marshal(originRecord{sealer.Seal(purposeOrigin, id, []byte(p.ID)), until.UTC()})
		return next, until, err
	})
}

// originOf returns the ID of the person whose a session is; "" if that is not known.
func (s *Server) originOf(ctx context.Context, sealer *seal.Sealer, provider, session string) (string, error) {
	id := shortDigest(provider, session)
	value, err := s.cfg.Store.Get(ctx, kindOrigin, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var rec originRecord
	if err := json.Unmarshal(value, &rec); err != nil {
		return "", err
	}
	person, err := sealer.Open(purposeOrigin, id, rec.Person)
	return string(person), err
}

// endedID is the id of the mark of a session, or of all sessions of a person.
func endedID(provider string, ended identity.Ended) string {
	if ended.Session != "" {
		return shortDigest(provider, "session", ended.Session)
	}
	return shortDigest(provider, "person", ended.Person)
}

// markEnded has logins count no more that began until now.
func (s *Server) markEnded(ctx context.Context, provider string, ended identity.Ended) error {
	if ended.Session == "" && ended.Org != "" {
		return nil // their logins to other organizations go on, and of those to this one the roles are read anew at once
	}
	value, err := json.Marshal(endedMark{s.now().UTC()})
	if err != nil {
		return err
	}
	return s.cfg.Store.Put(ctx, kindEnded, endedID(provider, ended), value, s.now().Add(endedTTL))
}

// stillSignedIn reports, by an error, whether the session of a login has ended since: errSignedOut, or the store's. For a login that
// becomes a grant it is asked after the grant was kept, so that it can't slip past EndSessions.
func (s *Server) stillSignedIn(ctx context.Context, l *login) error {
	marks := []identity.Ended{{Person: l.Person.ID}}
	if l.Person.SessionID != "" {
		marks = append(marks, identity.Ended{Session: l.Person.SessionID})
	}
	for _, which := range marks {
		value, err := s.cfg.Store.Get(ctx, kindEnded, endedID(l.Person.Provider, which))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		var mark endedMark
		if err == nil {
			err = json.Unmarshal(value, &mark)
		}
		if err != nil {
			return err
		}
		if !l.At.After(mark.At) {
			return errSignedOut
		}
	}
	return nil
}
