package oauth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/caddystore"
)

// One whole life of a grant, on the store that Caddy has: register, both pages, sign-in, code, tokens, a call, refresh,
// revocation.
func TestFullFlow(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	f := newFixtureOn(t, c, caddystore.New(&certmagic.FileStorage{Path: dir}, "mcp_gateway", c.now), nil)
	clientID := f.register(testRedirect)
	b := f.browser()

	v := b.authorize(authorizeQuery(clientID, testRedirect, "scope", "mcp offline_access"))
	if v.Status != http.StatusOK || !strings.Contains(v.Body, "Test Agent") || !strings.Contains(v.Body, "127.0.0.1:33418") || !strings.Contains(v.Body, "github") {
		t.Fatalf("page 1 is %d\n%s", v.Status, v.Body)
	}
	v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
	if v.URL.Path != "/signin" {
		t.Fatalf("after page 1 comes %v", v.URL)
	}
	v = b.answer(v, "/signin", "username", "alice", "password", "wrong")
	if v.URL.Path != "/signin" || !strings.Contains(v.Body, "wrong") {
		t.Fatalf("after a wrong password comes %v\n%s", v.URL, v.Body)
	}
	v = b.answer(v, "/signin", "username", "alice", "password", "secret")
	if v.URL == nil || v.URL.Path != "/consent" || !strings.Contains(v.Body, "alice@example.com") || !strings.Contains(v.Body, "Use tools of github") {
		t.Fatalf("after the sign-in comes %v\n%s", v.URL, v.Body)
	}
	if again := b.open(v.URL.String()); again.Status != http.StatusOK || !strings.Contains(again.Body, "alice@example.com") {
		t.Errorf("page 3 can't be reloaded: %d", again.Status)
	}
	code := b.answer(v, "/consent", "decision", "allow").code(t, testRedirect)

	a := f.read(f.post("/token", redeem(clientID, code)))
	if a.Status != http.StatusOK || a.Type != "Bearer" || a.ExpiresIn != 3600 || a.Scope != "mcp offline_access" || a.Access == "" || a.Refresh == "" {
		t.Fatalf("the token answer is %+v", a)
	}
	access, err := f.call(a.Access, testResource)
	if err != nil {
		t.Fatal(err)
	}
	if access.Subject.ID != "local:alice" || !slices.Equal(access.Subject.Roles, []string{"admin"}) || access.ClientID != clientID ||
		access.ClientName != "Test Agent" || access.Person.Email != "alice@example.com" || !access.Expires.Equal(c.now().Add(time.Hour)) {
		t.Errorf("the access is %+v %+v", access, access.Subject)
	}
	if access.Person.Session != nil {
		t.Error("the identity provider's session is handed out")
	}

	// A new process on the same store.
	c.advance(time.Hour)
	f2 := newFixtureOn(t, c, caddystore.New(&certmagic.FileStorage{Path: dir}, "mcp_gateway", c.now), nil)
	if _, err := f2.call(a.Access, testResource); err == nil {
		t.Error("an expired token is good")
	}
	next := f2.read(f2.post("/token", refreshForm(clientID, a.Refresh)))
	if next.Status != http.StatusOK || next.Refresh == a.Refresh || next.Access == a.Access {
		t.Fatalf("the refresh answer is %+v", next)
	}
	if _, err := f2.call(next.Access, testResource); err != nil {
		t.Errorf("the new token is refused: %v", err)
	}
	if res := f2.post("/revoke", url.Values{"client_id": {clientID}, "token": {next.Refresh}}); res.StatusCode != http.StatusOK {
		t.Errorf("revocation answered %s", res.Status)
	}
	if _, err := f2.call(next.Access, testResource); err == nil {
		t.Error("a revoked token is good")
	}
	if dead := f2.read(f2.post("/token", refreshForm(clientID, next.Refresh))); dead.Status != 400 || dead.Error != "invalid_grant" {
		t.Errorf("a revoked refresh token gets %+v", dead)
	}
	for _, event := range []string{"register", "login", "consent", "token"} {
		if len(f.audit.find(event, "allow")) != 1 {
			t.Errorf("there are %d audit records of %s", len(f.audit.find(event, "allow")), event)
		}
	}
	rec := f.audit.find("token", "allow")[0]
	if rec.UserID != "local:alice" || rec.ClientID != clientID || rec.GrantID != access.GrantID || rec.Server != "github" || rec.Status != 200 {
		t.Errorf("the audit record is %+v", rec)
	}
}

// The same with a provider whose pages are elsewhere, and a web client that is remembered.
func TestFlowThroughAHostedProvider(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(webRedirect)
	b := f.browser()
	q := authorizeQuery(clientID, webRedirect, "login_hint", "carol@example.com")

	v := b.answer(b.authorize(q), "/consent", "decision", "allow", "provider", "hosted")
	if v.Away == nil || v.Away.Host != "idp.example" || v.Away.Query().Get("login_hint") != "carol@example.com" {
		t.Fatalf("after page 1 comes %+v", v)
	}
	if got := v.Away.Query().Get("redirect_uri"); got != testIssuer+"/callback" {
		t.Errorf("the provider is to answer to %s", got)
	}
	callback := testIssuer + "/callback?" + url.Values{"state": {v.Away.Query().Get("state")}, "code": {"carol"}}.Encode()
	v = b.open(callback)
	if v.Status != http.StatusOK || !strings.Contains(v.Body, "carol@example.com") {
		t.Fatalf("after the sign-in comes %d\n%s", v.Status, v.Body)
	}
	if again := b.open(callback); again.Status != http.StatusOK || f.hosted.finished != 1 {
		t.Errorf("a reloaded callback gives %d and asks the provider %d times", again.Status, f.hosted.finished)
	}
	code := b.answer(v, "/consent", "decision", "allow").code(t, webRedirect)
	a := f.read(f.post("/token", redeem(clientID, code, "redirect_uri", webRedirect)))
	if access, err := f.call(a.Access, testResource); err != nil || access.Subject.ID != "hosted:carol" {
		t.Fatalf("the call gives %+v, %v", access, err)
	}

	// Again: neither page is shown, and the answer comes straight from the callback.
	v = b.authorize(q)
	if v.Away == nil || v.Away.Host != "idp.example" {
		t.Fatalf("page 1 was shown again: %d", v.Status)
	}
	v = b.open(testIssuer + "/callback?" + url.Values{"state": {v.Away.Query().Get("state")}, "code": {"carol"}}.Encode())
	v.code(t, webRedirect)
}

func TestLoginsThatDoNotSucceed(t *testing.T) {
	for _, tc := range []struct {
		name, user string
		status     int
		text       string
	}{
		{"wrong password", "bob", 200, "wrong"},
		{"too many attempts", "limited", 200, "too many attempts"},
		{"not in the organization", "outsider", 403, "in no organization"},
		{"the provider is down", "down", 503, "does not work"},
		{"a name that is too long", strings.Repeat("a", maxUsername+1), 200, "too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, nil)
			b := f.browser()
			v := b.answer(b.authorize(authorizeQuery(f.register(testRedirect), testRedirect)), "/consent", "decision", "allow", "provider", "local")
			v = b.answer(v, "/signin", "username", tc.user, "password", "x")
			if v.Away != nil || v.Status/100 != tc.status/100 || !strings.Contains(v.Body, tc.text) {
				t.Errorf("got %d %v\n%s", v.Status, v.Away, v.Body)
			}
		})
	}
}

func TestHostedLoginsThatDoNotSucceed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		query  url.Values
		status int // 0: the client is told access_denied
	}{
		{"not in the organization", url.Values{"code": {"outsider"}}, 403},
		{"the provider is down", url.Values{"code": {"down"}}, 503},
		{"no code", url.Values{}, 400},
		{"the provider reports an error", url.Values{"error": {"server_error"}}, 400},
		{"the person gave up there", url.Values{"error": {"access_denied"}}, 0},
		{"the code twice", url.Values{"code": {"carol", "dave"}}, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, nil)
			b := f.browser()
			v := b.answer(b.authorize(authorizeQuery(f.register(testRedirect), testRedirect)), "/consent", "decision", "allow", "provider", "hosted")
			tc.query.Set("state", v.Away.Query().Get("state"))
			v = b.open(testIssuer + "/callback?" + tc.query.Encode())
			switch {
			case tc.status != 0 && (v.Away != nil || v.Status != tc.status):
				t.Errorf("got %d %v, want a page with %d", v.Status, v.Away, tc.status)
			case tc.status == 0 && (v.Away == nil || v.Away.Query().Get("error") != "access_denied" || v.Away.Query().Get("iss") != testIssuer):
				t.Errorf("got %d %v, want access_denied for the client", v.Status, v.Away)
			}
		})
	}
}

func TestAProviderThatComesBackCanBeTriedAgain(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	v := b.answer(b.authorize(authorizeQuery(f.register(testRedirect), testRedirect)), "/consent", "decision", "allow", "provider", "hosted")
	state := v.Away.Query().Get("state")
	if v = b.open(testIssuer + "/callback?state=" + state + "&code=down"); v.Status != 503 {
		t.Fatalf("got %d", v.Status)
	}
	if v = b.open(testIssuer + "/callback?state=" + state + "&code=carol"); v.Status != 200 {
		t.Errorf("got %d", v.Status)
	}
}

// Denying, on either page, is told to the client, and gives it nothing.
func TestDenying(t *testing.T) {
	for _, tc := range []struct {
		name string
		deny func(b *browser, v *view) *view
	}{
		{"page 1", func(b *browser, v *view) *view { return b.answer(v, "/consent", "decision", "cancel") }},
		{"the sign-in form", func(b *browser, v *view) *view {
			v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
			return b.answer(v, "/signin", "decision", "cancel")
		}},
		{"page 3", func(b *browser, v *view) *view {
			v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
			v = b.answer(v, "/signin", "username", "alice", "password", "secret")
			return b.answer(v, "/consent", "decision", "deny")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, nil)
			b := f.browser()
			v := tc.deny(b, b.authorize(authorizeQuery(f.register(testRedirect), testRedirect)))
			if v.Away == nil {
				t.Fatalf("got a page: %d\n%s", v.Status, v.Body)
			}
			q := v.Away.Query()
			if q.Get("error") != "access_denied" || q.Get("iss") != testIssuer || q.Get("state") != "the-state" || q.Has("code") {
				t.Errorf("the client is told %v", q)
			}
			if len(f.audit.find("consent", "deny")) != 1 {
				t.Error("there is no audit record")
			}
		})
	}
}

// A second click on "allow" cancels the browser's first request; what it then shows must work.
func TestASecondClickGetsTheSameAnswer(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	b := f.browser()
	v := b.answer(b.authorize(authorizeQuery(clientID, testRedirect)), "/consent", "decision", "allow", "provider", "local")
	v = b.answer(v, "/signin", "username", "alice", "password", "secret")
	fields := v.fields()
	fields.Set("decision", "allow")
	one := b.request(http.MethodPost, testIssuer+"/consent", fields)
	two := b.request(http.MethodPost, testIssuer+"/consent", fields)
	first, second := b.send(one).code(t, testRedirect), b.send(two).code(t, testRedirect)
	if first != second {
		t.Fatal("one consent gave two codes")
	}
	if a := f.read(f.post("/token", redeem(clientID, second))); a.Status != http.StatusOK {
		t.Errorf("the code does not work: %+v", a)
	}
}

func TestMoreLoginsThanABrowserMayHave(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	b := f.browser()
	var views []*view
	for range maxTx + 3 {
		views = append(views, b.authorize(authorizeQuery(clientID, testRedirect)))
		f.clock.advance(time.Second)
	}
	if n := len(b.jar.Cookies(httptest.NewRequest("GET", testIssuer, nil).URL)); n > maxTx {
		t.Errorf("the browser has %d cookies of ours", n)
	}
	if v := b.answer(views[0], "/consent", "decision", "allow", "provider", "local"); v.Status != http.StatusBadRequest {
		t.Errorf("the oldest login goes on: %d", v.Status)
	}
	if v := b.answer(views[len(views)-1], "/consent", "decision", "allow", "provider", "local"); v.URL.Path != "/signin" {
		t.Errorf("the newest login does not go on: %d", v.Status)
	}
}

func TestAnAuthorizationByPost(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	r := httptest.NewRequest(http.MethodPost, testIssuer+"/authorize", strings.NewReader(authorizeQuery(clientID, testRedirect).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://agent.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if v := f.browser().send(r); v.Status != http.StatusOK || v.URL.Path != "/authorize" || len(v.fields()) == 0 {
		t.Errorf("got %d %v", v.Status, v.URL)
	}
}

// A machine is no person: it has the roles of its configuration, and nothing is kept of it.
func TestClientCredentials(t *testing.T) {
	f := newFixture(t, nil)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"ci-bot"}, "client_secret": {"bot-secret"}, "resource": {testImages}, "scope": {"mcp"}}
	a := f.read(f.post("/token", form))
	if a.Status != http.StatusOK || a.Refresh != "" || a.Scope != "mcp" {
		t.Fatalf("got %+v", a)
	}
	access, err := f.call(a.Access, testImages)
	if err != nil {
		t.Fatal(err)
	}
	if !access.Subject.Machine || access.Subject.ID != "client:ci-bot" || !slices.Equal(access.Subject.Roles, []string{"deployer"}) || access.Person != nil {
		t.Errorf("the access is %+v", access.Subject)
	}
	if _, err := f.call(a.Access, testResource); err == nil {
		t.Error("the token is good at another mount")
	}
	without := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Static = nil })
	if _, err := without.call(a.Access, testImages); err == nil {
		t.Error("the token outlives its client's configuration")
	}
	n := 0
	if err := f.server.Grants(context.Background(), func(Grant) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("there are %d grants, %v", n, err)
	}
}
