package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// refreshTimeout bounds a whole Refresh.
const refreshTimeout = 28 * time.Second

// session is what Refresh needs.
type session struct {
	// Issuer and Client are those that the person signed in at: at another one, the same subject may be somebody else.
	Issuer string `json:"i"`
	Client string `json:"c"`
	// Refresh is the refresh token; "" if the provider gave none. The sign-in then counts until Until, in seconds since 1970.
	Refresh string `json:"r,omitempty"`
	Until   int64  `json:"u,omitempty"`
	// Nonce is that of the sign-in, which later ID tokens may repeat.
	Nonce string `json:"n,omitempty"`
	// FromToken names the claims that came in the last ID token. Where a refresh brings no new one, they are all that is known.
	FromToken []string `json:"t,omitempty"`
}

// pack makes a session fit to be kept.
func (s *session) pack() []byte {
	packed, _ := json.Marshal(s) // texts and numbers alone
	return packed
}

// unpack reads a session. One of another provider, or none, is an ErrEnded.
func (p *Provider) unpack(packed []byte) (*session, error) {
	s := new(session)
	if err := json.Unmarshal(packed, s); err != nil {
		return nil, fmt.Errorf("%w: it can't be read", identity.ErrEnded)
	}
	if s.Issuer != p.cfg.Issuer || s.Client != p.cfg.ClientID {
		return nil, fmt.Errorf("%w: it is one of %s for the client %s", identity.ErrEnded, s.Issuer, s.Client)
	}
	return s, nil
}

// Refresh implements identity.Refresher. Without a refresh token nobody can be asked: the rights stay those of the sign-in, until
// Config.SessionTTL has gone by.
func (p *Provider) Refresh(ctx context.Context, old *identity.Person) (*identity.Person, error) {
	s, err := p.unpack(old.Session)
	if err != nil {
		return nil, err
	}
	if p.Outdated(old) {
		return p.redescribed(old)
	}
	if s.Refresh == "" {
		if p.now().Unix() >= s.Until {
			return nil, fmt.Errorf("%w: it has lasted as long as one may without a refresh token", identity.ErrEnded)
		}
		same := *old
		return &same, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	md, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	answer, fail := p.renew(ctx, md, s.Refresh)
	if fail != nil {
		return nil, fail.refreshed()
	}
	// From here on the old refresh token may be spent: whatever happens, the new one must reach the caller.
	if answer.RefreshToken != "" {
		s.Refresh = answer.RefreshToken
	}
	next := *old
	next.Session = s.pack()
	claims, err := p.reread(ctx, md, answer, old, s)
	if err != nil {
		return &next, p.failed("read the person anew", err).unavailable()
	}
	person, err := p.describe(old.ID, claims)
	if errors.Is(err, errTooMuch) {
		return &next, p.failed("read the person anew", err).unavailable()
	}
	if err != nil {
		return nil, err
	}
	person.SessionID, person.Session = old.SessionID, s.pack()
	return person, nil
}

// reread finds out what the provider says now: by the ID token that came with the refresh (OpenID Connect Core section 12.2), and by
// userinfo. It notes in the session which claims came in the token.
func (p *Provider) reread(ctx context.Context, md *issuer.Metadata, answer *oauth2.Token, old *identity.Person, s *session) (issuer.Claims, error) {
	raw, _ := answer.Extra("id_token").(string)
	if raw != "" {
		token, err := p.verify(ctx, md, raw)
		if err != nil {
			return nil, err
		}
		nonce, has := token.claims["nonce"]
		switch {
		case token.subject != old.ID:
			return nil, errors.New("the ID token is of somebody else")
		case has && nonce != s.Nonce:
			return nil, errors.New("the ID token is of another sign-in")
		case !token.fits(answer.AccessToken):
			return nil, errors.New("the access token is not the one that the ID token came with")
		}
		s.FromToken = token.names()
		return p.complete(ctx, md, answer, token.subject, token.claims)
	}
	if md.UserInfo == "" {
		// That the session lasts is all the provider says.
		return issuer.Claims(old.Claims), nil
	}
	more, err := p.userinfo(ctx, answer, old.ID)
	if err != nil {
		return nil, err
	}
	known := issuer.Claims(maps.Clone(old.Claims))
	maps.DeleteFunc(known, func(name string, _ any) bool {
		_, newer := more[name]
		return newer || !slices.Contains(s.FromToken, name)
	})
	return merge(known, more), nil
}

// Outdated implements identity.Configured: whom the configuration lets in, and which claims it names, may have changed since the person
// was read. A session of another issuer or client is outdated as well.
func (p *Provider) Outdated(old *identity.Person) bool {
	if _, err := p.unpack(old.Session); err != nil {
		return true
	}
	now, err := p.describe(old.ID, issuer.Claims(old.Claims))
	return err != nil || now.Email != old.Email || now.Name != old.Name || now.Org != old.Org || !slices.Equal(now.Roles, old.Roles) ||
		!slices.Equal(now.Permissions, old.Permissions) || !slices.Equal(now.Groups, old.Groups)
}

// redescribed is what the configuration makes of what was last known of a person.
func (p *Provider) redescribed(old *identity.Person) (*identity.Person, error) {
	person, err := p.describe(old.ID, issuer.Claims(old.Claims))
	if errors.Is(err, errTooMuch) {
		return nil, &identity.Unavailable{Err: err}
	}
	if err != nil {
		return nil, err
	}
	person.SessionID, person.Session = old.SessionID, old.Session
	return person, nil
}
