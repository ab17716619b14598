package caddymodule

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// TestTokensOfAnAuthorizationServerThatExistsAlready has npm's oidc-provider issue them, signed for one server and opaque for
// another, and its keys outlive a reload.
func TestTokensOfAnAuthorizationServerThatExistsAlready(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/signed", upstream)})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	none := []string{}
	issuer := peers.OIDCProvider(t, peers.OIDCSettings{
		Clients: []peers.OIDCClient{
			{ID: "ci", Secret: "secret-of-ci", GrantTypes: []string{"client_credentials"}, RedirectURIs: none, ResponseTypes: none},
			{ID: "gateway", Secret: "secret-of-gateway", GrantTypes: none, RedirectURIs: none, ResponseTypes: none},
		},
		Resources: []peers.OIDCResource{{URL: g.url("/signed"), Format: "jwt"}, {URL: g.url("/opaque"), Format: "opaque"}, {URL: g.url("/closed"), Format: "jwt"}},
		Keys:      []jose.JSONWebKey{{Key: key, KeyID: "1", Algorithm: "RS256", Use: "sig"}},
		Claims:    map[string]any{"roles": []string{"member"}},
		TTL:       time.Hour,
	})
	g.config.Site = strings.Join([]string{
		mount("/signed", upstream, fmt.Sprintf("accept_tokens %s {\n role_claim roles\n}", issuer)),
		mount("/opaque", upstream, fmt.Sprintf("accept_tokens %s {\n introspection {\n client_id gateway\n client_secret secret-of-gateway\n}\n role_claim roles\n unlisted\n}", issuer)),
		mount("/closed", upstream),
	}, "\n")
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	token := func(path string) string {
		var got tokens
		res, err := http.PostForm(issuer+"/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {"ci"}, "client_secret": {"secret-of-ci"}, "scope": {"mcp"}, "resource": {g.url(path)},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Access == "" {
			t.Fatal(res.Status, err)
		}
		return got.Access
	}
	for _, path := range []string{"/signed", "/opaque"} {
		g.tokens[g.url(path)] = token(path)
		if _, list := g.call(path, "tools/list", "{}"); !strings.Contains(list, "get_weather") || strings.Contains(list, "delete_everything") {
			t.Errorf("%s: %s", path, list)
		}
	}
	g.tokens[g.url("/closed")] = token("/closed")
	if res, _ := g.call("/closed", "tools/list", "{}"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("where nothing is accepted from elsewhere: %s", res.Status)
	}
	for path, want := range map[string]bool{"/signed": true, "/opaque": false, "/closed": false} {
		r, err := http.NewRequest(http.MethodGet, g.url(metadataPath+path), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, document := g.do(r); strings.Contains(document, issuer) != want {
			t.Errorf("%s: %s", path, document)
		}
	}
	if !strings.Contains(g.logged(), `"user_id":"`+issuer+`#ci"`) {
		t.Error("the audit log doesn't say who it was")
	}
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	if _, list := g.call("/signed", "tools/list", "{}"); !strings.Contains(list, "get_weather") {
		t.Errorf("after a reload: %s", list)
	}
	for _, secret := range []string{g.tokens[g.url("/signed")], g.tokens[g.url("/opaque")], "secret-of-gateway"} {
		if strings.Contains(g.logged(), secret) {
			t.Error("a secret is in the log")
		}
	}
	// The same as our own client.
	g.tokens[g.url("/signed")] = ""
	if _, list := g.call("/signed", "tools/list", "{}"); !strings.Contains(list, "get_weather") {
		t.Errorf("with a token of our own: %s", list)
	}
}
