package oauth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Each test here is an attack that has worked against some gateway or authorization server, and shows that it does not
// work here.

// Of two providers one is the attacker's. Whoever chooses that one is sent on by it to the other, as if they had chosen that, with the state of
// the login here: the other one's code must not be handed to the attacker's (RFC 9700 section 4.4.1).
func TestAttackMixUpOfIdentityProviders(t *testing.T) {
	mallory := &hostedProvider{name: "mallory", callback: "/callback/mallory"}
	f := newFixture(t, func(c *Config) { c.Providers = append(c.Providers, mallory) })
	for _, tc := range []struct{ chosen, own, other string }{{"mallory", "/callback/mallory", "/callback"}, {"hosted", "/callback", "/callback/mallory"}} {
		b := f.browser()
		v := b.answer(b.authorize(authorizeQuery(f.register(testRedirect), testRedirect)), "/consent", "decision", "allow", "provider", tc.chosen)
		q := v.Away.Query()
		if q.Get("redirect_uri") != testIssuer+tc.own {
			t.Errorf("%s sends people back to %s", tc.chosen, q.Get("redirect_uri"))
		}
		answer := "?code=carol&state=" + url.QueryEscape(q.Get("state"))
		finished := mallory.finished + f.hosted.finished
		if v = b.open(testIssuer + tc.other + answer); v.Status != http.StatusBadRequest || mallory.finished+f.hosted.finished != finished {
			t.Errorf("the answer of the other one: %d", v.Status)
		}
		if v = b.open(testIssuer + tc.own + answer); v.Status != http.StatusOK || v.URL.Path != "/consent" {
			t.Errorf("its own answer: %d", v.Status)
		}
	}
}

// CVE-2025-4143: the redirect URI was not checked at the authorization endpoint, so that any place could be sent a code.
func TestAttackRedirectURINotRegistered(t *testing.T) {
	f := newFixture(t, nil)
	for _, clientID := range []string{f.register("https://claude.ai/api/mcp/auth_callback"), "desktop", "portal"} {
		for _, uri := range []string{
			"https://evil.example/", "https://claude.ai.evil.example/api/mcp/auth_callback", "https://claude.ai/api/mcp/auth_callback/../../x",
			"https://claude.ai/api/mcp/auth_callback?x", "http://127.0.0.1/callback/x", "http://evil.example:80@127.0.0.1/callback", "//evil.example",
		} {
			if v := f.browser().authorize(authorizeQuery(clientID, uri)); v.Away != nil || v.Status != http.StatusBadRequest || len(v.fields()) != 0 {
				t.Errorf("%s at %s: %d %v", clientID, uri, v.Status, v.Away)
			}
		}
	}
}

// The token endpoint compared the redirect URI with the registered list, and not with the one that the code was sent to.
func TestAttackRedirectURISwappedAtTheTokenEndpoint(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect, webRedirect)
	code := f.browser().login(authorizeQuery(clientID, testRedirect)).code(t, testRedirect)
	if a := f.read(f.post("/token", redeem(clientID, code, "redirect_uri", webRedirect))); a.Error != codeInvalidGrant {
		t.Errorf("got %+v", a)
	}
}

// PKCE was optional, or could be turned down to plain, or was not checked if the verifier was left out.
func TestAttackPKCELeftOut(t *testing.T) {
	f := newFixture(t, nil)
	for _, changes := range [][]string{
		{"code_challenge", "", "code_challenge_method", ""}, {"code_challenge_method", "plain"}, {"code_challenge_method", ""}, {"code_challenge", ""},
	} {
		if v := f.browser().authorize(authorizeQuery("desktop", testRedirect, changes...)); v.Away == nil || v.Away.Query().Get("error") != codeInvalidRequest {
			t.Errorf("%v: %d %v", changes, v.Status, v.Away)
		}
	}
	clientID, code := f.newCode()
	for _, verifier := range []string{"", rfcChallenge, strings.Repeat("a", 43)} {
		if a := f.read(f.post("/token", redeem(clientID, code, "code_verifier", verifier))); a.Status != http.StatusBadRequest {
			t.Errorf("with the verifier %q: %+v", verifier, a)
		}
	}
}

// The secret of a confidential client was never compared, or only if one was sent.
func TestAttackClientSecretNotCompared(t *testing.T) {
	f := newFixture(t, nil)
	code := f.browser().login(authorizeQuery("portal", webRedirect)).code(t, webRedirect)
	form := redeem("portal", code, "redirect_uri", webRedirect)
	for _, secret := range []string{"", "x", "port:al", "PORT:AL SECRET+%"} {
		form.Set("client_secret", secret)
		if a := f.read(f.post("/token", form)); a.Error != codeInvalidClient {
			t.Errorf("with the secret %q: %+v", secret, a)
		}
	}
	form.Set("client_secret", "port:al secret+%")
	if a := f.read(f.post("/token", form)); a.Status != http.StatusOK {
		t.Errorf("with the right one: %+v", a)
	}
}

// A code was read, checked and then deleted: two requests at once both got tokens, or two grants.
func TestAttackCodeRedeemedInARace(t *testing.T) {
	for range 5 {
		f := newFixture(t, nil)
		clientID, code := f.newCode()
		var wg sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for range 8 {
			wg.Go(func() {
				if a := f.read(f.post("/token", redeem(clientID, code))); a.Status == http.StatusOK {
					mu.Lock()
					good++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		grants := 0
		if err := f.server.Grants(t.Context(), func(Grant) error { grants++; return nil }); err != nil {
			t.Fatal(err)
		}
		if good != 1 || grants > 1 {
			t.Fatalf("%d got tokens, of %d grants", good, grants)
		}
	}
}

// Replay was handled before the client was authenticated, so that anybody who had seen a code could end its grant.
func TestAttackReplayByAStrangerEndsTheGrant(t *testing.T) {
	f := newFixture(t, nil)
	code := f.browser().login(authorizeQuery("portal", webRedirect)).code(t, webRedirect)
	form := redeem("portal", code, "redirect_uri", webRedirect, "client_secret", "port:al secret+%")
	a := f.read(f.post("/token", form))
	for name, stranger := range map[string]url.Values{
		"without the secret": redeem("portal", code, "redirect_uri", webRedirect),
		"another client":     redeem(f.register(webRedirect), code, "redirect_uri", webRedirect),
		"without verifier":   redeem("portal", code, "redirect_uri", webRedirect, "client_secret", "port:al secret+%", "code_verifier", strings.Repeat("x", 43)),
	} {
		if got := f.read(f.post("/token", stranger)); got.Status == http.StatusOK {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := f.call(a.Access, testResource); err != nil {
		t.Errorf("the grant has ended: %v", err)
	}
}

// Refresh tokens of one client worked for another, and trying one out ended the family.
func TestAttackRefreshTokenOfAnotherClient(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	b := f.refreshed(clientID, a.Refresh)
	c := f.refreshed(clientID, b.Refresh)
	thief := f.register(testRedirect)
	for _, token := range []string{a.Refresh, b.Refresh, c.Refresh} {
		if got := f.read(f.post("/token", refreshForm(thief, token))); got.Error != codeInvalidGrant {
			t.Errorf("got %+v", got)
		}
	}
	f.refreshed(clientID, c.Refresh)
}

// A token had no audience, so that the token of one server opened the others.
func TestAttackTokenOfAnotherServer(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	if _, err := f.call(a.Access, testImages); err == nil {
		t.Error("the token is good at another mount")
	}
	form := refreshForm(clientID, a.Refresh)
	form.Set("resource", testImages)
	if got := f.read(f.post("/token", form)); got.Error != codeInvalidTarget {
		t.Errorf("a refresh moved it there: %+v", got)
	}
}

// CVE-2026-27124: consent was not bound to the browser that gave it. An attacker allowed page 1, sent the victim to the identity
// provider with the attacker's transaction, and got a code for the victim's account.
func TestAttackConsentOfAnotherBrowser(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(webRedirect)
	attacker, victim := f.browser(), f.browser()
	v := attacker.answer(attacker.authorize(authorizeQuery(clientID, webRedirect)), "/consent", "decision", "allow", "provider", "hosted")
	callback := testIssuer + "/callback?code=victim&state=" + url.QueryEscape(v.Away.Query().Get("state"))
	if v := victim.open(callback); v.Away != nil || v.Status != http.StatusBadRequest {
		t.Errorf("the victim goes on: %d %v", v.Status, v.Away)
	}
	// Nor does it help that the victim has a login of its own under way.
	victim.answer(victim.authorize(authorizeQuery(clientID, webRedirect)), "/consent", "decision", "allow", "provider", "hosted")
	if v := victim.open(callback); v.Away != nil || v.Status != http.StatusBadRequest || f.hosted.finished != 0 {
		t.Errorf("the victim goes on: %d %v", v.Status, v.Away)
	}
	// Page 3 of one browser can't be answered, nor read, by another.
	v = attacker.open(callback)
	if v.Status != http.StatusOK {
		t.Fatalf("got %d", v.Status)
	}
	if seen := victim.open(v.URL.String()); seen.Status != http.StatusBadRequest {
		t.Errorf("the victim sees page 3: %d", seen.Status)
	}
	if done := victim.answer(v, "/consent", "decision", "allow"); done.Away != nil || done.Status != http.StatusBadRequest {
		t.Errorf("the victim answers page 3: %d %v", done.Status, done.Away)
	}
}

// A page 1 that the attacker was sent was posted by the victim's browser (cross-site request forgery): the victim would sign in, and
// the attacker's client get the code.
func TestAttackConsentForged(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(webRedirect)
	attacker, victim := f.browser(), f.browser()
	form := attacker.authorize(authorizeQuery(clientID, webRedirect)).fields()
	form.Set("decision", "allow")
	form.Set("provider", "hosted")
	victim.authorize(authorizeQuery(clientID, webRedirect)) // has cookies of ours
	for _, site := range []string{"cross-site", "same-site", "same-origin", ""} {
		r := victim.request(http.MethodPost, testIssuer+"/consent", form)
		r.Header.Set("Sec-Fetch-Site", site)
		if v := victim.send(r); v.Away != nil || v.Status != http.StatusBadRequest {
			t.Errorf("as %q: %d %v", site, v.Status, v.Away)
		}
	}
	// With the victim's own form, but from another site.
	form = victim.authorize(authorizeQuery(clientID, webRedirect)).fields()
	form.Set("decision", "allow")
	form.Set("provider", "hosted")
	r := victim.request(http.MethodPost, testIssuer+"/consent", form)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if v := victim.send(r); v.Away != nil || v.Status != http.StatusBadRequest || f.hosted.started != 0 {
		t.Errorf("from another site: %d %v", v.Status, v.Away)
	}
}

// All clients shared one consent at the identity provider, which asked nothing the second time: whoever registered a client
// collected codes of everybody with a session there (the confused deputy).
func TestAttackConsentBehindOneUpstreamClient(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	first := f.register(webRedirect)
	v := b.answer(b.authorize(authorizeQuery(first, webRedirect)), "/consent", "decision", "allow", "provider", "hosted")
	v = b.open(testIssuer + "/callback?code=carol&state=" + url.QueryEscape(v.Away.Query().Get("state")))
	b.answer(v, "/consent", "decision", "allow").code(t, webRedirect)
	for _, uri := range []string{"https://evil.example/cb", webRedirect} {
		v := b.authorize(authorizeQuery(f.register(uri), uri))
		if v.Away != nil || v.URL.Path != "/authorize" || f.hosted.started != 1 {
			t.Errorf("a new client at %s is sent on to the identity provider: %d %v", uri, v.Status, v.Away)
		}
	}
}

// The page did not say where the answer goes, and let itself be framed or filled with markup by a client's name.
func TestAttackConsentPageThatHides(t *testing.T) {
	f := newFixture(t, nil)
	res := f.registerWith(`{"client_name":"<b onmouseover=alert(1)>Claude</b>\"><script>alert(1)</script>","redirect_uris":["https://evil.example/cb"]}`)
	v := f.browser().authorize(authorizeQuery(f.read(res).ClientID, "https://evil.example/cb", "state", "<script>alert(2)</script>"))
	if v.Status != http.StatusOK || !strings.Contains(v.Body, "evil.example") {
		t.Errorf("the page does not say where the answer goes: %d", v.Status)
	}
	for _, markup := range []string{"<script", "<b ", "alert(2)"} {
		if strings.Contains(v.Body, markup) {
			t.Errorf("the page holds %q", markup)
		}
	}
	csp := v.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") || v.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the headers are %v", v.Header)
	}
}

// Clients registered redirect URIs that the browser runs.
func TestAttackRedirectThatRuns(t *testing.T) {
	f := newFixture(t, nil)
	for _, uri := range []string{"javascript:alert(1)", "JaVaScRiPt://x/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "blob:https://x/y"} {
		if a := f.read(f.registerWith(`{"redirect_uris":["` + uri + `"]}`)); a.Error != codeInvalidRedirectURI {
			t.Errorf("%s: %+v", uri, a)
		}
	}
	if _, err := New(Config{
		Issuer: testIssuer, Resources: f.server.cfg.Resources, Store: f.store, Sealer: f.server.cfg.Sealer,
		Static: []StaticClient{{ID: "a", Public: true, RedirectURIs: []string{"javascript:alert(1)"}}},
	}); err == nil {
		t.Error("an operator can set up such a client")
	}
}

// Errors were redirected without a look at where to; or a client was registered only to have our name in a link that leads to
// a phishing page (RFC 9700 section 4.11.2).
func TestAttackOpenRedirectByErrors(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register("https://phishing.example/login", "evilapp://x/y")
	for _, uri := range []string{"https://phishing.example/login", "evilapp://x/y", "https://other.example/"} {
		for _, changes := range [][]string{
			{"response_type", "x"}, {"scope", "\x01"}, {"prompt", "none"}, {"resource", "x"}, {"code_challenge", ""}, {"state", "\x01"}, {"request", "x"},
		} {
			if v := f.browser().authorize(authorizeQuery(clientID, uri, changes...)); v.Away != nil {
				t.Errorf("%v sends the browser to %v", changes, v.Away)
			}
		}
	}
}

// Answers without iss let a client that talks to several servers be made to send the code of one to another (mix-up).
func TestAttackMixUp(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	for _, v := range []*view{
		b.login(authorizeQuery("desktop", testRedirect)),
		b.answer(b.authorize(authorizeQuery("desktop", testRedirect)), "/consent", "decision", "cancel"),
		b.authorize(authorizeQuery("desktop", testRedirect, "response_type", "x")),
	} {
		if got := v.Away.Query()["iss"]; len(got) != 1 || got[0] != testIssuer {
			t.Errorf("iss is %v", got)
		}
	}
}

// Tokens and answers said who the person is to every client.
func TestAttackUserIDInTheToken(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	for _, part := range strings.Split(a.Access, ".")[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || strings.Contains(string(raw), "alice") || strings.Contains(string(raw), "org_1") {
			t.Errorf("the token holds %s, %v", raw, err)
		}
	}
}

// Two installations had the same built-in secret, so that one opened what the other had signed and sealed.
func TestAttackTokensOfAnotherInstallation(t *testing.T) {
	mine, theirs := newFixture(t, nil), newFixture(t, nil)
	_, a := theirs.newTokens()
	if _, err := mine.call(a.Access, testResource); err == nil {
		t.Error("their access token is good here")
	}
	if got := mine.read(mine.post("/token", refreshForm("desktop", a.Refresh))); got.Error != codeInvalidGrant {
		t.Errorf("their refresh token gets %+v", got)
	}
}

// Forwarding headers were believed from anybody: links, redirects and the issuer then named the attacker's host.
func TestAttackForwardedHeaders(t *testing.T) {
	f := newFixture(t, nil)
	r := httptest.NewRequest(http.MethodGet, testIssuer+wellKnownServer, nil)
	r.Host = "evil.example"
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host"} {
		r.Header.Set(name, "evil.example")
	}
	r.Header.Set("Forwarded", "host=evil.example;proto=http")
	r.Header.Set("X-Forwarded-Proto", "http")
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), "evil.example") || strings.Contains(w.Body.String(), "http://") {
		t.Errorf("got %s", w.Body)
	}
}

// Bad input made errors of the server's own, with a stack trace or what was sent in them.
func TestAttackBadInputMakesNoServerErrors(t *testing.T) {
	f := newFixture(t, nil)
	const marker = "<reflected>"
	for _, path := range f.server.Paths() {
		for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "PUT"} {
			for _, body := range []string{"", marker, "{", "client_id=" + marker + "&%", strings.Repeat("a=b&", 10000), "\x00\xff"} {
				for _, kind := range []string{"", "application/json", "application/x-www-form-urlencoded", marker} {
					r := httptest.NewRequest(method, testIssuer+path, strings.NewReader(body))
					r.URL.RawQuery = "client_id=" + marker + "&tx=" + marker + "&state=" + marker + "&code=" + marker
					r.Header.Set("Content-Type", kind)
					r.Header.Set("Authorization", "Basic "+marker)
					r.Header.Set("Cookie", "__Host-mcp_tx_0123456789="+marker)
					w := httptest.NewRecorder()
					f.server.ServeHTTP(w, r)
					if w.Code >= 500 || strings.Contains(w.Body.String(), marker) {
						t.Fatalf("%s %s with %q as %q: %d %s", method, path, body[:min(len(body), 20)], kind, w.Code, w.Body)
					}
				}
			}
		}
	}
}
