package workos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

func TestVerifyReadsWhatASessionCarries(t *testing.T) {
	f := newFake(t)
	got, err := f.provider(nil).verify(t.Context(), f.token(map[string]any{
		"org_id": "org_1", "role": "admin", "roles": []string{"member", "admin", "", "member"},
		"permissions": []string{"image_generation"}, "entitlements": []string{"audit-logs"},
		"feature_flags": []string{"new"}, "act": map[string]any{"sub": "staff@workos.test"},
		"Role": "owner", "tier": "gold",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := &session{
		subject: "user_1", id: "session_1", org: "org_1", actor: "staff@workos.test",
		roles: []string{"member", "admin"}, permissions: []string{"image_generation"},
		claims: map[string]any{
			"sid": "session_1", "org_id": "org_1", "act": map[string]any{"sub": "staff@workos.test"}, "Role": "owner", "tier": "gold",
			"entitlements": []any{"audit-logs"}, "feature_flags": []any{"new"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestVerifyTakesASingularRole(t *testing.T) {
	f := newFake(t)
	got, err := f.provider(nil).verify(t.Context(), f.token(map[string]any{"org_id": "org_1", "role": "member"}))
	if err != nil || !reflect.DeepEqual(got.roles, []string{"member"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestVerifyAcceptsTheIssuersWorkOSHas(t *testing.T) {
	f := newFake(t)
	p := f.provider(func(c *Config) { c.Issuers, c.Audience = []string{"https://auth.acme.test"}, "convex" })
	for name, claims := range map[string]map[string]any{
		"origin":             {},
		"origin and a slash": {"iss": f.url + "/"},
		"per client":         {"iss": f.url + "/user_management/client_1"},
		"configured":         {"iss": "https://auth.acme.test"},
		"audience is us":     {"aud": "client_1"},
		"one audience is us": {"aud": []string{"other", "client_1"}},
		"audience of config": {"aud": "convex"},
		"client is us":       {"client_id": "client_1"},
	} {
		if _, err := p.verify(t.Context(), f.token(claims)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	f := newFake(t)
	p := f.provider(nil)
	good := map[string]any{"iss": f.url, "sub": "user_1", "exp": testNow.Add(time.Minute).Unix()}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(testKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	whole := strings.Split(f.token(nil), ".")
	for name, token := range map[string]string{
		"nothing":                     "",
		"no token":                    "abc",
		"tampered claims":             whole[0] + "." + part(map[string]any{"iss": f.url, "sub": "user_2", "exp": testNow.Add(time.Hour).Unix()}) + "." + whole[2],
		"tampered signature":          whole[0] + "." + whole[1] + "." + strings.Repeat("A", len(whole[2])),
		"alg none":                    part(map[string]any{"alg": "none"}) + "." + part(good) + ".",
		"HMAC with the public key":    sign(t, jose.HS256, public, "key_1", good),
		"another key, same kid":       sign(t, jose.RS256, other, "key_1", good),
		"another key, no kid":         sign(t, jose.RS256, other, "", good),
		"another algorithm":           sign(t, jose.RS512, testKey(), "key_1", good),
		"another kind of key":         sign(t, jose.ES256, elliptical, "key_1", good),
		"wrong issuer":                f.token(map[string]any{"iss": "https://api.workos.com.evil.test"}),
		"no issuer":                   f.token(map[string]any{"iss": nil}),
		"issuer of another client":    f.token(map[string]any{"iss": f.url + "/user_management/client_2"}),
		"expired":                     f.token(map[string]any{"exp": testNow.Add(-time.Second).Unix()}),
		"without an end":              f.token(map[string]any{"exp": nil}),
		"not yet good":                f.token(map[string]any{"nbf": testNow.Add(time.Hour).Unix()}),
		"audience is somebody else":   f.token(map[string]any{"aud": "client_2"}),
		"client is somebody else":     f.token(map[string]any{"client_id": "client_2"}),
		"nobody":                      f.token(map[string]any{"sub": nil}),
		"role is no text":             f.token(map[string]any{"role": []string{"admin"}}),
		"roles is no list":            f.token(map[string]any{"roles": "admin"}),
		"roles hold a number":         f.token(map[string]any{"roles": []any{"admin", 1}}),
		"permissions is an object":    f.token(map[string]any{"permissions": map[string]any{}}),
		"organization is a number":    f.token(map[string]any{"org_id": 1}),
		"an actor without a name":     f.token(map[string]any{"act": map[string]any{}}),
		"an actor that is no object":  f.token(map[string]any{"act": "staff"}),
		"too long":                    f.token(map[string]any{"x": strings.Repeat("x", maxToken)}),
		"more than one dot too many":  strings.Join(whole, ".") + "." + whole[2],
		"claims that are not objects": sign(t, jose.RS256, testKey(), "key_1", nil),
	} {
		s, err := p.verify(t.Context(), token)
		if s != nil || !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("%s: got %+v, %v", name, s, err)
		}
	}
}

func TestVerifySaysTheKeysAreOutOfReach(t *testing.T) {
	f := newFake(t)
	p := f.provider(nil)
	f.jwksStatus = 503
	if _, err := p.verify(t.Context(), f.token(nil)); !errors.Is(err, identity.ErrUnavailable) || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
	f.mu.Lock()
	f.jwksStatus = 0
	f.mu.Unlock()
	if _, err := p.verify(t.Context(), f.token(nil)); err != nil {
		t.Errorf("keys are back, but %v", err)
	}
}

func TestKeysAreFetchedOnce(t *testing.T) {
	f := newFake(t)
	p := f.provider(nil)
	for range 3 {
		if _, err := p.verify(t.Context(), f.token(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.count("/sso/jwks/client_1"); n != 1 {
		t.Errorf("asked for the keys %d times", n)
	}
}

// FuzzRead holds that claims of any shape are read or refused, and that what is read has no role from nowhere.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"u","org_id":"o","role":"r","roles":["r","s"],"permissions":[],"act":{"sub":"a"}}`,
		`{"sub":"u","roles":null,"act":null}`, `{"sub":{}}`, `{"Role":"x","sub":"u"}`, `{}`, `{"sub":"u","roles":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	p, err := New(Config{ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var claims map[string]any
		if json.Unmarshal(data, &claims) != nil {
			return
		}
		s, err := p.read(claims)
		if err != nil {
			return
		}
		if s.subject == "" {
			t.Error("a session of nobody")
		}
		for _, role := range s.roles {
			list, _ := claims["roles"].([]any)
			found := claims["role"] == role
			for _, r := range list {
				found = found || r == role
			}
			if !found {
				t.Errorf("role %q from nowhere", role)
			}
		}
	})
}

// FuzzSession holds that what was stored of a session is read back, and that anything else is harmless.
func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"refresh_token":"r"}`))
	f.Add([]byte(`{"refresh_token":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if token := unpackSession(data); token != "" && unpackSession(packSession(token)) != token {
			t.Errorf("%q is not kept", token)
		}
	})
}

func TestRefreshTokensSurviveBeingKept(t *testing.T) {
	if got := unpackSession(packSession("Rt_1")); got != "Rt_1" {
		t.Errorf("got %q", got)
	}
}
