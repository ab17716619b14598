package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// Roles are live: they are read anew from the identity provider when they are older than Config.IdentityRefresh, one call at a
// time for each grant on all nodes, since providers rotate the session with every call and end it if an old one is shown.
const (
	// askingTTL is how long a node that is reading a person's roles is left alone, and how long a lost one blocks the others.
	askingTTL = time.Minute
	// defaultAskWait is how long a request waits for the provider, if what is known of the person may still be used.
	defaultAskWait = 3 * time.Second
	// askRetry is when a provider that could not answer is asked again.
	askRetry = 30 * time.Second
)

// errStale says that a person's roles could not be read for so long that they don't count any more.
var errStale = errors.New("the identity provider could not be reached, and the person's roles are too old")

// freshGrant returns a grant and its person as the identity provider sees them now, or lately.
//
// The errors are errNoGrant, also if the provider has ended the session and so the grant with it, errStale, and the store's.
func (s *Server) freshGrant(ctx context.Context, sealer *seal.Sealer, id string, g *grantRecord) (*grantRecord, *identity.Person, error) {
	if s.due(g, s.cfg.IdentityRefresh) {
		fresh, err := s.askProvider(ctx, id, g)
		if err != nil {
			return nil, nil, err
		}
		g = fresh
	}
	p, err := openPerson(sealer, id, g)
	return g, p, err
}

// due reports whether a person's roles are older than limit, and can be read anew now.
func (s *Server) due(g *grantRecord, limit time.Duration) bool {
	_, ok := s.providers[g.Provider].(identity.Refresher)
	return ok && s.now().Sub(g.Read) >= limit
}

// askAhead is the age at which the roles of a grant in use are read anew without anybody waiting for it.
func (s *Server) askAhead() time.Duration { return s.cfg.IdentityRefresh / 5 * 4 }

// askProvider reads the person of a grant anew, and waits for it as long as it has to: until the answer is there while the
// roles are too old to be used, else for a moment only.
func (s *Server) askProvider(ctx context.Context, id string, g *grantRecord) (*grantRecord, error) {
	usable := s.now().Sub(g.Read) < s.cfg.MaxStale
	if s.now().Before(g.Retry) {
		if usable {
			return g, nil
		}
		return nil, errStale
	}
	call := s.asks.start(id, func() (*grantRecord, error) { return s.readPerson(context.WithoutCancel(ctx), id) })
	var timeout <-chan time.Time
	if usable {
		timer := time.NewTimer(s.askWait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-call.done:
	case <-timeout:
		return g, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case call.err == nil:
		return call.value, nil
	case errors.Is(call.err, errNoGrant):
		return nil, errNoGrant
	case usable:
		return g, nil
	default:
		return nil, fmt.Errorf("%w: %w", errStale, call.err)
	}
}

// errAsking says that another node is reading the same person's roles.
var errAsking = errors.New("another node is asking the identity provider")

// readPerson asks the provider once. Around the call the record is marked instead of locked, so that a slow provider holds up nobody
// who does not need its answer.
func (s *Server) readPerson(ctx context.Context, id string) (*grantRecord, error) {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	errFresh := errors.New("another node has asked")
	var seen *grantRecord
	g, err := s.updateGrant(ctx, id, func(g *grantRecord) error {
		now := s.now()
		switch seen = g; {
		case !s.due(g, s.askAhead()):
			return errFresh
		case now.Before(g.Asking):
			return errAsking
		default:
			g.Asking = now.Add(askingTTL).UTC()
			return nil
		}
	})
	if errors.Is(err, errFresh) {
		return seen, nil
	}
	if err != nil {
		return nil, err
	}
	before, err := openPerson(sealer, id, g)
	if err != nil {
		return nil, err
	}
	refresher, ok := s.providers[g.Provider].(identity.Refresher)
	if !ok {
		return nil, errNoGrant
	}
	after, asked := refresher.Refresh(ctx, before)
	if errors.Is(asked, identity.ErrEnded) || errors.Is(asked, identity.ErrDenied) {
		return nil, s.sessionEnded(ctx, id, g, before, asked)
	}
	if asked == nil && (after == nil || subjectID(after) != subjectID(before)) {
		asked, after = errors.New("the identity provider answered for somebody else"), nil
	}
	if asked != nil {
		s.log.Warn("roles could not be read anew", zap.String("grant", id), zap.String("provider", g.Provider), zap.Error(asked))
	}
	return s.keepAnswer(ctx, sealer, id, after, asked)
}

// keepAnswer stores what the provider said before anybody acts on it: the session in it may be the only one that works now.
func (s *Server) keepAnswer(ctx context.Context, sealer *seal.Sealer, id string, after *identity.Person, asked error) (*grantRecord, error) {
	g, err := s.updateGrant(ctx, id, func(g *grantRecord) error {
		now := s.now().UTC()
		g.Asking, g.Retry = time.Time{}, time.Time{}
		if asked == nil {
			g.Read = now
		} else {
			wait := askRetry
			if u, ok := errors.AsType[*identity.Unavailable](asked); ok && u.RetryAfter > 0 {
				wait = min(u.RetryAfter, s.cfg.IdentityRefresh)
			}
			g.Retry = now.Add(wait)
		}
		if after == nil {
			return nil
		}
		var err error
		g.Person, err = sealPerson(sealer, id, after)
		return err
	})
	if err != nil {
		return nil, err
	}
	return g, asked
}

// sessionEnded ends a grant with the session at the identity provider.
func (s *Server) sessionEnded(ctx context.Context, id string, g *grantRecord, p *identity.Person, reason error) error {
	if err := s.Revoke(ctx, id); err != nil {
		return err
	}
	s.record((&event{
		name: "revoke", decision: decisionAllow, reason: reason.Error(), clientID: g.Client, clientName: g.ClientName, grantID: id, resource: g.Resource,
	}).of(p))
	return errNoGrant
}
