package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// withServers adds two resource servers to the clients: one that may ask about github, and one that may ask about everything.
func withServers(c *Config) {
	c.Static = append(c.Static,
		StaticClient{ID: "github-api", Secret: "github-secret", Introspect: []string{"github"}},
		StaticClient{ID: "all-api", Secret: "all-secret", Introspect: []string{"*"}})
}

// introspect asks about a token, and returns the members of the answer.
func (f *fixture) introspect(clientID, secret, token string) map[string]any {
	f.t.Helper()
	res := f.post("/introspect", url.Values{"token": {token}}, "Authorization", basic(clientID, secret))
	var got map[string]any
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusOK {
		f.t.Fatalf("%s: %v", res.Status, err)
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Access-Control-Allow-Origin") != "" {
		f.t.Errorf("the headers are %v", res.Header)
	}
	if got["active"] == false && len(got) != 1 {
		f.t.Errorf("says %v of a token that is not active", got)
	}
	return got
}

// inactive holds that a client is told nothing of a token.
func (f *fixture) inactive(what, clientID, secret, token string) {
	f.t.Helper()
	if got := f.introspect(clientID, secret, token); got["active"] != false {
		f.t.Errorf("%s: %v", what, got)
	}
}

// portalTokens logs alice in with the client that has a secret.
func (f *fixture) portalTokens() answer {
	f.t.Helper()
	v := f.browser().login(authorizeQuery("portal", webRedirect))
	form := redeem("portal", v.code(f.t, webRedirect), "redirect_uri", webRedirect, "client_secret", "port:al secret+%")
	a := f.read(f.post("/token", form))
	if a.Status != http.StatusOK {
		f.t.Fatalf("got %+v", a)
	}
	return a
}

// A client is told of its own tokens, and of those for servers that the operator let it ask about (RFC 7662 section 4).
func TestIntrospectionTellsWhoMayKnow(t *testing.T) {
	f := newFixture(t, withServers)
	const portal, secret = "portal", "port:al secret+%"
	a := f.portalTokens()
	_, other := f.newTokens()
	bot := f.read(f.post("/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"ci-bot"}, "client_secret": {"bot-secret"}, "resource": {testImages},
	}))

	got := f.introspect(portal, secret, a.Access)
	claims, err := f.server.parseAccessToken(t.Context(), a.Access)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"active": true, "client_id": portal, "scope": "mcp", "token_type": "Bearer", "iss": testIssuer, "aud": testResource, "sub": claims.Subject,
		"jti": claims.ID, "exp": float64(claims.Expires), "iat": float64(claims.IssuedAt),
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if got := f.introspect(portal, secret, a.Refresh); got["active"] != true || got["client_id"] != portal || got["token_type"] != nil {
		t.Errorf("of its refresh token the client is told %v", got)
	}
	for _, token := range []string{a.Access, other.Access} {
		if got := f.introspect("github-api", "github-secret", token); got["active"] != true {
			t.Errorf("the server is told %v", got)
		}
	}
	if got := f.introspect("all-api", "all-secret", bot.Access); got["active"] != true || got["client_id"] != "ci-bot" || got["aud"] != testImages {
		t.Errorf("of a machine's token a server is told %v", got)
	}

	f.inactive("another client's access token", portal, secret, other.Access)
	f.inactive("another client's refresh token", portal, secret, other.Refresh)
	f.inactive("a refresh token, by a server", "all-api", "all-secret", other.Refresh)
	f.inactive("a token for another server", "github-api", "github-secret", bot.Access)
	f.inactive("made up", portal, secret, "abc")
	f.inactive("changed", portal, secret, flip(a.Access))
}

// What is not good any more is not active, at once.
func TestIntrospectionOfTokensThatHaveEnded(t *testing.T) {
	const server, secret = "github-api", "github-secret"
	for name, end := range map[string]func(f *fixture, clientID string, a answer){
		"expired": func(f *fixture, _ string, _ answer) { f.clock.advance(time.Hour) },
		"revoked": func(f *fixture, clientID string, a answer) {
			f.post("/revoke", url.Values{"client_id": {clientID}, "token": {a.Refresh}})
		},
		"the session at the provider has ended": func(f *fixture, _ string, _ answer) {
			f.local.set(identity.ErrEnded)
			f.clock.advance(10 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, withServers)
			clientID, a := f.newTokens()
			if got := f.introspect(server, secret, a.Access); got["active"] != true {
				t.Fatalf("before: %v", got)
			}
			end(f, clientID, a)
			f.inactive("after", server, secret, a.Access)
		})
	}
	t.Run("a replaced refresh token", func(t *testing.T) {
		f := newFixture(t, withServers)
		a := f.portalTokens()
		token := a.Refresh
		for range 3 {
			form := refreshForm("portal", token)
			form.Set("client_secret", "port:al secret+%")
			token = f.read(f.post("/token", form)).Refresh
		}
		f.inactive("an old one", "portal", "port:al secret+%", a.Refresh)
		if got := f.introspect("portal", "port:al secret+%", token); got["active"] != true {
			t.Errorf("asking about the old one has ended the family: %v", got)
		}
	})
}

func TestWhoMayNotIntrospect(t *testing.T) {
	f := newFixture(t, withServers)
	clientID, a := f.newTokens()
	for name, tc := range map[string]struct {
		form   url.Values
		status int
	}{
		"nobody":              {url.Values{"token": {a.Access}}, 401},
		"a public client":     {url.Values{"client_id": {clientID}, "token": {a.Access}}, 401},
		"a public static one": {url.Values{"client_id": {"desktop"}, "token": {a.Access}}, 401},
		"a wrong secret":      {url.Values{"client_id": {"all-api"}, "client_secret": {"x"}, "token": {a.Access}}, 401},
		"no token":            {url.Values{"client_id": {"all-api"}, "client_secret": {"all-secret"}}, 400},
		"two tokens":          {url.Values{"client_id": {"all-api"}, "client_secret": {"all-secret"}, "token": {a.Access, a.Refresh}}, 400},
		"a server that logs in": {url.Values{
			"client_id": {"all-api"}, "client_secret": {"all-secret"}, "grant_type": {"client_credentials"},
		}, 400},
	} {
		path := "/introspect"
		if tc.form.Has("grant_type") {
			path = "/token"
		}
		if res := f.post(path, tc.form); res.StatusCode != tc.status || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s %v", name, res.Status, res.Header)
		}
	}
}

// That it can't be found out must not be taken for no.
func TestIntrospectionWhileTheStoreIsDown(t *testing.T) {
	f := newFixture(t, withServers)
	_, a := f.newTokens()
	if got := f.introspect("all-api", "all-secret", a.Access); got["active"] != true {
		t.Fatal(got)
	}
	f.server.cfg.Store = brokenStore{}
	f.clock.advance(time.Minute)
	if res := f.post("/introspect", url.Values{"token": {a.Access}}, "Authorization", basic("all-api", "all-secret")); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %s", res.Status)
	}
}
