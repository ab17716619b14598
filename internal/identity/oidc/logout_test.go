package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// logoutToken makes the claims of a logout token; more are pairs, and nil leaves one out.
func (w *world) logoutToken(more ...any) map[string]any {
	claims := map[string]any{
		"iss": w.URL, "aud": testClient, "iat": w.clock().Unix(), "exp": w.clock().Add(2 * time.Minute).Unix(), "jti": "token-1", "sub": "alice", "sid": "s1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	for i := 0; i+1 < len(more); i += 2 {
		claims[more[i].(string)] = more[i+1]
	}
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

func TestLogoutTokens(t *testing.T) {
	w := newWorld(t)
	p := w.provider(nil)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	typed := func(typ string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"typ": typ} }
	for name, c := range map[string]struct {
		token string
		fine  bool
	}{
		"fine":                      {w.signed(jose.ES256, w.key, typed("logout+jwt"), w.logoutToken()), true},
		"without a type of its own": {w.sign(w.logoutToken()), true},
		"a session alone":           {w.sign(w.logoutToken("sub", nil)), true},
		"a person alone":            {w.sign(w.logoutToken("sid", nil)), true},
		"nothing to end":            {w.sign(w.logoutToken("sid", nil, "sub", nil)), false},
		"another issuer's":          {w.sign(w.logoutToken("iss", "https://other.example.com")), false},
		"another client's":          {w.sign(w.logoutToken("aud", "other")), false},
		"without the event":         {w.sign(w.logoutToken("events", map[string]any{"other": map[string]any{}})), false},
		"without events":            {w.sign(w.logoutToken("events", nil)), false},
		"an ID token":               {w.sign(w.logoutToken("nonce", "n")), false},
		"without a name":            {w.sign(w.logoutToken("jti", nil)), false},
		"with too long a name":      {w.sign(w.logoutToken("jti", strings.Repeat("x", maxText+1))), false},
		"of an hour ago":            {w.sign(w.logoutToken("iat", w.now.Add(-time.Hour).Unix())), false},
		"of an hour from now":       {w.sign(w.logoutToken("iat", w.now.Add(time.Hour).Unix())), false},
		"of no time":                {w.sign(w.logoutToken("iat", nil)), false},
		"expired":                   {w.sign(w.logoutToken("exp", w.now.Add(-time.Minute).Unix())), false},
		"typed as an access token":  {w.signed(jose.ES256, w.key, typed("at+jwt"), w.logoutToken()), false},
		"signed by somebody else":   {w.signed(jose.ES256, stranger, nil, w.logoutToken()), false},
		"signed with a secret":      {w.signed(jose.HS256, []byte(strings.Repeat(testSecret, 2)), nil, w.logoutToken()), false},
		"unsigned":                  {"eyJhbGciOiJub25lIn0.e30.", false},
		"no token":                  {"x", false},
		"nothing":                   {"", false},
		"too long":                  {strings.Repeat("x", maxToken+1), false},
	} {
		got, err := p.VerifyLogout(t.Context(), c.token)
		if (err == nil) != c.fine || err != nil && !errors.Is(err, identity.ErrCallback) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err == nil && (got.Token != "token-1" || got.Person == "" && got.Session == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	w.set(func() { w.metadata = nil })
	if _, err := w.provider(nil).VerifyLogout(t.Context(), w.sign(w.logoutToken())); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("the provider is down: %v", err)
	}
}

// FuzzVerifyLogout holds that nothing made up ends a session.
func FuzzVerifyLogout(f *testing.F) {
	for _, seed := range []string{
		"", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiIsInR5cCI6ImxvZ291dCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIn0.AAAA",
	} {
		f.Add(seed)
	}
	p := plain(f, func(c *Config) { c.HTTPClient = &http.Client{Transport: published{}} })
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := p.VerifyLogout(t.Context(), token); err == nil || !errors.Is(err, identity.ErrCallback) && !errors.Is(err, identity.ErrUnavailable) {
			t.Fatalf("%q: %+v, %v", token, got, err)
		}
	})
}
