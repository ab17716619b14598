package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// road is the way to an identity provider, which can be closed.
type road struct {
	*httptest.Server
	closed atomic.Bool
}

// newRoad opens one.
func newRoad(t *testing.T, to string) *road {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := new(road)
	proxy := httputil.NewSingleHostReverseProxy(target)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.closed.Load() {
			panic(http.ErrAbortHandler) // the connection breaks off
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// TestAReloadWhileWorkOSIsDown changes the configuration while the identity provider can't be reached: who is signed in goes on, with the
// new configuration, also past the life of their tokens; a login that had come to its code is finished; new ones are told to come
// back; and once the provider is there again, so is everything else.
func TestAReloadWhileWorkOSIsDown(t *testing.T) {
	emulator := emulate(t)
	way := newRoad(t, emulator.URL)
	g := startGateway(t, gatewayConfig{
		Identity: `identity workos {
			client_id {env.WORKOS_CLIENT_ID}
			api_key {env.WORKOS_API_KEY}
			organization ` + emulator.Organization(t, "Acme") + `
			base_url ` + way.URL + `
			issuer ` + emulator.URL + `
		}`,
		Clients: `clients {
			static desktop {
				public
				redirect_uri ` + redirect + `
			}
		}`,
		Options: "identity_refresh 1s\naccess_token_ttl 2s",
		Policy:  demoPolicy,
		Mounts:  "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:     []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
	})
	alice := mustSignIn(t, g.origin+"/mcp", through("alice@acme.test"), "")
	bobs := &oauth2.Config{
		ClientID: "desktop", RedirectURL: redirect,
		Endpoint: oauth2.Endpoint{AuthURL: g.origin + "/authorize", TokenURL: g.origin + "/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	verifier, resource := oauth2.GenerateVerifier(), oauth2.SetAuthURLParam("resource", g.origin+"/mcp")
	address := bobs.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier), resource, oauth2.SetAuthURLParam("login_hint", "bob@acme.test"))
	page, err := peers.NewBrowser(through("bob@acme.test")).Open(t.Context(), address, atRedirect)
	if err != nil {
		t.Fatal(err)
	}

	way.closed.Store(true)
	g.config.Policy = strings.Replace(demoPolicy, "delete_everything", "add", 1)
	g.write()
	if out, status := run(t, g.dir, "reload", "--config", g.caddyfile(), "--adapter", "caddyfile", "--address", g.admin); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	http.DefaultClient.CloseIdleConnections() // which the reload closes too; a request that meets that is not tried again
	want := []string{"add", "echo", "generateImage"}
	before := len(alice.tokens.all)
	for deadline := time.Now().Add(startTimeout); len(alice.tokens.all) < before+2; {
		if got := alice.tools(t); !slices.Equal(got, want) {
			t.Fatalf("during the outage alice sees %v, want %v", got, want)
		}
		if time.Now().After(deadline) {
			t.Fatal("her tokens are not refreshed")
		}
	}
	token, err := bobs.Exchange(t.Context(), page.URL.Query().Get("code"), oauth2.VerifierOption(verifier), resource)
	if err != nil {
		t.Fatalf("bob's code: %v", err)
	}
	if status := initialize(t, g, token.AccessToken); status != http.StatusOK {
		t.Errorf("bob's token is answered %d", status)
	}
	if _, err := signIn(t.Context(), g.origin+"/mcp", through("bob@acme.test"), ""); err == nil {
		t.Error("somebody signs in at a provider that can't be reached")
	}

	way.closed.Store(false)
	emulator.SetRole(t, "alice@acme.test", "Acme", "member")
	for deadline := time.Now().Add(2 * startTimeout); !slices.Equal(alice.tools(t), []string{"add", "echo"}); {
		if time.Now().After(deadline) {
			t.Fatal("alice's new role is not noticed")
		}
	}
	mustSignIn(t, g.origin+"/mcp", through("bob@acme.test"), "")
}
