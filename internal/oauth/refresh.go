package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// Refresh tokens say themselves what they are, sealed and bound to their client: a grant and a generation. So nothing is kept of
// them but the newest generation of each grant, however many siblings are out, and a made-up one costs no look into the
// store.
const (
	purposeRefresh  = "oauth-refresh"
	maxRefreshToken = 1024
)

// refreshToken is what is sealed in one. Siblings, which several refreshes with one token led to, are of one generation, and each has a
// branch of its own.
type refreshToken struct {
	Grant      string `json:"g"`
	Generation int    `json:"n"`
	Branch     string `json:"b"`
}

// newRefreshToken makes a token of a generation of a grant.
func newRefreshToken(sealer *seal.Sealer, clientID, grantID string, generation int) (string, error) {
	plain, err := json.Marshal(refreshToken{grantID, generation, randomText(6)})
	if err != nil {
		return "", err
	}
	return refreshPrefix + sealer.Seal(purposeRefresh, clientID, plain), nil
}

// openRefreshToken reads a token. That of another client can't be told from one that was made up.
func openRefreshToken(sealer *seal.Sealer, clientID, token string) (refreshToken, error) {
	var rt refreshToken
	if token == "" || len(token) > maxRefreshToken {
		return rt, errNoGrant
	}
	plain, err := sealer.Open(purposeRefresh, clientID, strings.TrimPrefix(token, refreshPrefix))
	if err != nil {
		return rt, errNoGrant
	}
	if err := json.Unmarshal(plain, &rt); err != nil || rt.Grant == "" {
		return rt, errNoGrant
	}
	return rt, nil
}

// age is how a refresh token stands to the newest generation of its grant.
type age uint8

const (
	// ageNewest: nobody has used this generation yet. Using it makes the next one.
	ageNewest age = iota
	// ageSibling: this token or a sibling was used, and the answer is on its way, or lost. It still works.
	ageSibling
	// ageReplayed: those who play by the rules have newer ones; whoever shows this one has found or kept it.
	ageReplayed
)

// age judges a refresh token. Clients refresh six times at once with one token, and try again when an answer is lost. So the token whose
// use made the newest generation works until one of that generation is used, which proves that the answer arrived, and the grace after
// that. Its siblings, which led nowhere, work for the grace after it: a client that refreshed at once goes on with whichever it kept,
// but then with one of them. Where two are used further apart, there are two holders, and one of them is a thief, however closely
// each follows the other.
//
// Rotated is when the newest generation n came to be, by the first use of n-1; that is what ends n-2. If that is still to come, a
// clock was wrong, and the grace counts as over rather than as lasting until then.
func (g *grantRecord) age(rt refreshToken, now time.Time, grace time.Duration) age {
	inGrace := now.Before(g.Rotated.Add(grace)) && !now.Before(g.Rotated.Add(-clockSkew))
	switch {
	case rt.Generation >= g.Generation:
		return ageNewest
	case rt.Generation == g.Generation-1 && (rt.Branch == g.Branch || inGrace), rt.Generation == g.Generation-2 && inGrace:
		return ageSibling
	default:
		return ageReplayed
	}
}

// errReplayed says that a refresh token was used that had been replaced long ago.
var errReplayed = errors.New("a replaced refresh token was used again")

// refreshGrant exchanges a refresh token (OAuth 2.1 section 4.3).
func (s *Server) refreshGrant(ctx context.Context, c *client, form params) (*issue, error) {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	rt, err := openRefreshToken(sealer, c.ID, form.get("refresh_token"))
	if err != nil {
		return nil, invalidGrant("The refresh token is unknown, expired or revoked.", err)
	}
	is := &issue{client: c, grantID: rt.Grant}
	g, err := s.loadGrant(ctx, rt.Grant)
	if err == nil && g.Client != c.ID {
		err = errNoGrant
	}
	if err != nil {
		return is, grantError(err)
	}
	if g.age(rt, s.now(), s.cfg.RefreshGrace) == ageReplayed {
		return is, s.replayed(ctx, rt.Grant)
	}
	if raw := form.get("resource"); raw != "" {
		if res, err := s.resource(raw); err != nil || res.URL != g.Resource {
			return is, refuse(codeInvalidTarget, "The refresh token is for another resource.")
		}
	}
	if is.scope, err = narrowScope(form.get("scope"), g.Scope); err != nil {
		return is, err
	}
	// Before anything is rotated, so that a provider that is down costs the client nothing.
	g, is.person, err = s.freshGrant(ctx, sealer, rt.Grant, g)
	if err != nil {
		return is, grantError(err)
	}
	if g, err = s.rotate(ctx, rt, g, is.person); err != nil {
		if errors.Is(err, errReplayed) {
			return is, s.replayed(ctx, rt.Grant)
		}
		return is, grantError(err)
	}
	if err := s.touch(ctx, c); err != nil && !errors.Is(err, errUnknownClient) {
		return is, unavailable(err)
	}
	is.resource, is.generation = g.Resource, g.Generation
	return is, nil
}

// rotate makes the next generation, if the token is of the newest one. A sibling of those who did gets what they got, and
// changes nothing.
func (s *Server) rotate(ctx context.Context, rt refreshToken, g *grantRecord, p *identity.Person) (*grantRecord, error) {
	if g.age(rt, s.now(), s.cfg.RefreshGrace) == ageSibling {
		return g, nil
	}
	listed := g.Listed
	if expires := s.grantExpiry(true); expires.After(listed) {
		listed = expires.Add(s.cfg.RefreshTTL)
		if err := s.enlist(ctx, p, rt.Grant, listed); err != nil {
			return nil, err
		}
	}
	var sibling *grantRecord
	errSibling := errors.New("nothing to rotate")
	g, err := s.updateGrant(ctx, rt.Grant, func(g *grantRecord) error {
		now := s.now().UTC()
		switch g.age(rt, now, s.cfg.RefreshGrace) {
		case ageReplayed:
			return errReplayed
		case ageSibling:
			sibling = g
			return errSibling
		default:
			// A generation that is newer than the record comes from before the store was put back to an older state.
			g.Generation, g.Branch, g.Rotated, g.LastUsed, g.Expires = rt.Generation+1, rt.Branch, now, now, s.grantExpiry(true)
			g.Listed = listed
			return nil
		}
	})
	if errors.Is(err, errSibling) {
		return sibling, nil
	}
	return g, err
}

// replayed ends a grant whose refresh token was used by somebody who should not have it, or no more: which of two parties is
// the thief can't be told, so both lose it (OAuth 2.1 section 4.3.1).
func (s *Server) replayed(ctx context.Context, grantID string) error {
	if err := s.Revoke(ctx, grantID); err != nil {
		return unavailable(err)
	}
	return invalidGrant("The refresh token is unknown, expired or revoked.", errReplayed)
}

// invalidGrant refuses a code or a refresh token; reason stays here.
func invalidGrant(description string, reason error) *protocolError {
	return &protocolError{code: codeInvalidGrant, description: description, reason: reason}
}

// grantError tells a client what a grant's error means to it.
func grantError(err error) *protocolError {
	if errors.Is(err, errNoGrant) {
		return invalidGrant("The refresh token is unknown, expired or revoked.", err)
	}
	return asProtocolError(err)
}
