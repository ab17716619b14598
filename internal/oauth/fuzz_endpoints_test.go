package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// leave goes to sign in elsewhere, and returns the state that is wanted back.
func (b *browser) leave() string {
	b.f.t.Helper()
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"hosted"}}))
	if v.Away == nil {
		b.f.t.Fatalf("signing in elsewhere leads to %d\n%s", v.Status, v.Body)
	}
	return v.Away.Query().Get("state")
}

// FuzzEndpoints sends anything to any endpoint, as a browser whose person is signed in or as a program. Words in capitals stand for what
// is good there and can't be guessed: TOKEN for that of the person's own forms, STATE for that of a login under way, GRANT, ACCESS,
// REFRESH and CLIENT for those of an agent.
func FuzzEndpoints(f *testing.F) {
	const form, bot = "application/x-www-form-urlencoded", "Basic Y2ktYm90OmJvdC1zZWNyZXQ="
	for _, seed := range [][6]string{
		{"/introspect", "POST", "", "token=ACCESS", form, "Authorization: " + bot},
		{"/introspect", "POST", "", "token=REFRESH&token_type_hint=refresh_token&client_id=CLIENT", form, "Origin: https://a.example"},
		{"/introspect", "POST", "a=%zz", "token=<b>&client_id=portal&client_secret=port:al%20secret%2B%25", form, "Authorization: Basic \xff"},
		{"/revoke", "POST", "", "token=ACCESS&client_id=CLIENT", form, "Authorization: Bearer x"},
		{"/revoke", "POST", "", "token=REFRESH&client_id=CLIENT&token_type_hint=%00", form + "; charset=utf-8", ""},
		{"/revoke", "OPTIONS", "", "", "", "Access-Control-Request-Headers: a, \"<b>"},
		{"/callback", "GET", "state=STATE&code=alice&iss=x", "", "", "Accept: text/html"},
		{"/callback", "GET", "state=STATE&error=access_denied&error_description=<script>alert(1)</script>", "", "", ""},
		{"/callback", "HEAD", "state=STATE&state=x&code=", "", "", "Cookie: __Host-mcp_tx_0123456789=y"},
		{"/connections", "GET", "done=<b>", "", "", ""},
		{"/connections", "GET", "change=<b>", "", "", ""},
		{"/connections", "POST", "", "action=revoke&token=TOKEN&grant=GRANT", form, "Origin: " + testIssuer},
		{"/connections", "POST", "", "action=make&token=TOKEN&name=<b>&resource=https://mcp.example.com/github&days=30", form, "Origin: " + testIssuer},
		{"/connections", "POST", "", "action=make&token=TOKEN&name=%ff&resource=x&days=-9999999999999", form, "Origin: " + testIssuer},
		{"/connections", "POST", "", "action=revoke-all&token=TOKEN", form, "Origin: " + testIssuer},
		{"/connections", "POST", "", "action=signout&token=TOKEN", form, "Origin: null"},
		{"/connections", "POST", "", "action=signin&provider=hosted", form, "Origin: " + testIssuer},
		{"/jwks", "GET", "", "", "", "If-None-Match: *"},
		{"/.well-known/oauth-authorization-server", "GET", "x", "", "", "Host: a"},
		{"/token", "POST", "", `{"grant_type":"refresh_token"}`, "application/json", "Authorization: " + bot},
		{"/register", "POST", "", `{"redirect_uris":["http://127.0.0.1/"],"client_name":"<b>"}`, "application/json", "Authorization: Bearer ACCESS"},
		{"/authorize", "POST", "", "response_type=code&client_id=CLIENT&state=STATE", form, "Accept: application/json"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	fx := newFixture(f, func(c *Config) { c.PersonalTokens, c.RegisterPerMinute = true, -1 })
	paths := fx.server.Paths()
	slices.Sort(paths)
	clientID, tokens := fx.newTokens()
	grant := fx.grantOf(tokens)
	var person *browser
	var own string
	f.Fuzz(func(t *testing.T, path, method, query, body, kind, header string) {
		fx := fx.in(t)
		if i, ok := slices.BinarySearch(paths, path); !ok {
			path = paths[i%len(paths)]
		}
		if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions, http.MethodPut, http.MethodDelete}, method) {
			method = http.MethodPost
		}
		if person == nil {
			person = fx.browser()
			v := person.open(testIssuer + "/callback?code=carol&state=" + url.QueryEscape(person.leave()))
			if own = v.fields().Get("token"); own == "" {
				t.Fatalf("signing in shows %d\n%s", v.Status, v.Body)
			}
		}
		person.f = fx
		good := []string{"TOKEN", own, "GRANT", grant, "ACCESS", tokens.Access, "REFRESH", tokens.Refresh, "CLIENT", clientID}
		if strings.Contains(query+body, "STATE") {
			good = append(good, "STATE", url.QueryEscape(person.leave()))
		}
		in := strings.NewReplacer(good...)
		r := httptest.NewRequest(method, testIssuer+path, strings.NewReader(in.Replace(body)))
		r.URL.RawQuery = in.Replace(query)
		for _, c := range person.jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		r.Header.Set("Content-Type", kind)
		if name, value, ok := strings.Cut(in.Replace(header), ": "); ok {
			r.Header.Add(textproto.CanonicalMIMEHeaderKey(name), value)
		}
		w := httptest.NewRecorder()
		fx.server.ServeHTTP(w, r)
		if strings.Contains(strings.Join(w.Header()["Set-Cookie"], "\n"), "__Host-mcp_session=; ") || w.Code == http.StatusOK && strings.Contains(w.Body.String(), `value="signin"`) {
			person = nil
		}
		if w.Code == http.StatusServiceUnavailable && (path == "/signin" || path == "/callback") {
			return // somebody whom the provider has called down
		}
		holds(t, w, append(append(values(query), values(body)...), kind, header)...)
	})
}
