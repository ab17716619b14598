package oauth

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// Roles are live: they are read anew from the identity provider when they are older than Config.IdentityRefresh, one call at a
// time for each grant on all nodes, since providers rotate the session with every call and end it if an old one is shown.
const (
	// askingTTL is how long a node that is reading a person's roles is left alone, unless it says that it still is, which it does every
	// askingEvery. One that has died may have lost the answer, and with it the only session that works; WorkOS gives it again within 30 s.
	askingTTL   = 10 * time.Second
	askingEvery = 4 * time.Second
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
	p, err := openPerson(sealer, id, g)
	if err != nil || !s.due(g, p, s.cfg.IdentityRefresh) {
		return g, p, err
	}
	if g, err = s.askProvider(ctx, id, g, p); err != nil {
		return nil, nil, err
	}
	p, err = openPerson(sealer, id, g)
	return g, p, err
}

// due reports whether a person's roles can be read anew, and are older than limit, or outdated, or from before the provider said that they
// may have changed.
func (s *Server) due(g *grantRecord, p *identity.Person, limit time.Duration) bool {
	_, ok := s.providers[g.Provider].(identity.Refresher)
	return ok && (s.rolesAge(g) >= limit || s.outdated(g, p) || s.news.since(p, g.Read))
}

// outdated reports whether the provider's configuration has taken something back, or given it, since the person was read: what
// an operator changes counts from the moment the configuration is loaded.
func (s *Server) outdated(g *grantRecord, p *identity.Person) bool {
	provider, ok := s.providers[g.Provider].(identity.Configured)
	return ok && provider.Outdated(p)
}

// rolesAge is how long ago the person's roles were read. If that is a moment still to come, a clock was wrong, and nobody knows:
// they are then too old for anything.
func (s *Server) rolesAge(g *grantRecord) time.Duration {
	age := s.now().Sub(g.Read)
	if age < -clockSkew {
		return math.MaxInt64
	}
	return age
}

// ahead reports whether t, which was at most limit away when it was set, is still to come. One that is further away than that was
// set by a clock that was wrong, and holds up nobody.
func (s *Server) ahead(t time.Time, limit time.Duration) bool {
	wait := t.Sub(s.now())
	return wait > 0 && wait <= limit+clockSkew
}

// askAhead is the greatest age at which the roles of a grant in use are read anew without anybody waiting for it.
func (s *Server) askAhead() time.Duration { return s.cfg.IdentityRefresh / 5 * 4 }

// askAheadOf is that age of one grant: some are read anew earlier, so that those which were read together are not for ever.
func (s *Server) askAheadOf(id string) time.Duration {
	spread := s.cfg.IdentityRefresh / 5
	return s.askAhead() - time.Duration(maphash.String(s.cache.seed, id)%uint64(spread+1))
}

// askProvider reads the person of a grant anew, and waits for it as long as it has to: until the answer is there while the
// roles are too old to be used, else for a moment only.
func (s *Server) askProvider(ctx context.Context, id string, g *grantRecord, p *identity.Person) (*grantRecord, error) {
	outdated := s.outdated(g, p)
	usable := !outdated && s.rolesAge(g) < s.cfg.MaxStale
	if !outdated && s.ahead(g.Retry, max(askRetry, s.cfg.IdentityRefresh)) {
		if usable {
			return g, nil
		}
		return nil, errStale
	}
	call := s.askAnew(ctx, id, g, p, !usable)
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

// askAnew has the person of a grant read anew, when it is the provider's turn; urgent says that what is known of them can't be used without.
func (s *Server) askAnew(ctx context.Context, id string, g *grantRecord, p *identity.Person, urgent bool) *flight[*grantRecord] {
	ctx = context.WithoutCancel(ctx)
	// Where passwords are checked here, or the configuration alone decides, nobody else is asked.
	_, here := s.providers[g.Provider].(identity.Verifier)
	here = here || s.outdated(g, p)
	return s.asks.start(id, func() (*grantRecord, error) {
		if !here {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			if err := s.paces.find(g.Provider).may(ctx, s.now(), urgent); err != nil {
				return nil, err
			}
		}
		return s.readPerson(ctx, id)
	})
}

// readPerson asks the provider once. Around the call the record is marked instead of locked, so that a slow provider holds up nobody
// who does not need its answer.
func (s *Server) readPerson(ctx context.Context, id string) (*grantRecord, error) {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	errFresh := errors.New("another node has asked")
	var seen *grantRecord
	var before *identity.Person
	g, err := s.updateGrant(ctx, id, func(g *grantRecord) error {
		var err error
		if before, err = openPerson(sealer, id, g); err != nil {
			return err
		}
		switch seen = g; {
		case !s.due(g, before, s.askAheadOf(id)):
			return errFresh
		case s.ahead(g.Asking, askingTTL) && !s.outdated(g, before):
			return errAsking
		default:
			g.Asking = s.now().Add(askingTTL).UTC()
			return nil
		}
	})
	if errors.Is(err, errFresh) {
		return seen, nil
	}
	if err != nil {
		return nil, err
	}
	refresher, ok := s.providers[g.Provider].(identity.Refresher)
	if !ok {
		return nil, errNoGrant
	}
	// What the provider says is as old as the question: a change that it tells of meanwhile may not be in the answer.
	began := s.now().UTC()
	asking := s.stillAsking(ctx, id)
	after, asked := refresher.Refresh(ctx, before)
	asking()
	s.paces.find(g.Provider).answered(s.now(), asked)
	if errors.Is(asked, identity.ErrEnded) || errors.Is(asked, identity.ErrDenied) {
		if err := s.endGrant(ctx, id, g, before, asked.Error()); err != nil {
			return nil, err
		}
		return nil, errNoGrant
	}
	if asked == nil && (after == nil || subjectID(after) != subjectID(before)) {
		asked, after = errors.New("the identity provider answered for somebody else"), nil
	}
	if asked != nil {
		s.log.Warn("roles could not be read anew", zap.String("grant", id), zap.String("provider", g.Provider), zap.Error(asked))
	}
	return s.keepAnswer(ctx, sealer, id, began, after, asked)
}

// stillAsking keeps a grant marked as being read, until what it returns is called.
func (s *Server) stillAsking(ctx context.Context, id string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(askingEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, err := s.updateGrant(ctx, id, func(g *grantRecord) error {
					g.Asking = s.now().Add(askingTTL).UTC()
					return nil
				})
				if err != nil && ctx.Err() == nil && !errors.Is(err, errNoGrant) {
					s.log.Warn("other nodes can't be told that this one is still reading roles", zap.String("grant", id), zap.Error(err))
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// keepAnswer stores what the provider said before anybody acts on it: the session in it may be the only one that works now.
func (s *Server) keepAnswer(
	ctx context.Context, sealer *seal.Sealer, id string, began time.Time, after *identity.Person, asked error,
) (*grantRecord, error) {
	g, err := s.updateGrant(ctx, id, func(g *grantRecord) error {
		now := s.now().UTC()
		g.Asking, g.Retry = time.Time{}, time.Time{}
		if asked == nil {
			g.Read = began
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
