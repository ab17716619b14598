package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// serveRevoke is the revocation endpoint (RFC 7009).
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	is, err := s.revokeToken(r)
	if err != nil {
		s.answerError(w, r, "revoke", is, err)
		return
	}
	s.record(is.event("revoke", decisionAllow))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// revokeToken ends the grant that a token belongs to, and all its tokens with it (RFC 7009 section 2.1). A token that is not
// good, or another client's, is no error: it does not work, as was wished.
func (s *Server) revokeToken(r *http.Request) (*issue, error) {
	form, err := readForm(r, maxFormBytes)
	if err != nil {
		return nil, err
	}
	is := &issue{}
	// A personal token is its own client, which has nothing but the token to prove itself with (RFC 7009 section 2.1: a public client).
	// So whoever has found one somewhere can end it.
	if personal := isPersonal(form.get("token")); !personal || namesClient(r, form) {
		if is.client, err = s.authenticateClient(r, form); err != nil {
			return nil, err
		}
	}
	if name := form.repeated("token", "token_type_hint"); name != "" {
		return is, refuse(codeInvalidRequest, "The parameter "+name+" is there more than once.")
	}
	token := form.get("token")
	if token == "" {
		return is, refuse(codeInvalidRequest, "The token is missing.")
	}
	if is.grantID, err = s.grantOf(r.Context(), is.client, token); err != nil {
		return is, err
	}
	if is.grantID == "" {
		return is, nil
	}
	if strings.HasPrefix(is.grantID, machineGrant) {
		// Nothing is kept of it that could end; to say that it was revoked would be a lie.
		return is, refuse(codeUnsupportedTokenType, "A token of client_credentials can't be revoked. It ends when it expires.")
	}
	if err := s.Revoke(r.Context(), is.grantID); err != nil {
		return is, unavailable(err)
	}
	return is, nil
}

// namesClient reports whether a request says of which client it is.
func namesClient(r *http.Request, form params) bool {
	basic, _, err := basicCredentials(r)
	return basic || err != nil || form.get("client_id") != "" || form.get("client_assertion") != ""
}

// grantOf finds the grant that a client's token, or a personal one, belongs to; "" if there is none.
func (s *Server) grantOf(ctx context.Context, c *client, token string) (string, error) {
	if isPersonal(token) {
		t, err := s.admitPersonal(ctx, token)
		switch {
		case errors.Is(err, ErrInvalidToken):
			return "", nil
		case err != nil:
			return "", unavailable(err)
		default:
			return t.grantID, nil
		}
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return "", unavailable(err)
	}
	if rt, err := openRefreshToken(sealer, c.ID, token); err == nil {
		return rt.Grant, nil
	}
	claims, err := s.parseAccessToken(ctx, token)
	switch {
	case errors.Is(err, ErrInvalidToken):
		return "", nil
	case err != nil:
		return "", unavailable(err)
	case claims.ClientID != c.ID:
		return "", nil
	default:
		return claims.Grant, nil
	}
}
