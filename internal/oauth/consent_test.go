package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// pagesOf logs alice in again in a browser, and says which of our pages she sees.
func pagesOf(t *testing.T, b *browser, q url.Values, redirect string) (first, third bool) {
	t.Helper()
	v := b.authorize(q)
	if v.URL != nil && v.URL.Path == "/authorize" {
		first = true
		v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
	}
	v = b.answer(v, "/signin", "username", "alice", "password", "secret")
	if v.Away == nil {
		third = true
		v = b.answer(v, "/consent", "decision", "allow")
	}
	v.code(t, redirect)
	return first, third
}

// A repeated login skips both pages only for a client that TLS proves, in the browser where page 1 was allowed, and only
// while it is about the same thing.
func TestConsentOnce(t *testing.T) {
	const app = "cursor://anysphere.cursor-mcp/oauth/callback"
	for _, tc := range []struct {
		name         string
		redirect     string
		change       func(*Config)
		between      func(*fixture)
		query        []string
		newBrowser   bool
		first, third bool
	}{
		{name: "a web client", redirect: webRedirect},
		{name: "a program on the computer", redirect: testRedirect, first: true},
		{name: "an app", redirect: app, first: true},
		{name: "another browser", redirect: webRedirect, newBrowser: true, first: true},
		{name: "consent always", redirect: webRedirect, change: func(c *Config) { c.Consent = ConsentAlways }, first: true, third: true},
		{name: "prompt=consent", redirect: webRedirect, query: []string{"prompt", "consent"}, first: true, third: true},
		{name: "prompt=login", redirect: webRedirect, query: []string{"prompt", "login"}, first: true, third: true},
		{name: "another server", redirect: webRedirect, query: []string{"resource", testImages}, first: true, third: true},
		{name: "other abilities", redirect: webRedirect, between: func(f *fixture) { f.local.set(nil, "admin", "deployer") }, third: true},
		{name: "long ago", redirect: webRedirect, between: func(f *fixture) { f.clock.advance(rememberedTTL - time.Hour) }},
		{name: "too long ago", redirect: webRedirect, between: func(f *fixture) { f.clock.advance(rememberedTTL) }, first: true, third: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, tc.change)
			clientID := f.register(tc.redirect)
			b := f.browser()
			if first, third := pagesOf(t, b, authorizeQuery(clientID, tc.redirect), tc.redirect); !first || !third {
				t.Fatalf("at first, page 1 is shown: %v, page 3: %v", first, third)
			}
			if tc.between != nil {
				tc.between(f)
			}
			if tc.newBrowser {
				b = f.browser()
			}
			query := authorizeQuery(clientID, tc.redirect, tc.query...)
			if tc.name == "too long ago" {
				query = authorizeQuery(f.register(tc.redirect), tc.redirect)
			}
			if first, third := pagesOf(t, b, query, tc.redirect); first != tc.first || third != tc.third {
				t.Errorf("again, page 1 is shown: %v, page 3: %v", first, third)
			}
		})
	}
}

// Another client with the same redirect URI is another client.
func TestConsentIsForOneClient(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	pagesOf(t, b, authorizeQuery(f.register(webRedirect), webRedirect), webRedirect)
	if first, third := pagesOf(t, b, authorizeQuery(f.register(webRedirect), webRedirect), webRedirect); !first || !third {
		t.Errorf("page 1 is shown: %v, page 3: %v", first, third)
	}
}

// The consent of one person is not that of the next at the same browser.
func TestConsentIsOfOnePerson(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(webRedirect)
	b := f.browser()
	for i, who := range []string{"carol", "dave"} {
		v := b.authorize(authorizeQuery(clientID, webRedirect))
		if v.Away == nil {
			v = b.answer(v, "/consent", "decision", "allow", "provider", "hosted")
		} else if i == 0 {
			t.Fatal("page 1 was not shown")
		}
		v = b.open(testIssuer + "/callback?code=" + who + "&state=" + url.QueryEscape(v.Away.Query().Get("state")))
		if v.Away != nil {
			t.Fatalf("page 3 was not shown to %s", who)
		}
		b.answer(v, "/consent", "decision", "allow").code(t, webRedirect)
	}
}

// After a web client was allowed, the browser may be sent to it with an error; before, it may not.
func TestErrorsAreOnlySentWhereTheBrowserHasAllowedIt(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(webRedirect)
	b := f.browser()
	bad := authorizeQuery(clientID, webRedirect, "response_type", "token")
	if v := b.authorize(bad); v.Away != nil {
		t.Fatalf("sent to %v", v.Away)
	}
	pagesOf(t, b, authorizeQuery(clientID, webRedirect), webRedirect)
	if v := b.authorize(bad); v.Away == nil || v.Away.Query().Get("error") != codeUnsupportedResponseType {
		t.Errorf("got a page: %d", v.Status)
	}
}

func TestTransactionsEnd(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	t.Run("after ten minutes on page 1", func(t *testing.T) {
		b := f.browser()
		v := b.authorize(authorizeQuery(clientID, testRedirect))
		f.clock.advance(txTTL)
		if v = b.answer(v, "/consent", "decision", "allow", "provider", "local"); v.Status != http.StatusBadRequest {
			t.Errorf("got %d", v.Status)
		}
	})
	t.Run("after ten minutes on page 3", func(t *testing.T) {
		b := f.browser()
		v := b.answer(b.authorize(authorizeQuery(clientID, testRedirect)), "/consent", "decision", "allow", "provider", "local")
		v = b.answer(v, "/signin", "username", "alice", "password", "secret")
		f.clock.advance(txTTL)
		if v = b.answer(v, "/consent", "decision", "allow"); v.Status != http.StatusBadRequest {
			t.Errorf("got %d", v.Status)
		}
	})
	t.Run("if the client is gone", func(t *testing.T) {
		b := f.browser()
		v := b.answer(b.authorize(authorizeQuery(clientID, testRedirect)), "/consent", "decision", "allow", "provider", "local")
		if err := f.store.Delete(t.Context(), kindClient, clientID); err != nil {
			t.Fatal(err)
		}
		if v = b.answer(v, "/signin", "username", "alice", "password", "secret"); v.Status != http.StatusBadRequest {
			t.Errorf("got %d", v.Status)
		}
	})
}

// Forms that are not what our pages send.
func TestFormsThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	for _, tc := range []struct {
		name   string
		path   string
		change func(form url.Values, r *http.Request)
	}{
		{"no transaction", "/consent", func(form url.Values, _ *http.Request) { form.Del(fieldTx) }},
		{"a made-up transaction", "/consent", func(form url.Values, _ *http.Request) { form.Set(fieldTx, randomText(32)) }},
		{"only the transaction's name", "/consent", func(form url.Values, _ *http.Request) { form.Set(fieldTx, form.Get(fieldTx)[:txName]) }},
		{"another token for the same name", "/consent", func(form url.Values, _ *http.Request) { form.Set(fieldTx, newTxToken(form.Get(fieldTx)[:txName])) }},
		{"the token twice", "/consent", func(form url.Values, _ *http.Request) { form.Add(fieldTx, form.Get(fieldTx)) }},
		{"no decision", "/consent", func(form url.Values, _ *http.Request) { form.Del("decision") }},
		{"another decision", "/consent", func(form url.Values, _ *http.Request) { form.Set("decision", "maybe") }},
		{"both decisions", "/consent", func(form url.Values, _ *http.Request) { form.Add("decision", "cancel") }},
		{"an unknown provider", "/consent", func(form url.Values, _ *http.Request) { form.Set("provider", "nobody") }},
		{"no provider, of two", "/consent", func(form url.Values, _ *http.Request) { form.Del("provider") }},
		{"the step that comes later", "/signin", func(url.Values, *http.Request) {}},
		{"from another site", "/consent", func(_ url.Values, r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		{"from a neighbouring host", "/consent", func(_ url.Values, r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }},
		{"from another origin, by an old browser", "/consent", func(_ url.Values, r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example")
		}},
		{"from nowhere, by an old browser", "/consent", func(_ url.Values, r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "null")
		}},
		{"without cookies", "/consent", func(_ url.Values, r *http.Request) { r.Header.Del("Cookie") }},
		{"as JSON", "/consent", func(_ url.Values, r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
		{"too long", "/consent", func(form url.Values, _ *http.Request) { form.Set("x", strings.Repeat("x", maxChoiceBytes)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := f.browser()
			form := b.authorize(authorizeQuery(clientID, testRedirect)).fields()
			form.Set("decision", "allow")
			form.Set("provider", "local")
			headers := b.request(http.MethodPost, testIssuer+tc.path, nil)
			tc.change(form, headers)
			r := b.request(http.MethodPost, testIssuer+tc.path, form)
			r.Header = headers.Header
			if v := b.send(r); v.Away != nil || v.Status != http.StatusBadRequest {
				t.Errorf("got %d %v", v.Status, v.Away)
			}
		})
	}
}

// An old browser that sends neither header is let through by cookie and token.
func TestFormsOfOldBrowsers(t *testing.T) {
	f := newFixture(t, nil)
	for _, origin := range []string{"", testIssuer} {
		b := f.browser()
		form := b.authorize(authorizeQuery(f.register(testRedirect), testRedirect)).fields()
		form.Set("decision", "allow")
		form.Set("provider", "local")
		r := b.request(http.MethodPost, testIssuer+"/consent", form)
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set("Origin", origin)
		if origin == "" {
			r.Header.Del("Origin")
		}
		if v := b.send(r); v.Status != http.StatusOK || v.URL.Path != "/signin" {
			t.Errorf("with the origin %q: %d", origin, v.Status)
		}
	}
}

func TestCookies(t *testing.T) {
	for _, tc := range []struct {
		issuer, prefix string
		secure         bool
	}{
		{"https://mcp.example.com", "__Host-mcp_tx_", true},
		{"http://localhost:8788", "mcp_tx_", false},
	} {
		t.Run(tc.issuer, func(t *testing.T) {
			f := newFixture(t, func(c *Config) { c.Issuer = tc.issuer })
			r := httptest.NewRequest(http.MethodGet, tc.issuer+"/authorize?"+authorizeQuery("desktop", testRedirect).Encode(), nil)
			cookies := f.do(r).Cookies()
			if len(cookies) != 1 {
				t.Fatalf("there are %d cookies", len(cookies))
			}
			c := cookies[0]
			if !strings.HasPrefix(c.Name, tc.prefix) || c.Secure != tc.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
				c.Path != "/" || c.Domain != "" || c.MaxAge != 600 {
				t.Errorf("the cookie is %+v", c)
			}
		})
	}
}

// Whoever denies what they have allowed before, or cancels it, takes that back: it is asked again, page by page.
func TestADenialIsRemembered(t *testing.T) {
	again := func(t *testing.T) (*browser, string, *view) {
		f := newFixture(t, nil)
		clientID := f.register(webRedirect)
		b := f.browser()
		b.login(authorizeQuery(clientID, webRedirect))
		b.login(authorizeQuery(clientID, webRedirect, "resource", testImages))
		return b, clientID, b.authorize(authorizeQuery(clientID, webRedirect, "prompt", "consent"))
	}
	t.Run("denied on page 3", func(t *testing.T) {
		b, clientID, v := again(t)
		v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
		v = b.answer(v, "/signin", "username", "alice", "password", "secret")
		if v = b.answer(v, "/consent", "decision", "deny"); v.Away.Query().Get("error") != codeAccessDenied {
			t.Fatalf("sent to %v", v.Away)
		}
		v = b.authorize(authorizeQuery(clientID, webRedirect))
		if v.URL == nil || v.URL.Path != "/authorize" {
			t.Fatalf("page 1 is left out: %v %v", v.URL, v.Away)
		}
		v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
		if v = b.answer(v, "/signin", "username", "alice", "password", "secret"); v.URL == nil || v.URL.Path != "/consent" {
			t.Fatalf("page 3 is left out: %v %v", v.URL, v.Away)
		}
		if v = b.authorize(authorizeQuery(clientID, webRedirect, "resource", testImages)); v.URL.Path != "/signin" {
			t.Errorf("what was not denied is asked for: %v", v.URL)
		}
	})
	t.Run("cancelled on page 1", func(t *testing.T) {
		b, clientID, v := again(t)
		if v = b.answer(v, "/consent", "decision", "cancel"); v.Away.Query().Get("error") != codeAccessDenied {
			t.Fatalf("sent to %v", v.Away)
		}
		if v = b.authorize(authorizeQuery(clientID, webRedirect)); v.URL == nil || v.URL.Path != "/authorize" {
			t.Errorf("page 1 is left out: %v %v", v.URL, v.Away)
		}
	})
}

// The limits on guessing passwords are told where an attempt comes from.
func TestASignInSaysWhereItComesFrom(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	v := b.authorize(authorizeQuery(f.register(testRedirect), testRedirect))
	v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
	fields := v.fields()
	fields.Set("username", "alice")
	fields.Set("password", "wrong")
	r := b.request(http.MethodPost, testIssuer+"/signin", fields)
	r.RemoteAddr = "[2001:db8:0:1::7]:1000"
	if b.send(r); f.local.origin.String() != "2001:db8:0:1::/64" {
		t.Errorf("it is said to come from %s", f.local.origin)
	}
}
