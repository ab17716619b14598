package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// oidcWorld is a gateway whose people sign in with npm's oidc-provider, as staff or as partners, or with a password.
type oidcWorld struct {
	*gateway
	t      *testing.T
	people string // the file with what the provider says of people
	port   string // of the provider
}

// startOIDC starts a gateway, and not the provider yet.
func startOIDC(t *testing.T) *oidcWorld {
	w := &oidcWorld{t: t, people: filepath.Join(t.TempDir(), "people.json"), port: peers.FreePort(t)}
	issuer := "http://localhost:" + w.port
	w.gateway = startGateway(t, gatewayConfig{
		Identity: `identity oidc {
			issuer ` + issuer + `
			client_id staff
			client_secret {env.OIDC_SECRET}
			label "Staff"
			role_claim realm_access.roles
			permission_claim https://acme.example/permissions
			allow group staff
		}
		identity oidc partner {
			issuer ` + issuer + `
			client_id partner
			client_secret {env.OIDC_SECRET}
			label "Our partner"
			role member
			allow domain example.com
		}
		identity local {
			user alice ` + hash(t, alicePassword) + ` {
				role member
			}
		}`,
		Options: "identity_refresh 2s",
		Policy:  demoPolicy,
		Mounts:  "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:     []string{"OIDC_SECRET=secret/of the gateway"},
	})
	return w
}

// say has the provider say something of a person from now on.
func (w *oidcWorld) say(claims map[string]map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(claims)
	if err == nil {
		// Renamed into place, so that the provider never reads half of it.
		err = os.WriteFile(w.people+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(w.people+".new", w.people)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// staff is what the provider says of one.
func staff(role string) map[string]any {
	return map[string]any{
		"groups": []string{"staff"}, "realm_access": map[string]any{"roles": []string{role}}, "https://acme.example/permissions": "image_generation",
	}
}

// startProvider starts the provider.
func (w *oidcWorld) startProvider() {
	w.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		w.t.Fatal(err)
	}
	client := func(id, name, method, callback string) peers.OIDCClient {
		return peers.OIDCClient{
			ID: id, Secret: "secret/of the gateway", AuthMethod: method, GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
			RedirectURIs: []string{w.origin + callback}, LogoutURI: w.origin + "/backchannel_logout/" + name, LogoutSession: id == "staff",
		}
	}
	peers.OIDCProvider(w.t, peers.OIDCSettings{
		Clients: []peers.OIDCClient{client("staff", "oidc", "client_secret_basic", "/callback"), client("partner", "partner", "client_secret_post", "/callback/partner")},
		Keys:    []jose.JSONWebKey{{Key: key, KeyID: "1", Algorithm: "RS256", Use: "sig"}}, TTL: time.Hour, Port: w.port,
		People: w.people, Profile: []string{"groups", "realm_access", "https://acme.example/permissions"},
	})
}

// as is somebody at the provider who signs in as one of an identity's.
func as(name, provider string) map[string]string {
	return map[string]string{"decision": "allow", "provider": provider, "login": name, "password": "any", "prompt": "consent"}
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < 60*time.Second {
		if holds() {
			return time.Since(began)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(what)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s: not within a minute", what)
	return 0
}

// TestPeopleOfAnOpenIDProvider signs people in with a provider that was down when the gateway started, has their roles change there, and
// has them sign out there.
func TestPeopleOfAnOpenIDProvider(t *testing.T) {
	w := startOIDC(t)
	w.say(map[string]map[string]any{"alice": staff("admin"), "bob": staff("member"), "mallory": {"groups": []string{"other"}}})
	if _, err := signIn(t.Context(), w.origin+"/mcp", as("alice", "oidc"), ""); err == nil || !strings.Contains(err.Error(), "503") {
		t.Fatalf("while the provider is down: %v", err)
	}
	w.startProvider()
	healed := until(t, "the provider is found again", func() bool {
		there := func(u *url.URL) bool { return u.Port() == w.port }
		page, err := peers.NewBrowser(map[string]string{"action": "signin", "provider": "oidc"}).Open(t.Context(), w.origin+"/connections", there)
		return err == nil && there(page.URL)
	})
	t.Logf("a provider that came back was used after %v", healed.Round(100*time.Millisecond))
	browser := peers.NewBrowser(as("alice", "oidc"))
	alice, err := signInWith(t.Context(), w.origin+"/mcp", browser, "")
	if err != nil {
		t.Fatal(err)
	}
	defer alice.Close()
	if got, want := alice.tools(t), []string{"add", "delete_everything", "echo", "generateImage"}; !slices.Equal(got, want) {
		t.Errorf("alice sees %v, want %v", got, want)
	}
	bob := mustSignIn(t, w.origin+"/mcp", as("bob", "partner"), "")
	if got, want := bob.tools(t), []string{"add", "echo"}; !slices.Equal(got, want) {
		t.Errorf("bob sees %v, want %v", got, want)
	}
	if _, err := signIn(t.Context(), w.origin+"/mcp", as("mallory", "oidc"), ""); err == nil || !strings.Contains(err.Error(), "may not use this gateway") {
		t.Errorf("who is in no group that is let in: %v", err)
	}

	w.say(map[string]map[string]any{"alice": staff("member"), "bob": staff("member")})
	demoted := until(t, "alice is demoted", func() bool { return !slices.Contains(alice.tools(t), "delete_everything") })
	t.Logf("with identity_refresh 2s, a role was gone after %v", demoted.Round(100*time.Millisecond))

	browser.Answers = map[string]string{"logout": "yes"}
	page, err := browser.Open(t.Context(), "http://localhost:"+w.port+"/session/end", nil)
	if err != nil || !strings.Contains(page.Text, "Sign-out Success") {
		t.Fatalf("signing out there ends at %v, %v", page, err)
	}
	ended := until(t, "alice is signed out", func() bool {
		_, err := alice.ListTools(t.Context(), nil)
		return err != nil
	})
	t.Logf("a back-channel logout was felt after %v", ended.Round(100*time.Millisecond))
	if ended > 5*time.Second {
		t.Errorf("the logout was felt only after %v", ended)
	}
	bob.tools(t)

	log, err := os.ReadFile(w.config.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"user_id":"oidc:alice"`, `"user_id":"partner:bob"`, "The identity provider ended the session."} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the audit log does not say %s", want)
		}
	}
	if strings.Contains(string(log)+w.out.String(), "secret/of") {
		t.Error("the client secret is in a log")
	}
}

// TestChoosingHowToSignIn walks through the pages in a real browser, with two providers and local users side by side. The pictures go to
// the directory that SCREENSHOTS names, to be looked at.
func TestChoosingHowToSignIn(t *testing.T) {
	pictures := os.Getenv("SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	w := startOIDC(t)
	w.say(map[string]map[string]any{"alice": staff("admin"), "mallory": {"groups": []string{"other"}}})
	w.startProvider()
	for _, c := range []struct {
		name, provider string
		answers        map[string]string
		walk           peers.Walk
		pages          int
		sees, hidden   string // on the last page
	}{
		{"phone-staff", "oidc", as("alice", "oidc"), peers.Walk{Width: 390, Height: 844, Mobile: true}, 4, "delete_everything", "nobody"},
		{"desktop-partner", "partner", as("alice", "partner"), peers.Walk{Width: 1280, Height: 800, Dark: true}, 4, "echo", "delete_everything"},
		{"phone-local", "local", map[string]string{"username": "alice", "password": alicePassword}, peers.Walk{Width: 390, Height: 844, Mobile: true, Dark: true}, 3, "echo", "delete_everything"},
		{"desktop-outsider", "oidc", as("mallory", "oidc"), peers.Walk{Width: 1280, Height: 800}, 4, "may not use this gateway", "delete_everything"},
	} {
		t.Run(c.name, func(t *testing.T) {
			agent := httptest.NewServer(http.NotFoundHandler())
			defer agent.Close()
			redirect := strings.Replace(agent.URL, "127.0.0.1", "localhost", 1) + "/callback"
			walk := c.walk
			delete(c.answers, "provider") // a radio button is ticked, and not filled in
			delete(c.answers, "prompt")
			walk.URL, walk.Until, walk.Answers, walk.Pictures = authorizeURL(t, w.origin, redirect), redirect, c.answers, filepath.Join(pictures, "choose-"+c.name)
			walk.Ticks = []string{`input[name="provider"][value="` + c.provider + `"]`}
			walked := peers.Chromium(t, walk)
			if len(walked.Pages) != c.pages {
				t.Fatalf("%d pages: %+v", len(walked.Pages), walked)
			}
			first, last := walked.Pages[0], walked.Pages[len(walked.Pages)-1]
			for _, label := range []string{"Sign in with", "Staff", "Our partner", "user name and password"} {
				if !strings.Contains(first.Text, label) {
					t.Errorf("the first page does not say %s: %s", label, first.Text)
				}
			}
			if !strings.Contains(last.Text, c.sees) || strings.Contains(last.Text, c.hidden) {
				t.Errorf("the last page says: %s", last.Text)
			}
			for _, page := range []peers.WalkedPage{first, last} {
				if page.Overflow > 0 || len(page.Unlabelled) > 0 || page.Title == "" || page.Language == "" {
					t.Errorf("%s: %+v", page.URL, page)
				}
			}
		})
	}
	t.Run("own page", func(t *testing.T) {
		walked := peers.Chromium(t, peers.Walk{
			URL: w.origin + "/connections", Until: "about:", Answers: map[string]string{"login": "alice", "password": "any"}, Width: 390, Height: 844, Mobile: true,
			Ticks: []string{`input[name="provider"][value="partner"]`}, Presses: []string{`button[value="signin"]`, `button[type="submit"]`, `button[type="submit"]`},
			Pictures: filepath.Join(pictures, "choose-own-page"),
		})
		last := walked.Pages[len(walked.Pages)-1]
		if !strings.Contains(walked.Pages[0].Text, "Our partner") || !strings.Contains(last.Text, "Signed in as alice") {
			t.Errorf("the own page: %s, then %s", walked.Pages[0].Text, last.Text)
		}
	})
}
