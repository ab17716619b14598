package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// vendorSite is the web site of somebody who makes a client: /client.json is its metadata document, /signing.json that of one
// that proves itself with the key at /keys.json.
func vendorSite(t *testing.T, key *jose.JSONWebKey) *peers.Site {
	t.Helper()
	var site *peers.Site
	site = peers.NewSite(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc := map[string]any{
			"client_id": site.Origin + r.URL.Path, "client_name": "An agent with a site", "token_endpoint_auth_method": "none",
			"redirect_uris": []string{redirect, "http://127.0.0.1/oauth/callback", "http://localhost/oauth/callback", "http://127.0.0.1:6276/oauth/callback"},
			"grant_types":   []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		}
		switch r.URL.Path {
		case "/keys.json":
			doc = map[string]any{"keys": []any{key.Public()}}
		case "/signing.json":
			doc["token_endpoint_auth_method"], doc["jwks_uri"] = "private_key_jwt", site.Origin+"/keys.json"
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	}))
	return site
}

// TestClientsThatAreDocuments has real clients sign alice in that are nothing but the address of a metadata document, some of which
// prove themselves by signing.
func TestClientsThatAreDocuments(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := &jose.JSONWebKey{Key: private, KeyID: "one", Algorithm: "ES256", Use: "sig"}
	secret, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	site := vendorSite(t, key)
	g := startGateway(t, gatewayConfig{
		Policy: everythingPolicy, Mounts: "mcp_gateway /mcp " + peers.Everything(t), Options: "access_token_ttl 5s",
		Clients: `clients {
			dynamic off
			metadata_documents on {
				allow localhost
				private_addresses 127.0.0.0/8 ::1
			}
			static signer {
				public_key {env.SIGNER_KEY}
				grant client_credentials
				role member
			}
			static bot {
				secret {env.BOT_SECRET}
				grant client_credentials
				role member
			}
			static portal {
				secret {env.BOT_SECRET}
				redirect_uri ` + redirect + `
			}
		}`,
		Env: []string{"SSL_CERT_FILE=" + site.RootsFile, "SIGNER_KEY=" + string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "BOT_SECRET=se:cret %+/"},
	})
	mine, members := []string{"echo", "get-sum", "get-tiny-image"}, []string{"echo"}

	t.Run("the Go SDK", func(t *testing.T) {
		browser := peers.NewBrowser(alice)
		handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
			ClientIDMetadataDocumentConfig: &auth.ClientIDMetadataDocumentConfig{URL: site.Origin + "/client.json"}, RedirectURL: redirect, RequestRefreshToken: true,
			AuthorizationCodeFetcher: fetchCode(browser),
		})
		if err != nil {
			t.Fatal(err)
		}
		client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-agent", Version: "1"}, nil)
		session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: g.origin + "/mcp", OAuthHandler: handler}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		a := &agent{ClientSession: session}
		if got := a.tools(t); !slices.Equal(got, mine) {
			t.Errorf("alice sees %v", got)
		}
	})

	for _, sdk := range []string{"v1", "v2"} {
		for name, in := range map[string]peers.SignIn{
			"a document":         {Document: site.Origin + "/client.json"},
			"a document and key": {Document: site.Origin + "/signing.json", Key: secret},
			"a machine":          {Machine: "signer", Issuer: g.origin, Key: secret},
			"a machine's secret": {Machine: "bot", Issuer: g.origin, Secret: "se:cret %+/"},
			"set up before":      {Client: "portal", Issuer: g.origin, Secret: "se:cret %+/"},
		} {
			t.Run("TypeScript "+sdk+", "+name, func(t *testing.T) {
				in.SDK, in.URL, in.Redirect = sdk, g.origin+"/mcp", redirect
				got := peers.TypeScriptSignIn(t, in, func(address string) string {
					page, err := peers.NewBrowser(alice).Open(t.Context(), address, atRedirect)
					if err != nil {
						t.Error(err)
						return redirect
					}
					return page.URL.String()
				})
				want := mine
				if in.Machine != "" {
					want = members
				}
				if got.Failed != "" || !slices.Equal(got.Tools, want) || got.Client != in.Document+in.Client {
					t.Errorf("got %+v", got)
				}
			})
		}
	}

	t.Run("mcp-remote", func(t *testing.T) {
		desktop, err := peers.NewDesktop(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = desktop.Close() })
		opened := make(chan error, 8)
		go func() {
			for address := range desktop.URLs {
				_, err := peers.NewBrowser(alice).Open(t.Context(), address, nil)
				opened <- err
			}
		}()
		command := peers.MCPRemote(t, desktop, g.origin+"/mcp", "--client-metadata-url", site.Origin+"/client.json")
		var wrote output
		command.Stderr = &wrote
		client := mcp.NewClient(&mcp.Implementation{Name: "desktop", Version: "1"}, nil)
		session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
		if err != nil {
			t.Fatalf("%v\n%s", err, wrote.String())
		}
		defer session.Close()
		if err := <-opened; err != nil {
			t.Fatalf("the browser: %v", err)
		}
		a := &agent{ClientSession: session}
		if got := a.tools(t); !slices.Equal(got, mine) {
			t.Errorf("alice sees %v", got)
		}
		// Past the life of the first token: it is refreshed.
		for deadline := time.Now().Add(startTimeout); !g.audited(`"event":"refresh","decision":"allow"`) && time.Now().Before(deadline); {
			if got := text(a.call(t, "get-sum", map[string]any{"a": 20, "b": 22})); !strings.Contains(got, "42") {
				t.Fatalf("get-sum answers %q", got)
			}
		}
	})

	t.Run("the Inspector", func(t *testing.T) {
		desktop, err := peers.NewDesktop(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for address := range desktop.URLs {
				if _, err := peers.NewBrowser(alice).Open(t.Context(), address, nil); err != nil {
					t.Errorf("the browser: %v", err)
				}
			}
		}()
		out, err := peers.Inspector(t, desktop, t.TempDir(), g.origin+"/mcp", "--transport", "http", "--client-metadata-url", site.Origin+"/client.json",
			"--method", "tools/list").CombinedOutput()
		_ = desktop.Close()
		<-done
		if err != nil || !strings.Contains(string(out), "get-tiny-image") || strings.Contains(string(out), "get-env") {
			t.Errorf("%v:\n%s", err, out)
		}
	})

	t.Run("the Inspector in a browser", func(t *testing.T) {
		saw := peers.UseInspectorWeb(t, peers.InspectorWeb{
			URL: g.origin + "/mcp", Document: site.Origin + "/client.json", Answers: alice,
			Tool: "echo", Arguments: map[string]string{"message": "through the gateway"}, Answer: "Echo: .*gateway",
		})
		if !slices.Equal(saw.Tools, mine) || saw.Client != site.Origin+"/client.json" || saw.Answer != "Echo: through the gateway" {
			t.Errorf("saw %+v", saw)
		}
	})

	if g.audited(`"event":"register"`) {
		t.Error("a client has registered")
	}
	if !g.audited(`"client_id":"` + site.Origin + `/client.json"`) {
		t.Error("the audit log does not name the client")
	}
}
