package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth/foreign"
)

// acceptForeign finds what a token from elsewhere stands for at res. It reports false for a token that can only be ours.
func (s *Server) acceptForeign(ctx context.Context, r *http.Request, token string, res Resource) (*Access, bool, error) {
	if t := s.accepting.find(token, res.URL); t != nil && t.of(res) {
		access, err := s.recheck(ctx, t, res)
		return access, true, err
	}
	via, err := s.issuerOf(token, res)
	if via == nil {
		return nil, err != nil, err
	}
	if via.Issuer.Introspects() {
		if wait := s.accepting.wait(r, s.now()); wait > 0 {
			return nil, true, fmt.Errorf("%w: too many tokens from there were of no use", ErrUnavailable)
		}
	}
	t := &acceptedToken{token: strings.Clone(token), resource: res.URL, via: via, ages: via.ages(s.cfg.IdentityRefresh)}
	state, err := s.check(ctx, t, res)
	if errors.Is(err, ErrInvalidToken) && via.Issuer.Introspects() {
		s.accepting.count(r, s.now())
	}
	if err != nil {
		return nil, true, err
	}
	t.state.Store(state)
	s.accepting.put(t, s.now())
	return state.access, true, nil
}

// of reports whether a token was accepted by what res accepts now, and not before a change of the configuration.
func (t *acceptedToken) of(res Resource) bool {
	for _, via := range res.Accepts {
		if via == t.via {
			return true
		}
	}
	return false
}

// issuerOf finds whose a token is, of those that res accepts; nil without an error if it is to be looked at as one of ours. A token goes to
// nobody but the issuer that it names, and one that names none to the only one who is asked about tokens.
func (s *Server) issuerOf(token string, res Resource) (*Accepted, error) {
	if isOwn(token) {
		return nil, nil // ours, and nobody else's to see
	}
	if !isBearerToken(token) {
		return nil, invalidToken("it has characters that no token has")
	}
	issuer, signed := foreign.PeekIssuer(token)
	if signed {
		if issuer == s.cfg.Issuer {
			return nil, nil
		}
		for _, via := range res.Accepts {
			if via.Issuer.Name() == issuer {
				return via, nil
			}
		}
		return nil, invalidToken("it is from an issuer that is not accepted here")
	}
	for _, via := range res.Accepts {
		if via.Issuer.Introspects() {
			return via, nil
		}
	}
	return nil, nil
}

// recheck returns what a token that was good stands for, having checked it again if that was too long ago.
func (s *Server) recheck(ctx context.Context, t *acceptedToken, res Resource) (*Access, error) {
	state, now := t.state.Load(), s.now()
	if !now.Before(state.access.Expires) {
		return nil, invalidToken("it has expired")
	}
	age, ages := now.Sub(state.at), t.ages
	switch {
	case state.err != nil:
		ages = acceptedAges{grantStateReread, grantStateTTL}
	case !state.until.IsZero():
		ages = ages.within(state.until.Sub(state.at))
	}
	if age >= 0 && age < ages.soft {
		return state.outcome()
	}
	key := digest(t.resource + " " + t.token)
	call := s.accepting.checks.start(key, func() (*acceptedState, error) {
		next, err := s.check(context.WithoutCancel(ctx), t, res)
		switch {
		case err == nil:
			t.state.Store(next)
		case errors.Is(err, ErrInvalidToken):
			t.state.Store(&acceptedState{at: s.now(), access: state.access, err: err})
		}
		return next, err
	})
	if age >= 0 && age < ages.hard {
		return state.outcome()
	}
	select {
	case <-call.done:
		if call.err != nil {
			return nil, asAccessError(call.err)
		}
		return call.value.access, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// outcome is what a call gets to hear.
func (st *acceptedState) outcome() (*Access, error) {
	if st.err != nil {
		return nil, st.err
	}
	return st.access, nil
}

// check has the issuer look at a token, and finds out what it is worth.
func (s *Server) check(ctx context.Context, t *acceptedToken, res Resource) (*acceptedState, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	at := s.now() // before it is asked: what it says may be old when it arrives
	token, err := t.via.Issuer.Verify(ctx, t.token)
	if err != nil {
		return nil, asAccessError(err)
	}
	access, until, err := s.acceptedAccess(ctx, t.via, token, res)
	if err != nil {
		return nil, err
	}
	return &acceptedState{at: at, access: access, until: until}, nil
}

// asAccessError makes one of the errors of Authenticate of any.
func asAccessError(err error) error {
	switch {
	case errors.Is(err, ErrInvalidToken), errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, foreign.ErrInvalid):
		return fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
