package workos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// refreshTimeout bounds a whole Refresh.
const refreshTimeout = 28 * time.Second

// Refresh implements identity.Refresher. The person stays in the organization they signed in to: a session that has
// left it ends, rather than going on under another organization's roles.
func (p *Provider) Refresh(ctx context.Context, old *identity.Person) (*identity.Person, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	if !p.accepts(old.Org) {
		return nil, &identity.Denied{Reason: noLongerAccepted}
	}
	refreshToken := unpackSession(old.Session)
	if refreshToken == "" {
		return nil, fmt.Errorf("%w: no refresh token", identity.ErrEnded)
	}
	answer, f := p.renew(ctx, refreshToken, "")
	if f != nil {
		return nil, f.refreshed()
	}
	// From here on the old refresh token is spent: whatever happens, the new one must reach the caller.
	next := *old
	next.Session = packSession(answer.RefreshToken)
	s, err := p.verify(ctx, answer.AccessToken)
	if err != nil {
		return &next, err
	}
	if s.subject != old.ID {
		return nil, &identity.Unavailable{Err: errors.New("refreshed session token is of another user")}
	}
	if s.org != old.Org || len(s.roles) == 0 {
		if s, err = p.remain(ctx, s, &next); err != nil {
			if errors.Is(err, identity.ErrUnavailable) {
				return &next, err
			}
			return nil, err
		}
	}
	s.describe(&next)
	if verified, ok := old.Claims["email_verified"]; ok {
		next.Claims["email_verified"] = verified
	}
	if s.actor != "" {
		next.Impersonator = s.actor
	}
	return &next, nil
}

// Outdated implements identity.Configured: which organizations may come in is for the configuration to say, all else for WorkOS.
func (p *Provider) Outdated(old *identity.Person) bool { return !p.accepts(old.Org) }

// remain sees to a refreshed session that is not in the person's organization, or has no role there: either the person
// is a member still, and the session is moved back, or it is over. It keeps next.Session current.
func (p *Provider) remain(ctx context.Context, s *session, next *identity.Person) (*session, error) {
	of, err := p.memberships(ctx, next.ID, next.Org)
	if err != nil {
		return nil, err
	}
	if len(of) == 0 {
		return nil, fmt.Errorf("%w: no longer a member of %s", identity.ErrEnded, next.Org)
	}
	if s.org == next.Org {
		return s, nil
	}
	answer, f := p.renew(ctx, unpackSession(next.Session), next.Org)
	if f != nil {
		return nil, f.refreshed()
	}
	next.Session = packSession(answer.RefreshToken)
	if s, err = p.verify(ctx, answer.AccessToken); err != nil {
		return nil, err
	}
	if s.org != next.Org || s.subject != next.ID {
		return nil, fmt.Errorf("%w: the session is no longer in %s", identity.ErrEnded, next.Org)
	}
	return s, nil
}

// renew redeems a refresh token; org, if any, is the organization to move the session into. Refresh tokens are good
// once, but WorkOS answers a repetition within 30 seconds with the same new pair. So when an answer is lost the request
// is sent once more: given up, it could have spent the token and left us without a successor.
func (p *Provider) renew(ctx context.Context, refreshToken, org string) (usermanagement.RefreshAuthenticationResponse, *failure) {
	opts := usermanagement.AuthenticateWithRefreshTokenOpts{
		ClientID: p.cfg.ClientID, RefreshToken: refreshToken, OrganizationID: org,
	}
	for replayed := false; ; replayed = true {
		callCtx, n := withNote(ctx)
		answer, err := p.users.AuthenticateWithRefreshToken(callCtx, opts)
		if err == nil && answer.AccessToken == "" {
			err = errors.New("answer holds no access token")
		}
		if err == nil {
			if answer.RefreshToken == "" {
				// The old one is still good then.
				answer.RefreshToken = refreshToken
			}
			return answer, nil
		}
		f := p.failure("refresh the session", err, n)
		if replayed || !f.transient() || f.status == http.StatusServiceUnavailable && f.retryAfter > 0 || !wait(ctx, p.replayAfter) {
			return answer, f
		}
	}
}

// wait reports whether d went by before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
