package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap/zaptest"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	testClient   = "gateway"
	testSecret   = "secret/of the gateway"
	testCallback = "https://mcp.example.com/callback"
)

// world is an OpenID provider that says what a test wants, and the clock that it is seen by. npm's oidc-provider, which the gateway is
// tested with as well, can't be made to say what is wrong.
type world struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey

	mu       sync.Mutex
	now      time.Time
	asked    map[string]int
	metadata map[string]any
	// claims are those of the next ID token, beside iss, aud, iat and exp; nil: there is none. header is the type of JOSE header.
	claims   map[string]any
	sign     func(claims map[string]any) string
	userinfo map[string]any
	refresh  string                                            // the refresh token that the token endpoint gives
	answer   func(w http.ResponseWriter, r *http.Request) bool // answers in the place of the token endpoint, if it reports true
	forms    []url.Values                                      // what the token endpoint was sent
	header   http.Header                                       // with the last of them
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, key: key, now: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC), asked: make(map[string]int), refresh: "refresh-1"}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	w.metadata = map[string]any{
		"issuer": w.URL, "authorization_endpoint": w.URL + "/authorize?tenant=t", "token_endpoint": w.URL + "/token", "userinfo_endpoint": w.URL + "/userinfo",
		"jwks_uri": w.URL + "/jwks", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}, "scopes_supported": []string{"openid", "offline_access"},
	}
	w.sign = func(claims map[string]any) string { return w.signed(jose.ES256, w.key, nil, claims) }
	return w
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[r.URL.Path]++
	var body any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		body = w.metadata
	case "/jwks":
		body = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "key-1", Algorithm: "ES256", Use: "sig"}}}
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer access" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		body = w.userinfo
	case "/token":
		if err := r.ParseForm(); err != nil {
			w.t.Error(err)
		}
		w.forms, w.header = append(w.forms, r.PostForm), r.Header.Clone()
		if w.answer != nil && w.answer(rw, r) {
			return
		}
		tokens := map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 300}
		if w.refresh != "" {
			tokens["refresh_token"] = w.refresh
		}
		if w.claims != nil {
			claims := map[string]any{"iss": w.URL, "aud": testClient, "iat": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix()}
			maps.Copy(claims, w.claims)
			maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
			tokens["id_token"] = w.sign(claims)
		}
		body = tokens
	default:
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rw).Encode(body); err != nil {
		w.t.Error(err)
	}
}

// signed makes a JWT.
func (w *world) signed(algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	w.t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": "key-1", "typ": "JWT"}}
	maps.Copy(options.ExtraHeaders, header)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// set changes something.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// count is how often a path was asked for.
func (w *world) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[path]
}

// clock is the time.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// provider makes the provider as the gateway has it; change may change its configuration.
func (w *world) provider(change func(*Config)) *Provider {
	w.t.Helper()
	cfg := Config{
		Issuer: w.URL, ClientID: testClient, ClientSecret: testSecret, RoleClaims: []string{"realm_access.roles"}, PermissionClaims: []string{"https://acme.example/permissions"},
		Allow: []Admission{{Any: true}}, Now: w.clock, Logger: zaptest.NewLogger(w.t),
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// alice are the claims of a person.
func alice(more ...any) map[string]any {
	claims := map[string]any{
		"sub": "alice", "name": "Alice", "email": "alice@example.com", "email_verified": true, "sid": "s1", "groups": []string{"staff"},
		"realm_access": map[string]any{"roles": []string{"admin", "member"}}, "https://acme.example/permissions": "image_generation",
	}
	for i := 0; i+1 < len(more); i += 2 {
		claims[more[i].(string)] = more[i+1]
	}
	return claims
}

// signIn signs in whoever the claims are of; without a nonce among them, they get the right one.
func (w *world) signIn(p *Provider, claims map[string]any) (*identity.Person, error) {
	w.t.Helper()
	return w.signInWith(p, claims, identity.Start{RedirectURI: testCallback, State: "state"}, nil)
}

// signInWith is signIn with more to say; the query of the callback may be changed.
func (w *world) signInWith(p *Provider, claims map[string]any, in identity.Start, change func(url.Values)) (*identity.Person, error) {
	w.t.Helper()
	address, secret, err := p.Start(w.t.Context(), in)
	if err != nil {
		return nil, err
	}
	sent, err := url.Parse(address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.set(func() {
		w.claims = claims
		if _, has := claims["nonce"]; claims != nil && !has {
			w.claims = maps.Clone(claims)
			w.claims["nonce"] = sent.Query().Get("nonce")
		}
	})
	query := url.Values{"code": {"the-code"}, "state": {"state"}}
	if change != nil {
		change(query)
	}
	person, err := p.Finish(w.t.Context(), identity.Finish{RedirectURI: testCallback, Query: query, Secret: secret})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	form := w.forms[len(w.forms)-1]
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if sent.Query().Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || sent.Query().Get("code_challenge_method") != "S256" {
		w.t.Errorf("the code_verifier %q does not fit %v", form.Get("code_verifier"), sent)
	}
	return person, nil
}

// halfHash is the hash of an access token in an ID token (OpenID Connect Core section 3.1.3.6).
func halfHash(token string) string {
	sum := crypto.SHA256.New()
	sum.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:16])
}

// published is a provider without a network: its metadata, and no keys.
type published struct{}

// RoundTrip implements http.RoundTripper.
func (published) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if r.URL.Path == "/.well-known/openid-configuration" {
		jsonAnswer(rec, http.StatusOK, `{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com/jwks","id_token_signing_alg_values_supported":["ES256"]}`)
	} else {
		rec.WriteHeader(http.StatusNotFound)
	}
	return rec.Result(), nil
}
