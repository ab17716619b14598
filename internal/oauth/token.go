package oauth

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// issue is what a token request came to: tokens, or how far it got when it failed, for the audit record.
type issue struct {
	client   *client
	grantID  string
	resource string
	scope    string
	// person is nil for a machine client.
	person *identity.Person
	// generation of the refresh token to issue; zero for none.
	generation int
}

// tokens is the answer (RFC 6749 section 5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// serveToken is the token endpoint (OAuth 2.1 section 3.2).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	answer, is, name, err := s.token(r)
	if err != nil {
		s.answerError(w, r, name, is, err)
		return
	}
	s.record(is.event(name, decisionAllow))
	writeJSON(w, http.StatusOK, answer)
}

// token judges a request: its form, its client, and only then what it asks for. name is what the audit record calls it.
func (s *Server) token(r *http.Request) (answer *tokens, is *issue, name string, err error) {
	name = "token"
	form, err := readForm(r, maxFormBytes)
	if err != nil {
		return nil, nil, name, err
	}
	if form.get("grant_type") == grantRefreshToken {
		name = "refresh"
	}
	c, err := s.authenticateClient(r, form)
	if err != nil {
		return nil, nil, name, err
	}
	is = &issue{client: c}
	if repeated := form.repeated("grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "resource"); repeated == "resource" {
		return nil, is, name, refuse(codeInvalidTarget, "A token is for one resource only.")
	} else if repeated != "" {
		return nil, is, name, refuse(codeInvalidRequest, "The parameter "+repeated+" is there more than once.")
	}
	var exchange func(context.Context, *client, params) (*issue, error)
	grant := form.get("grant_type")
	switch grant {
	case grantAuthorizationCode:
		exchange = s.redeemCode
	case grantRefreshToken:
		exchange = s.refreshGrant
	case grantClientCredentials:
		exchange = s.clientCredentials
	case "":
		return nil, is, name, refuse(codeInvalidRequest, "The grant_type is missing.")
	default:
		return nil, is, name, refuse(codeUnsupportedGrantType, "The grant types here are authorization_code, refresh_token and client_credentials.")
	}
	if !c.may(grant) {
		return nil, is, name, refuse(codeUnauthorizedClient, "This client may not use this grant type.")
	}
	got, err := exchange(r.Context(), c, form)
	if got != nil {
		is = got
	}
	if err == nil {
		answer, err = s.issue(r.Context(), is)
	}
	return answer, is, name, err
}

// issue makes the tokens.
func (s *Server) issue(ctx context.Context, is *issue) (*tokens, error) {
	user := is.grantID
	if is.person != nil {
		user = subjectID(is.person)
	}
	access, err := s.newAccessToken(ctx, is.grantID, is.client.ID, is.resource, is.scope, user)
	if err != nil {
		return nil, err
	}
	t := &tokens{AccessToken: access, TokenType: "Bearer", ExpiresIn: int64(s.cfg.AccessTTL.Seconds()), Scope: is.scope}
	if is.generation > 0 {
		sealer, err := s.cfg.Sealer(ctx)
		if err != nil {
			return nil, err
		}
		if t.RefreshToken, err = newRefreshToken(sealer, is.client.ID, is.grantID, is.generation); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// redeemCode exchanges an authorization code (OAuth 2.1 section 4.1.3).
func (s *Server) redeemCode(ctx context.Context, c *client, form params) (*issue, error) {
	is := &issue{client: c}
	if form.get("code") == "" || len(form.get("code")) > maxCode {
		return is, refuse(codeInvalidRequest, "The code is missing, or not one of ours.")
	}
	if !validVerifier(form.get("code_verifier")) {
		return is, refuse(codeInvalidRequest, "The code_verifier is missing, or not one.")
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return is, unavailable(err)
	}
	red := redemption{id: digest(form.get("code")), client: c.ID, redirect: form.get("redirect_uri"), verifier: form.get("code_verifier")}
	rec, err := s.lookupCode(ctx, red)
	if err != nil {
		return is, s.codeRefused(ctx, rec, err)
	}
	if raw := form.get("resource"); raw != "" {
		if res, err := s.resource(raw); err != nil || res.URL != rec.Resource {
			return is, refuse(codeInvalidTarget, "The code is for another resource.")
		}
	}
	// RFC 6749 has no scope here; a client that asks for less than it was given gets less.
	if is.scope, err = narrowScope(form.get("scope"), rec.Scope); err != nil {
		return is, err
	}
	l, err := openLogin(sealer, red.id, rec)
	if err != nil {
		return is, unavailable(err)
	}
	is.grantID, is.resource, is.person = randomText(16), rec.Resource, l.Person
	// The grant is kept before the code is marked as used: a crash in between leaves a grant that nobody has a token of, and a
	// code that still works.
	g := &grantRecord{
		Client: c.ID, ClientName: c.Name, Static: c.Static != nil, Resource: rec.Resource, Scope: rec.Scope, Created: s.now().UTC(),
		LastUsed: s.now().UTC(), Expires: s.grantExpiry(c.may(grantRefreshToken)), Generation: 1, Rotated: s.now().UTC(),
		Provider: l.Person.Provider, Read: l.At, Narrowing: rec.Narrowing, Whence: l.Whence,
	}
	if to, err := parseRedirect(rec.Redirect); err == nil {
		shown := c.page(to)
		g.Origin, g.Domain, g.Redirect = shown.Origin, shown.Domain, to.raw
	}
	if g.Person, err = sealPerson(sealer, is.grantID, l.Person); err != nil {
		return is, unavailable(err)
	}
	g.Listed = g.Expires.Add(s.cfg.RefreshTTL)
	if err := s.enlist(ctx, l.Person, is.grantID, g.Listed); err != nil {
		return is, unavailable(err)
	}
	if err := s.putGrant(ctx, is.grantID, g); err != nil {
		return is, unavailable(err)
	}
	rec, err = s.useCode(ctx, red, is.grantID)
	if err == nil {
		err = s.stillSignedIn(ctx, l)
	}
	if err != nil {
		if undo := s.Revoke(ctx, is.grantID); undo != nil {
			s.log.Warn("a grant that came to nothing could not be removed; it will expire", zap.Error(undo))
		}
		is.grantID = ""
		return is, s.codeRefused(ctx, rec, err)
	}
	if c.may(grantRefreshToken) {
		is.generation = g.Generation
	}
	return is, nil
}

// codeRefused tells a client why a code is no good: always in the same words. If the right client shows a code for the
// second time, somebody has stolen it from somebody, so that what came of it ends (OAuth 2.1 section 4.1.3).
func (s *Server) codeRefused(ctx context.Context, rec *codeRecord, err error) error {
	switch {
	case errors.Is(err, errCodeUsed):
		if err := s.Revoke(ctx, rec.Grant); err != nil {
			return unavailable(err)
		}
		fallthrough
	case errors.Is(err, errNoCode), errors.Is(err, errCodeClient), errors.Is(err, errCodeProof), errors.Is(err, errSignedOut):
		return invalidGrant("The code is unknown, expired, used, or was issued for another request.", err)
	default:
		return unavailable(err)
	}
}
