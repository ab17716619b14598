package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// holds checks what every answer has to keep to, whatever was sent: no error of the server's own, nothing reflected that
// a browser would read as markup, no header that was broken in two, and nobody sent to where no client has its place.
func holds(t *testing.T, w *httptest.ResponseRecorder, sent ...string) {
	t.Helper()
	if w.Code >= 500 {
		t.Fatalf("answered %d: %s", w.Code, w.Body)
	}
	body := w.Body.String()
	for _, s := range sent {
		if strings.ContainsAny(s, `<>"'&`) && len(s) > 3 && strings.Contains(body, s) {
			t.Fatalf("%q is reflected in %s", s, body)
		}
	}
	if kind := w.Header().Get("Content-Type"); body != "" && kind != "application/json" && kind != "application/jwk-set+json" && kind != "text/html; charset=utf-8" {
		t.Fatalf("the answer is of type %q", kind)
	}
	for name, values := range w.Header() {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				t.Fatalf("the header %s is %q", name, v)
			}
		}
	}
	if to := w.Header().Get("Location"); to != "" {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatalf("sent to %q: %v", to, err)
		}
		switch u.Scheme + "://" + u.Hostname() {
		case testIssuer, "http://127.0.0.1", "https://agent.example", "https://idp.example":
		default:
			t.Fatalf("sent to %s", to)
		}
	}
}

// in is the fixture for one run of a fuzz target.
func (f *fixture) in(t *testing.T) *fixture {
	run := *f
	run.t = t
	return &run
}

// values are the values of a query, as far as it can be read.
func values(raw string) (all []string) {
	q, _ := url.ParseQuery(raw)
	for name, vs := range q {
		all = append(append(all, name), vs...)
	}
	return all
}

func FuzzAuthorize(f *testing.F) {
	for _, q := range []url.Values{
		authorizeQuery("desktop", testRedirect), authorizeQuery("portal", webRedirect), authorizeQuery("desktop", testRedirect, "prompt", "none"),
		authorizeQuery("desktop", "javascript:alert(1)"), authorizeQuery("desktop", testRedirect, "state", "<script>"), with(authorizeQuery("desktop", testRedirect), "state", "x"),
	} {
		f.Add(q.Encode(), "", "text/html", false)
		f.Add(q.Encode(), "__Host-mcp_allowed=x; __Host-mcp_tx_0123456789=y", "application/json", true)
	}
	f.Add("%zz;&=&=", "=;=", "*/*;q=", false)
	fx := newFixture(f, nil)
	f.Fuzz(func(t *testing.T, query, cookie, accept string, post bool) {
		fx := fx.in(t)
		r := httptest.NewRequest(http.MethodGet, testIssuer+"/authorize", nil)
		r.URL.RawQuery = query
		if post {
			r = httptest.NewRequest(http.MethodPost, testIssuer+"/authorize", strings.NewReader(query))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		fx.server.ServeHTTP(w, r)
		holds(t, w, append(values(query), cookie, accept)...)
	})
}

func FuzzToken(f *testing.F) {
	for _, form := range []url.Values{
		redeem("desktop", "code"), refreshForm("desktop", "token"), {"grant_type": {"client_credentials"}, "client_id": {"ci-bot"}, "client_secret": {"bot-secret"}},
		with(redeem("desktop", "code"), "code", "code"),
	} {
		f.Add("/token", form.Encode(), "application/x-www-form-urlencoded", basic("portal", "port:al secret+%"))
		f.Add("/revoke", form.Encode()+"&token=x", "application/x-www-form-urlencoded; charset=utf-8", "Bearer x")
		f.Add("/introspect", form.Encode()+"&token=x", "application/x-www-form-urlencoded", basic("portal", "port:al secret+%"))
	}
	f.Add("/token", "\x00=%00&;", "text/plain", "Basic \xff")
	fx := newFixture(f, nil)
	f.Fuzz(func(t *testing.T, path, body, kind, authorization string) {
		fx := fx.in(t)
		if path != "/revoke" && path != "/introspect" {
			path = "/token"
		}
		r := httptest.NewRequest(http.MethodPost, testIssuer+path, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		fx.server.ServeHTTP(w, r)
		holds(t, w, append(values(body), kind, authorization)...)
		if w.Header().Get("Content-Type") == "" && w.Body.Len() > 0 {
			t.Fatal("the answer has no type")
		}
	})
}

func FuzzRegister(f *testing.F) {
	for _, body := range []string{
		`{"redirect_uris":["http://127.0.0.1/cb"]}`, `{"redirect_uris":["cursor://a/b","https://a.example/cb"],"client_name":"<b>","grant_types":["authorization_code"]}`,
		`{"redirect_uris":["javascript:alert(1)"]}`, `{"redirect_uris":null,"client_name":5}`, `[]`, "\ufeff{}", `{"redirect_uris":["http://[::1]:0/"],"token_endpoint_auth_method":"client_secret_post"}`,
	} {
		f.Add(body)
	}
	fx := newFixture(f, func(c *Config) { c.RegisterPerMinute = -1 })
	f.Fuzz(func(t *testing.T, body string) {
		fx := fx.in(t)
		r := httptest.NewRequest(http.MethodPost, testIssuer+"/register", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		fx.server.ServeHTTP(w, r)
		holds(t, w)
		if strings.ContainsAny(w.Body.String(), "<>") {
			t.Fatalf("markup in %s", w.Body)
		}
		if w.Code != http.StatusCreated {
			return
		}
		// Whatever was let in can be looked at again, and is harmless.
		id := fx.read(w.Result()).ClientID
		c, err := fx.server.client(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, uri := range c.RedirectURIs {
			if got, err := matchRedirect(c.RedirectURIs, uri); err != nil || got.url.Scheme == "javascript" || got.url.Scheme == "data" {
				t.Fatalf("%s was let in: %v", uri, err)
			}
		}
	})
}

// FuzzForms sends anything to our own forms and to the callback, with a login under way.
func FuzzForms(f *testing.F) {
	f.Add("/consent", "decision=allow&provider=hosted", "", true)
	f.Add("/signin", "username=alice&password=secret", "", true)
	f.Add("/callback", "state=x&code=y", "a=b", false)
	f.Add("/consent", "decision=allow&also=x&also=<b>", "", true)
	f.Add("/connections", "action=make&name=<b>&resource=x&days=9999999999", "__Host-mcp_person=x", true)
	f.Add("/consent", "tx=0123456789", "__Host-mcp_tx_0123456789=x", false)
	fx := newFixture(f, nil)
	paths := map[string]bool{"/consent": true, "/signin": true, "/callback": true, "/connections": true}
	f.Fuzz(func(t *testing.T, path, form, cookie string, post bool) {
		fx := fx.in(t)
		if !paths[path] {
			path = "/consent"
		}
		b := fx.browser()
		token := b.authorize(authorizeQuery("desktop", testRedirect)).fields().Get(fieldTx)
		form = "tx=" + token + "&" + form
		r := b.request(http.MethodGet, testIssuer+path, nil)
		r.URL.RawQuery = form
		if post && path != "/callback" {
			headers := b.request(http.MethodPost, testIssuer+path, nil).Header
			r = httptest.NewRequest(http.MethodPost, testIssuer+path, strings.NewReader(form))
			r.Header = headers
		}
		r.Header.Add("Cookie", cookie)
		w := httptest.NewRecorder()
		fx.server.ServeHTTP(w, r)
		if w.Code == http.StatusServiceUnavailable && path == "/signin" {
			return // the user called down
		}
		holds(t, w, append(values(form), cookie)...)
	})
}

func FuzzRedirect(f *testing.F) {
	for _, s := range []string{testRedirect, webRedirect, "cursor://a/b", "http://[::1]/", "http://localhost", "javascript://x", "https://a@b/", "x:/y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := parseRedirect(raw)
		if err != nil {
			return
		}
		to := r.with(url.Values{"code": {"c"}, "iss": {testIssuer}})
		u, err := url.Parse(to)
		if err != nil || u.Scheme != r.url.Scheme || u.Host != r.url.Host || u.Query().Get("iss") != testIssuer && r.url.RawQuery == "" || u.Fragment != "" || u.User != nil {
			t.Fatalf("%q becomes %q: %v", raw, to, err)
		}
		if r.kind == redirectLoopback && !isLoopback(r.url.Hostname()) || r.kind == redirectWeb && r.url.Scheme != "https" {
			t.Fatalf("%q is of kind %d", raw, r.kind)
		}
		if got, err := matchRedirect([]string{raw}, raw); err != nil || got.raw != raw {
			t.Fatalf("%q does not match itself: %v", raw, err)
		}
	})
}

// FuzzAccessToken holds that no text is a token, and that none makes trouble.
func FuzzAccessToken(f *testing.F) {
	fx := newFixture(f, nil)
	_, a := fx.newTokens()
	f.Add(a.Access)
	f.Add(flip(a.Access))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		fx := fx.in(t)
		access, err := fx.call(token, testResource)
		if strings.Trim(token, " ") == a.Access {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if err == nil {
			// Base64 has spare bits at the end of a signature; all else has to be the same.
			if head := strings.Trim(token, " "); len(head) != len(a.Access) || head[:len(head)-1] != a.Access[:len(a.Access)-1] {
				t.Fatalf("%q is good for %+v", token, access)
			}
		}
	})
}
