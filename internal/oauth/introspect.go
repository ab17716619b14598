package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
)

// introspection is what the introspection endpoint says of a token (RFC 7662 section 2.2). Of one that is not good, or not for the client to
// know about, it says only that.
type introspection struct {
	Active   bool   `json:"active"`
	Scope    string `json:"scope,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Type     string `json:"token_type,omitempty"`
	Expires  int64  `json:"exp,omitempty"`
	IssuedAt int64  `json:"iat,omitempty"`
	Subject  string `json:"sub,omitempty"`
	Audience string `json:"aud,omitempty"`
	Issuer   string `json:"iss,omitempty"`
	ID       string `json:"jti,omitempty"`
}

// confidentialAuthMethods are the ways to prove oneself, without that of proving nothing.
func confidentialAuthMethods() []string {
	return slices.DeleteFunc(slices.Clone(authMethods), func(method string) bool { return method == authNone })
}

// serveIntrospect is the introspection endpoint (RFC 7662). It is for clients that prove themselves: everybody else could try out tokens
// here (section 4).
func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	is, answer, err := s.introspectToken(r)
	if err != nil {
		s.answerError(w, r, "introspect", is, err)
		return
	}
	ev := is.event("introspect", decisionAllow)
	if !answer.Active {
		ev.reason = "not active"
	}
	s.record(ev)
	writeJSON(w, http.StatusOK, answer)
}

// introspectToken judges a request: its form, its client, and only then the token.
func (s *Server) introspectToken(r *http.Request) (*issue, *introspection, error) {
	form, err := readForm(r, maxFormBytes)
	if err != nil {
		return nil, nil, err
	}
	c, err := s.authenticateClient(r, form)
	if err != nil {
		return nil, nil, err
	}
	is := &issue{client: c}
	if c.public() {
		return is, nil, invalidClient("Tokens are introspected by clients that have a secret.", false)
	}
	if name := form.repeated("token", "token_type_hint"); name != "" {
		return is, nil, refuse(codeInvalidRequest, "The parameter "+name+" is there more than once.")
	}
	token := form.get("token")
	if token == "" {
		return is, nil, refuse(codeInvalidRequest, "The token is missing.")
	}
	// The hint may be wrong (section 2.1), and both kinds of token are told apart without it.
	answer, err := s.introspectRefresh(r.Context(), is, token)
	if err == nil && answer == nil {
		answer, err = s.introspectAccess(r.Context(), is, token)
	}
	if err != nil {
		return is, nil, unavailable(err)
	}
	return is, answer, nil
}

// introspectRefresh answers for a refresh token; nil if it is none of this client's. Resource servers never come to see refresh tokens, so
// nobody is told of those of others.
func (s *Server) introspectRefresh(ctx context.Context, is *issue, token string) (*introspection, error) {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	rt, err := openRefreshToken(sealer, is.client.ID, token)
	if err != nil {
		return nil, nil
	}
	g, err := s.loadGrant(ctx, rt.Grant)
	switch {
	case errors.Is(err, errNoGrant):
		return new(introspection), nil
	case err != nil:
		return nil, err
	case g.Client != is.client.ID || g.age(rt, s.now(), s.cfg.RefreshGrace) == ageReplayed:
		return new(introspection), nil
	}
	is.grantID, is.resource = rt.Grant, g.Resource
	return &introspection{
		Active: true, Scope: g.Scope, ClientID: g.Client, Expires: g.Expires.Unix(), IssuedAt: g.Rotated.Unix(), Audience: g.Resource, Issuer: s.cfg.Issuer,
	}, nil
}

// introspectAccess answers for an access token, as the server that it is for would judge it now.
func (s *Server) introspectAccess(ctx context.Context, is *issue, token string) (*introspection, error) {
	inactive := new(introspection)
	t, err := s.known(ctx, token)
	if errors.Is(err, ErrInvalidToken) {
		return inactive, nil
	}
	if err != nil {
		return nil, err
	}
	res, err := s.resource(t.resource)
	if err != nil || t.clientID != is.client.ID && !is.client.introspects(res.Server) {
		return inactive, nil
	}
	access, err := s.access(ctx, t)
	if errors.Is(err, ErrInvalidToken) {
		return inactive, nil
	}
	if err != nil {
		return nil, err
	}
	is.grantID, is.resource, is.person = access.GrantID, t.resource, access.Person
	if isPersonal(token) {
		return s.introspectPersonal(ctx, t, access.Person)
	}
	claims, err := s.parseAccessToken(ctx, token)
	if errors.Is(err, ErrInvalidToken) { // expired just now
		return inactive, nil
	}
	if err != nil {
		return nil, err
	}
	return &introspection{
		Active: true, Scope: claims.Scope, ClientID: claims.ClientID, Type: "Bearer", Expires: claims.Expires, IssuedAt: claims.IssuedAt,
		Subject: claims.Subject, Audience: claims.Audience, Issuer: claims.Issuer, ID: claims.ID,
	}, nil
}

// introspects reports whether the client may ask about the tokens of all clients for a server.
func (c *client) introspects(server string) bool {
	return c.Static != nil && slices.ContainsFunc(c.Static.Introspect, func(name string) bool { return name == server || name == "*" })
}
