package foreign

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

const (
	readable = "https://mcp.example.com/readable" // oidc-provider's tokens for it are signed
	opaque   = "https://mcp.example.com/opaque"   // and for this one mean nothing to others
	back     = "https://agent.invalid/callback"
)

// provider is npm's oidc-provider, with a client for people, one for machines, and the gateway's own.
type provider struct{ issuer string }

func startProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	none := []string{}
	return &provider{peers.OIDCProvider(t, peers.OIDCSettings{
		Clients: []peers.OIDCClient{
			{ID: "agent", AuthMethod: "none", GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{back}, ResponseTypes: []string{"code"}},
			{ID: "ci", Secret: "secret-of-ci", GrantTypes: []string{"client_credentials"}, RedirectURIs: none, ResponseTypes: none},
			{ID: "gateway", Secret: "secret/of gateway", GrantTypes: none, RedirectURIs: none, ResponseTypes: none},
		},
		Resources: []peers.OIDCResource{{URL: readable, Format: "jwt"}, {URL: opaque, Format: "opaque"}},
		Keys:      []jose.JSONWebKey{{Key: key, KeyID: "key-1", Algorithm: "RS256", Use: "sig"}},
		Claims:    map[string]any{"roles": []string{"member"}, "org_id": "org_1"},
		TTL:       time.Hour,
	})}
}

// open makes the issuer as a gateway has it.
func (p *provider) open(cfg Config) *Issuer {
	cfg.Issuer = p.issuer
	return New(cfg, nil, time.Now, zap.NewNop)
}

// answer is what its token endpoint answers.
type answer struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string `json:"error"`
}

// post posts a form.
func (p *provider) post(t *testing.T, path string, form url.Values) (got answer) {
	t.Helper()
	res, err := http.PostForm(p.issuer+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ContentLength == 0 {
		return answer{}
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Error != "" {
		t.Fatalf("%s: %s %+v %v", path, res.Status, got, err)
	}
	return got
}

// machine gets a token for the machine.
func (p *provider) machine(t *testing.T, resource string) string {
	t.Helper()
	return p.post(t, "/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"ci"}, "client_secret": {"secret-of-ci"}, "resource": {resource}, "scope": {"mcp"},
	}).Access
}

// person signs somebody in and gets all tokens there are.
func (p *provider) person(t *testing.T, name, resource string) answer {
	t.Helper()
	verifier := strings.Repeat("verifier-", 6)
	challenge := sha256.Sum256([]byte(verifier))
	ask := url.Values{
		"response_type": {"code"}, "client_id": {"agent"}, "redirect_uri": {back}, "scope": {"openid email offline_access mcp"}, "prompt": {"consent"},
		"resource": {resource}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}, "nonce": {"n"},
	}
	browser := peers.NewBrowser(map[string]string{"login": name, "password": "any", "prompt": ""})
	page, err := browser.Open(t.Context(), p.issuer+"/auth?"+ask.Encode(), func(u *url.URL) bool { return u.Host == "agent.invalid" })
	if err != nil {
		t.Fatal(err)
	}
	got := p.post(t, "/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {page.URL.Query().Get("code")}, "client_id": {"agent"}, "redirect_uri": {back},
		"code_verifier": {verifier}, "resource": {resource},
	})
	if got.Access == "" || got.Refresh == "" || got.ID == "" {
		t.Fatalf("tokens are missing: %+v", got)
	}
	return got
}

func TestTokensOfARealAuthorizationServer(t *testing.T) {
	p := startProvider(t)
	alice, hers := p.person(t, "alice", readable), p.person(t, "alice", opaque)
	bySignature := p.open(Config{})
	byAsking := p.open(Config{ClientID: "gateway", ClientSecret: "secret/of gateway"})
	for _, tc := range []struct {
		name, token, subject, audience string
		issuer                         *Issuer
	}{
		{"a person's signed token", alice.Access, "alice", readable, bySignature},
		{"a machine's signed token", p.machine(t, readable), "ci", readable, bySignature},
		{"a person's opaque token", hers.Access, "alice", opaque, byAsking},
		{"a machine's opaque token", p.machine(t, opaque), "ci", opaque, byAsking},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.issuer.Verify(t.Context(), tc.token)
			if err != nil {
				t.Fatal(err)
			}
			client := "agent"
			if tc.subject == "ci" {
				client = "ci"
			}
			left := time.Until(got.Expires)
			if got.Subject != tc.subject || !slices.Equal(got.Audience, []string{tc.audience}) || left > time.Hour || left < 50*time.Minute ||
				!slices.Equal(got.Claims.Texts("roles"), []string{"member"}) || got.Claims.Text("org_id") != "org_1" || got.Claims.Text("client_id") != client ||
				!slices.Equal(got.Claims.Texts("scope"), []string{"mcp"}) {
				t.Errorf("got %+v", got)
			}
		})
	}
	for name, token := range map[string]string{
		"an ID token": alice.ID, "a refresh token": alice.Refresh, "an opaque token": hers.Access, "a changed one": alice.Access[:len(alice.Access)-8] + "AAAAAAAA",
	} {
		if got, err := bySignature.Verify(t.Context(), token); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, by its signature: %+v, %v", name, got, err)
		}
	}
	for name, token := range map[string]string{"an ID token": hers.ID, "a refresh token": hers.Refresh, "rubbish": "rubbish"} {
		if got, err := byAsking.Verify(t.Context(), token); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, by asking: %+v, %v", name, got, err)
		}
	}
	p.post(t, "/token/revocation", url.Values{"token": {hers.Access}, "client_id": {"agent"}})
	if got, err := byAsking.Verify(t.Context(), hers.Access); !errors.Is(err, ErrInvalid) {
		t.Errorf("revoked: %+v, %v", got, err)
	}
	if got, err := p.open(Config{ClientID: "gateway", ClientSecret: "wrong"}).Verify(t.Context(), hers.Access); !errors.Is(err, ErrUnavailable) {
		t.Errorf("with a wrong secret of ours: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := byAsking.Verify(ctx, hers.Access); !errors.Is(err, ErrUnavailable) {
		t.Errorf("given up: %+v, %v", got, err)
	}
}
