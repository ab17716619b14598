package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const ownPage = testIssuer + "/connections"

// signIn signs alice in to her own page.
func (b *browser) signIn() *view {
	b.f.t.Helper()
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"local"}}))
	v = b.answer(v, "/signin", "username", "alice", "password", "secret")
	if v.Status != http.StatusOK || v.URL.Path != "/connections" || !strings.Contains(v.Body, "Sign out") {
		b.f.t.Fatalf("signing in ends at %v: %d\n%s", v.URL, v.Status, v.Body)
	}
	return v
}

// act does something on a person's own page; more are pairs.
func (b *browser) act(v *view, action string, more ...string) *view {
	b.f.t.Helper()
	form := url.Values{"token": {v.fields().Get("token")}, "action": {action}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return b.send(b.request(http.MethodPost, ownPage, form))
}

// listed are the ids of the grants on a page.
func (v *view) listed() []string { return v.fields()["grant"] }

// A person sees the agents that act in their name, of nobody else, and ends one or all of them, at once.
func TestAPersonSeesAndEndsWhatTheyGranted(t *testing.T) {
	f := newFixture(t, nil)
	firstID, first := f.newTokens()
	secondID, second := f.newTokens()
	b := f.browser()
	if v := b.open(ownPage); v.Status != http.StatusOK || !strings.Contains(v.Body, "Sign in") || strings.Contains(v.Body, "Test Agent") {
		t.Fatalf("without a sign-in: %d\n%s", v.Status, v.Body)
	}
	v := b.signIn()
	if got := v.listed(); len(got) != 2 || strings.Count(v.Body, "Test Agent") < 2 || !strings.Contains(v.Body, "127.0.0.1:33418") || !strings.Contains(v.Body, "github") ||
		!strings.Contains(v.Body, "Since 28 July 2026, used just now") {
		t.Fatalf("alice sees %v\n%s", got, v.Body)
	}
	if _, err := f.call(first.Access, testResource); err != nil {
		t.Fatal(err)
	}
	v = b.act(v, "revoke", "grant", f.grantOf(first))
	if len(v.listed()) != 1 || !strings.Contains(v.Body, "Access has ended.") {
		t.Errorf("after one was ended: %v\n%s", v.listed(), v.Body)
	}
	f.dead(firstID, first)
	f.refreshed(secondID, second.Refresh)
	if v = b.act(v, "revoke-all"); len(v.listed()) != 0 || !strings.Contains(v.Body, "No app has access") {
		t.Errorf("after all were ended: %v", v.listed())
	}
	f.dead(secondID, second)
	if n := len(f.audit.find("revoke", decisionAllow)); n != 2 {
		t.Errorf("%d audit records", n)
	}
	if v = b.act(v, "signout"); !strings.Contains(v.Body, "You are signed out.") || strings.Contains(v.Body, "Sign out") {
		t.Errorf("after signing out:\n%s", v.Body)
	}
}

// Nobody sees or ends the grants of somebody else, whatever their form says and whatever the list in the store does.
func TestNobodyEndsTheGrantsOfOthers(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	b := f.browser()
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"hosted"}}))
	if v.Away == nil || v.Away.Host != "idp.example" {
		t.Fatalf("signing in elsewhere leads to %v", v.Away)
	}
	v = b.open(testIssuer + "/callback?code=mallory&state=" + url.QueryEscape(v.Away.Query().Get("state")))
	if v.URL.Path != "/connections" || len(v.listed()) != 0 || !strings.Contains(v.Body, "mallory") {
		t.Fatalf("mallory sees\n%s", v.Body)
	}
	b.act(v, "revoke", "grant", f.grantOf(a))
	mallory := &identity.Person{Provider: "hosted", ID: "mallory"}
	if err := f.server.enlist(t.Context(), mallory, f.grantOf(a), f.clock.now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if v = b.act(v, "revoke-all"); len(v.listed()) != 0 {
		t.Errorf("mallory sees %v", v.listed())
	}
	f.refreshed(clientID, a.Refresh)
}

// A form that is not ours changes nothing (CSRF): one from another site, without the session's token, or with that of another session.
func TestFormsOfOtherSitesEndNothing(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	b := f.browser()
	v := b.signIn()
	other := f.browser().signIn()
	good := url.Values{"token": {v.fields().Get("token")}, "action": {"revoke-all"}}
	for name, change := range map[string]func(form url.Values, header http.Header){
		"from another site":      func(_ url.Values, h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
		"from a sibling site":    func(_ url.Values, h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
		"an origin elsewhere":    func(_ url.Values, h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "https://evil.example") },
		"an opaque origin":       func(_ url.Values, h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "null") },
		"no token":               func(form url.Values, _ http.Header) { form.Del("token") },
		"a wrong token":          func(form url.Values, _ http.Header) { form.Set("token", "x") },
		"another session's":      func(form url.Values, _ http.Header) { form["token"] = other.fields()["token"] },
		"two tokens":             func(form url.Values, _ http.Header) { form.Add("token", "x") },
		"nothing that can be":    func(form url.Values, _ http.Header) { form.Set("action", "drop") },
		"JSON":                   func(_ url.Values, h http.Header) { h.Set("Content-Type", "application/json") },
		"a sign-in by no way":    func(form url.Values, h http.Header) { h.Del("Cookie"); form.Set("action", "signin") },
		"personal tokens if off": func(form url.Values, _ http.Header) { form.Set("action", "make") },
	} {
		form := url.Values{"token": good["token"], "action": good["action"]}
		header := make(http.Header)
		change(form, header)
		r := b.request(http.MethodPost, ownPage, form)
		change(make(url.Values), r.Header)
		if got := b.f.do(r); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, got.Status)
		}
	}
	// A browser in which nobody is signed in is shown where to sign in.
	if got := f.browser().act(v, "revoke-all"); got.Status != http.StatusOK || strings.Contains(got.Body, "Sign out") {
		t.Errorf("without a session: %d", got.Status)
	}
	f.refreshed(clientID, a.Refresh)
	if len(f.audit.find("connections", decisionRefuse)) == 0 {
		t.Error("nothing is recorded of it")
	}
}

// The session is short, for one browser, out of reach of scripts and of other sites, and gone after signing out.
func TestTheSessionOfTheOwnPage(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	v := b.signIn()
	site, _ := url.Parse(testIssuer)
	cookies := b.jar.Cookies(site)
	if len(cookies) != 1 || cookies[0].Name != "__Host-mcp_session" {
		t.Fatalf("the browser has %v", cookies)
	}
	// The very cookie that was set, with its attributes.
	again := f.browser()
	w := again.send(again.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"local"}}))
	fields := w.fields()
	fields.Set("username", "alice")
	fields.Set("password", "secret")
	res := f.do(again.request(http.MethodPost, testIssuer+"/signin", fields))
	found := false
	for _, c := range res.Cookies() {
		if c.Name == "__Host-mcp_session" {
			found = c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "" && c.MaxAge == 1800
		}
	}
	if !found {
		t.Errorf("the cookies are %v", res.Header["Set-Cookie"])
	}
	// What the browser had is worth nothing after signing out, also to whoever has copied it.
	r := b.request(http.MethodGet, ownPage, nil)
	b.act(v, "signout")
	if got := b.send(r); strings.Contains(got.Body, "Sign out") {
		t.Error("the session goes on after signing out")
	}
	v = b.signIn()
	f.clock.advance(sessionTTL)
	if v = b.act(v, "revoke-all"); strings.Contains(v.Body, "Sign out") {
		t.Error("the session goes on after half an hour")
	}
	for _, value := range []string{"", "x", cookies[0].Value + "x", strings.Repeat("A", 80)} {
		r := f.browser().request(http.MethodGet, ownPage, nil)
		r.AddCookie(&http.Cookie{Name: "__Host-mcp_session", Value: value})
		if got := f.browser().send(r); got.Status != http.StatusOK || strings.Contains(got.Body, "Sign out") {
			t.Errorf("the cookie %q: %d", value, got.Status)
		}
	}
}

// Cancelling the sign-in, and failing it, lead back to our own page or to a message; never to a client, since there is none.
func TestSignInsToTheOwnPageThatComeToNothing(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	form := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"local"}}))
	if !strings.Contains(form.Body, "to see your connections") {
		t.Errorf("the form says\n%s", form.Body)
	}
	if v := b.answer(form, "/signin", "username", "alice", "password", "wrong"); v.Status != http.StatusOK || !strings.Contains(v.Body, "is wrong") {
		t.Errorf("a wrong password: %d", v.Status)
	}
	if v := b.answer(form, "/signin", "username", "outsider", "password", "x"); v.Status != http.StatusForbidden {
		t.Errorf("an outsider: %d", v.Status)
	}
	// Its transaction is no client's: the forms of a client's login don't take it.
	if v := b.answer(form, "/consent", "decision", "allow"); v.Status != http.StatusBadRequest {
		t.Errorf("consent to no client: %d %v", v.Status, v.Away)
	}
	if v := b.answer(form, "/signin", "decision", "cancel"); v.URL == nil || v.URL.Path != "/connections" {
		t.Errorf("cancelled: %v %v", v.URL, v.Away)
	}
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"hosted"}}))
	state := url.QueryEscape(v.Away.Query().Get("state"))
	if v := b.open(testIssuer + "/callback?error=access_denied&state=" + state); v.URL == nil || v.URL.Path != "/connections" {
		t.Errorf("denied elsewhere: %v %v", v.URL, v.Away)
	}
	if v := f.browser().open(testIssuer + "/callback?code=alice&state=" + state); v.Status != http.StatusBadRequest {
		t.Errorf("in another browser: %d", v.Status)
	}
}

// What somebody once agreed to does not bring an agent back that they have ended.
func TestEndingAccessForgetsTheConsent(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(webRedirect)
	b := f.browser()
	form := redeem(clientID, b.login(authorizeQuery(clientID, webRedirect)).code(t, webRedirect), "redirect_uri", webRedirect)
	a := f.read(f.post("/token", form))
	// Remembered: the sign-in alone leads to a code.
	if v := b.answer(b.authorize(authorizeQuery(clientID, webRedirect)), "/signin", "username", "alice", "password", "secret"); v.Away == nil {
		t.Fatalf("consent is not remembered: %d", v.Status)
	}
	b.act(b.signIn(), "revoke", "grant", f.grantOf(a))
	v := b.authorize(authorizeQuery(clientID, webRedirect))
	if v.Away != nil || !strings.Contains(v.Body, `value="cancel"`) || strings.Contains(v.Body, "password") {
		t.Fatalf("page 1 is left out: %v\n%s", v.Away, v.Body)
	}
	v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
	if v = b.answer(v, "/signin", "username", "alice", "password", "secret"); v.Away != nil {
		t.Errorf("page 3 is left out: %v", v.Away)
	}
}

// Neither page nor session is to be had while the store is down, and a browser is told to come back.
func TestTheOwnPageWhileTheStoreIsDown(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	v := b.signIn()
	f.server.cfg.Store = brokenStore{}
	if got := b.open(ownPage); got.Status != http.StatusServiceUnavailable {
		t.Errorf("the page: %d", got.Status)
	}
	if got := b.act(v, "revoke-all"); got.Status != http.StatusServiceUnavailable {
		t.Errorf("ending all: %d", got.Status)
	}
}

// The texts of clients are texts.
func TestTheOwnPageEscapesWhatClientsSay(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	code := f.browser().login(authorizeQuery(clientID, testRedirect)).code(t, testRedirect)
	a := f.read(f.post("/token", redeem(clientID, code)))
	if _, err := f.server.updateGrant(t.Context(), f.grantOf(a), func(g *grantRecord) error {
		g.ClientName = `"><script>alert(1)</script>` + "\u202e"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b := f.browser()
	if v := b.signIn(); strings.Contains(v.Body, "<script") || strings.Contains(v.Body, "\u202e") || !strings.Contains(v.Body, "alert(1)") {
		t.Errorf("the page is\n%s", v.Body)
	}
}

// manyGrants gives somebody grants, the first of them unused for longest.
func (f *fixture) manyGrants(p *identity.Person, n int) (ids []string) {
	f.t.Helper()
	sealer, err := f.server.cfg.Sealer(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for i := range n {
		id := fmt.Sprintf("grant-%d", i)
		g := &grantRecord{
			Client: "desktop", Resource: testResource, Created: f.clock.now(), LastUsed: f.clock.now().Add(time.Duration(i) * time.Second),
			Expires: f.clock.now().Add(time.Hour), Provider: p.Provider,
		}
		if g.Person, err = sealPerson(sealer, id, p); err == nil {
			err = f.server.enlist(f.t.Context(), p, id, g.Expires)
		}
		if err == nil {
			err = f.server.putGrant(f.t.Context(), id, g)
		}
		if err != nil {
			f.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// Whoever ends all access ends what no grant came of yet, too: servers that were allowed besides, and a code that is on its way.
func TestAttackConsentThatOutlivesItsEnd(t *testing.T) {
	for _, action := range []string{"revoke", "revoke-all"} {
		t.Run(action, func(t *testing.T) {
			f := newFixture(t, nil)
			clientID := f.register(webRedirect)
			b := f.browser()
			page := b.authorize(authorizeQuery(clientID, webRedirect))
			page = b.answer(page, "/consent", "decision", "allow", "provider", "local")
			page = b.answer(page, "/signin", "username", "alice", "password", "secret")
			if len(page.offers()) != 1 {
				t.Fatalf("the page offers %q", page.offers())
			}
			a := f.read(f.post("/token", redeem(clientID, b.allowed(page).code(t, webRedirect), "redirect_uri", webRedirect)))
			f.clock.advance(time.Second)
			b.act(b.signIn(), action, "grant", f.grantOf(a))
			images := authorizeQuery(clientID, webRedirect, "resource", testImages)
			v := b.authorize(images)
			if v.Away != nil || !strings.Contains(v.Body, `value="cancel"`) {
				t.Fatalf("page 1 is left out: %d %v", v.Status, v.Away)
			}
			v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
			if v = b.answer(v, "/signin", "username", "alice", "password", "secret"); v.Away != nil {
				t.Fatalf("page 3 is left out: %v", v.Away)
			}
			// What is agreed to after that counts again.
			f.clock.advance(time.Second)
			b.answer(v, "/consent", "decision", "allow").code(t, webRedirect)
			if v = b.answer(b.authorize(images), "/signin", "username", "alice", "password", "secret"); v.Away == nil {
				t.Error("consent is not remembered any more")
			}
		})
	}
}

// That a person ended access is remembered of a client that proves itself with a key, too.
func TestEndingAccessForgetsAClientWithAKey(t *testing.T) {
	v := newVendor(t)
	key := newClientKey(t, "a")
	f := newDocumentFixture(t, v, nil)
	id := v.document("/must.json", "token_endpoint_auth_method", authKey, "jwks", jwks(key))
	b := f.browser()
	code := b.login(authorizeQuery(id, testRedirect)).code(t, testRedirect)
	a := f.read(f.post("/token", proving(redeem(id, code), key.assertion(t, f, id))))
	f.clock.advance(time.Second)
	b.act(b.signIn(), "revoke", "grant", f.grantOf(a))
	if page := b.authorize(authorizeQuery(id, testRedirect)); !strings.Contains(page.Body, `value="cancel"`) || strings.Contains(page.Body, "password") {
		t.Errorf("page 1 is left out: %d", page.Status)
	}
}
