package workos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// maxToken bounds an access token in bytes. WorkOS allows 3 KiB of custom claims.
const maxToken = 64 << 10

// session is what a verified access token says.
type session struct {
	subject, id, org   string
	roles, permissions []string
	actor              string
	claims             map[string]any
}

// newVerifier returns a verifier for the keys at jwksURL. Issuer and audience are checked in verify, since WorkOS has
// several of the one and often none of the other.
func newVerifier(jwksURL string, client *http.Client, now func() time.Time) *oidc.IDTokenVerifier {
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), client), jwksURL)
	return oidc.NewVerifier("", keys, &oidc.Config{
		// The only algorithm WorkOS signs with; a token that names another one isn't theirs, whatever keys say.
		SupportedSigningAlgs: []string{oidc.RS256},
		SkipIssuerCheck:      true,
		SkipClientIDCheck:    true,
		Now:                  now,
	})
}

// verify checks an access token and reads it. An error is an ErrUnavailable: the token came straight from WorkOS, so one
// that doesn't hold is no statement about the person.
func (p *Provider) verify(ctx context.Context, raw string) (*session, error) {
	s, err := p.parse(ctx, raw)
	if err != nil {
		p.log.Error("session token of WorkOS refused", zap.String("error", clip(err.Error())))
		return nil, &identity.Unavailable{Err: errors.New("session token refused: " + clip(err.Error()))}
	}
	return s, nil
}

func (p *Provider) parse(ctx context.Context, raw string) (*session, error) {
	if len(raw) > maxToken {
		return nil, errors.New("token is too long")
	}
	token, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.issuers, token.Issuer) {
		return nil, fmt.Errorf("issuer %q is not one of %q; if it is your authentication domain, add it as an issuer", token.Issuer, p.issuers)
	}
	// Plain session tokens name no audience; an environment's JWT template may add one.
	if len(token.Audience) > 0 && !slices.Contains(token.Audience, p.cfg.ClientID) &&
		(p.cfg.Audience == "" || !slices.Contains(token.Audience, p.cfg.Audience)) {
		return nil, fmt.Errorf("audience %q does not name client %q; if your JWT template sets it, add it as the audience", token.Audience, p.cfg.ClientID)
	}
	claims := make(map[string]any)
	if err := token.Claims(&claims); err != nil {
		return nil, err
	}
	return p.read(claims)
}

// read picks from the claims what we know and hands on the others. Claims are looked up by their exact names: a JWT
// template may hold a `Role` of its own beside WorkOS' `role`.
func (p *Provider) read(claims map[string]any) (*session, error) {
	r := claimReader{claims: claims}
	s := &session{
		subject:     r.text("sub"),
		id:          r.text("sid"),
		org:         r.text("org_id"),
		roles:       r.texts("roles"),
		permissions: r.texts("permissions"),
		claims:      make(map[string]any),
	}
	if role := r.text("role"); role != "" && !slices.Contains(s.roles, role) {
		s.roles = append(s.roles, role)
	}
	if act, ok := claims["act"]; ok {
		inner, ok := act.(map[string]any)
		if !ok {
			return nil, errors.New("claim act is not an object")
		}
		r := claimReader{claims: inner}
		if s.actor = r.text("sub"); s.actor == "" || r.err != nil {
			return nil, errors.New("claim act names nobody")
		}
	}
	if client := r.text("client_id"); client != "" && client != p.cfg.ClientID {
		return nil, fmt.Errorf("token is for client %q", client)
	}
	if r.err != nil {
		return nil, r.err
	}
	if s.subject == "" {
		return nil, errors.New("token names no user")
	}
	for name, value := range claims {
		switch name {
		case "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "role", "roles", "permissions":
			// Told elsewhere, or of no use after the token.
		default:
			s.claims[name] = value
		}
	}
	return s, nil
}

// claimReader reads claims of a known type and keeps the first error.
type claimReader struct {
	claims map[string]any
	err    error
}

func (r *claimReader) text(name string) string {
	switch v := r.claims[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		r.fail(name, "a string")
		return ""
	}
}

func (r *claimReader) texts(name string) []string {
	v, ok := r.claims[name].([]any)
	if !ok {
		if r.claims[name] != nil {
			r.fail(name, "a list")
		}
		return nil
	}
	var out []string
	for _, e := range v {
		s, ok := e.(string)
		if !ok {
			r.fail(name, "a list of strings")
			return nil
		}
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (r *claimReader) fail(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("claim %s is not %s", name, want)
	}
}

// kept is what identity.Person.Session holds.
type kept struct {
	RefreshToken string `json:"refresh_token"`
}

// packSession returns what to keep of a session. Encrypting it is the caller's part.
func packSession(refreshToken string) []byte {
	b, err := json.Marshal(kept{refreshToken})
	if err != nil {
		// Marshalling a string cannot fail.
		return nil
	}
	return b
}

// unpackSession returns the refresh token, or nothing if there is none.
func unpackSession(b []byte) string {
	var k kept
	if json.Unmarshal(b, &k) != nil {
		return ""
	}
	return k.RefreshToken
}
