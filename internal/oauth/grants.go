package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Grants are kept by their id. That there is none is how a revoked grant looks: nothing is left of it.
const (
	kindGrant    = "grant"
	purposeGrant = "oauth-grant"
)

// Grant is what a person has given an agent, as an operator sees it.
type Grant struct {
	// ID names the grant; it is also in access tokens, and is no secret.
	ID string
	// ClientID and ClientName name the agent.
	ClientID, ClientName string
	// Resource is the URL of the mount, Scope what the client may ask tokens for.
	Resource, Scope string
	// UserID, Email and Org say who the person is; Roles are those that were last read.
	UserID, Email, Org string
	Roles              []string
	// Personal is set if there is no agent, but a personal token, and ClientName is what the person calls it.
	Personal bool
	// Narrowing is what the person left the agent of what their role allows; nil if all.
	Narrowing *policy.Narrowing
	// Created is when the grant was made, LastUsed when it was last used or refreshed, give or take some minutes, Expires when it ends
	// if it is not refreshed.
	Created, LastUsed, Expires time.Time
}

// grantRecord is what is kept of a grant, and of the family of its refresh tokens.
type grantRecord struct {
	Client     string `json:"client"`
	ClientName string `json:"client_name,omitempty"`
	// Static says that the client is one of the operator's: it has to be among them still.
	Static   bool      `json:"static,omitempty"`
	Resource string    `json:"resource"`
	Scope    string    `json:"scope"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"`
	Expires  time.Time `json:"expires"`
	// Personal says that it is the grant of a personal token, which is never refreshed.
	Personal bool `json:"personal,omitempty"`
	// Listed is until when the person's list has the grant.
	Listed time.Time `json:"listed,omitzero"`

	// Origin and Domain say how the client was known, and Redirect where its answer went, as the person was shown.
	Origin   pages.Origin `json:"origin,omitempty"`
	Domain   string       `json:"domain,omitempty"`
	Redirect string       `json:"redirect_uri,omitempty"`
	// Whence is roughly from where the person signed in.
	Whence string `json:"whence,omitempty"`

	// Narrowing is what the person left the agent of what their role allows; nil if all.
	Narrowing *policy.Narrowing `json:"narrowing,omitempty"`

	// Generation is that of the newest refresh tokens, and Rotated is when it came to be, by the use of the one of the generation before
	// that has this Branch.
	Generation int       `json:"generation"`
	Branch     string    `json:"branch,omitempty"`
	Rotated    time.Time `json:"rotated"`

	// Provider and Person say who it is; Person is sealed, as it holds the identity provider's session.
	Provider string `json:"provider"`
	Person   string `json:"person"`
	// Read is when the person's roles were last read.
	Read time.Time `json:"read"`
	// Asking is until when a node may be busy reading them anew; others keep away.
	Asking time.Time `json:"asking,omitzero"`
	// Retry is when to ask a provider again that could not answer.
	Retry time.Time `json:"retry,omitzero"`
}

// errNoGrant says that there is no such grant, or no more.
var errNoGrant = errors.New("the grant is unknown, expired or revoked")

// loadGrant reads a grant.
func (s *Server) loadGrant(ctx context.Context, id string) (*grantRecord, error) {
	value, err := s.cfg.Store.Get(ctx, kindGrant, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoGrant
	}
	if err != nil {
		return nil, fmt.Errorf("oauth: grant: %w", err)
	}
	return s.decodeGrant(value)
}

// decodeGrant reads a record. One whose client, identity provider or kind the operator has removed is as good as none.
func (s *Server) decodeGrant(value []byte) (*grantRecord, error) {
	if value == nil {
		return nil, errNoGrant
	}
	g := new(grantRecord)
	if err := json.Unmarshal(value, g); err != nil {
		return nil, fmt.Errorf("oauth: grant: %w", err)
	}
	if !s.now().Before(g.Expires) || s.providers[g.Provider] == nil || g.Static && s.static[g.Client] == nil || g.Personal && !s.cfg.PersonalTokens {
		return nil, errNoGrant
	}
	return g, nil
}

// putGrant keeps a new grant.
func (s *Server) putGrant(ctx context.Context, id string, g *grantRecord) error {
	value, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return s.cfg.Store.Put(ctx, kindGrant, id, value, g.Expires)
}

// updateGrant changes a grant alone on all nodes. What this node remembers of it is forgotten.
func (s *Server) updateGrant(ctx context.Context, id string, f func(*grantRecord) error) (*grantRecord, error) {
	var g *grantRecord
	err := s.cfg.Store.Update(ctx, kindGrant, id, func(old []byte) ([]byte, time.Time, error) {
		var err error
		if g, err = s.decodeGrant(old); err != nil {
			return nil, time.Time{}, err
		}
		if used := s.cache.used(id); used.After(g.LastUsed) {
			g.LastUsed = used
		}
		if err = f(g); err != nil {
			return nil, time.Time{}, err
		}
		next, err := json.Marshal(g)
		return next, g.Expires, err
	})
	if err == nil {
		s.cache.forget(id)
	}
	return g, err
}

// grantExpiry is when a grant used now ends, if it is not used again. It outlives the access token that is issued now.
func (s *Server) grantExpiry(refreshable bool) time.Time {
	ttl := s.cfg.AccessTTL
	if refreshable {
		ttl = max(ttl, s.cfg.RefreshTTL)
	}
	return s.now().Add(ttl).UTC()
}

// Grant returns one grant. The error is ErrNoGrant, or the store's.
func (s *Server) Grant(ctx context.Context, id string) (*Grant, error) {
	g, err := s.loadGrant(ctx, id)
	if errors.Is(err, errNoGrant) {
		return nil, ErrNoGrant
	}
	if err != nil {
		return nil, err
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	p, err := openPerson(sealer, id, g)
	if err != nil {
		return nil, err
	}
	grant := g.shown(id, p)
	return &grant, nil
}

// shown is the grant as an operator sees it.
func (g *grantRecord) shown(id string, p *identity.Person) Grant {
	return Grant{
		ID: id, ClientID: g.Client, ClientName: g.ClientName, Resource: g.Resource, Scope: g.Scope, UserID: subjectID(p), Email: p.Email,
		Org: p.Org, Roles: p.Roles, Personal: g.Personal, Narrowing: g.Narrowing, Created: g.Created, LastUsed: g.LastUsed, Expires: g.Expires,
	}
}

// Grants calls f for every grant that is alive, in no order, and stops at its first error. Grants that can't be read are
// left out.
func (s *Server) Grants(ctx context.Context, f func(Grant) error) error {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return err
	}
	return s.cfg.Store.List(ctx, kindGrant, func(id string, value []byte) error {
		g, err := s.decodeGrant(value)
		if err != nil {
			return nil
		}
		p, err := openPerson(sealer, id, g)
		if err != nil {
			return nil
		}
		return f(g.shown(id, p))
	})
}

// Revoke ends a grant: its refresh tokens at once, its access tokens at once on this node and within five seconds on others.
// That there is no such grant is no error.
func (s *Server) Revoke(ctx context.Context, grantID string) error {
	err := s.cfg.Store.Delete(ctx, kindGrant, grantID)
	// Also if the store failed: what it says now is read anew then.
	s.cache.forget(grantID)
	return err
}

// sealPerson makes a person fit to be kept in a grant.
func sealPerson(sealer *seal.Sealer, grantID string, p *identity.Person) (string, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return sealer.Seal(purposeGrant, grantID, plain), nil
}

// openPerson reads the person of a grant.
func openPerson(sealer *seal.Sealer, grantID string, g *grantRecord) (*identity.Person, error) {
	plain, err := sealer.Open(purposeGrant, grantID, g.Person)
	if err != nil {
		return nil, fmt.Errorf("oauth: the person of a grant: %w", err)
	}
	p := new(identity.Person)
	if err := json.Unmarshal(plain, p); err != nil {
		return nil, fmt.Errorf("oauth: the person of a grant: %w", err)
	}
	return p, nil
}

// subjectID is the internal id of a person: unique over all providers. It never leaves the gateway but to its logs.
func subjectID(p *identity.Person) string { return p.Provider + ":" + p.ID }

// subject is the person as the policy sees them.
func subject(p *identity.Person) *policy.Subject {
	return &policy.Subject{
		ID: subjectID(p), Email: p.Email, Name: p.Name, Org: p.Org, Roles: p.Roles, Permissions: p.Permissions, Groups: p.Groups, Claims: p.Claims,
	}
}
