package oauth

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser is one browser: it keeps cookies, and follows the redirects of the server until one leads away.
type browser struct {
	f   *fixture
	jar http.CookieJar
}

func (f *fixture) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return &browser{f, jar}
}

// view is what a browser shows: a page, or the address that it was sent away to.
type view struct {
	Status int
	Body   string
	Header http.Header
	URL    *url.URL // of the page
	Away   *url.URL // where it was sent; nil for a page
}

// fields are the hidden fields of the page's form.
var hiddenField = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)

func (v *view) fields() url.Values {
	fields := make(url.Values)
	for _, m := range hiddenField.FindAllStringSubmatch(v.Body, -1) {
		fields.Add(m[1], html.UnescapeString(m[2]))
	}
	return fields
}

// request makes a request with the browser's cookies.
func (b *browser) request(method, address string, form url.Values) *http.Request {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, address, body)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", testIssuer)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return r
}

// send sends a request, and follows redirects as long as they stay here.
func (b *browser) send(r *http.Request) *view {
	b.f.t.Helper()
	for range 10 {
		res := b.f.do(r)
		b.jar.SetCookies(r.URL, res.Cookies())
		if res.StatusCode/100 != 3 {
			body, err := io.ReadAll(res.Body)
			if err != nil {
				b.f.t.Fatal(err)
			}
			return &view{Status: res.StatusCode, Body: string(body), Header: res.Header, URL: r.URL}
		}
		// With 307 a browser would post what was typed in to wherever it is sent (RFC 9700 section 4.12), and without a policy it would
		// tell there what address it comes from (section 4.2).
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Referrer-Policy") != "no-referrer" {
			b.f.t.Errorf("%s redirects with %s and the Referrer-Policy %q", r.URL.Path, res.Status, res.Header.Get("Referrer-Policy"))
		}
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil {
			b.f.t.Fatal(err)
		}
		if to.Scheme+"://"+to.Host != testIssuer {
			return &view{Status: res.StatusCode, Header: res.Header, Away: to}
		}
		r = b.request(http.MethodGet, to.String(), nil)
	}
	b.f.t.Fatal("too many redirects")
	return nil
}

// open goes to an address.
func (b *browser) open(address string) *view { return b.send(b.request(http.MethodGet, address, nil)) }

// authorize goes to the authorization endpoint.
func (b *browser) authorize(q url.Values) *view {
	b.f.t.Helper()
	return b.open(testIssuer + "/authorize?" + q.Encode())
}

// answer answers the form of a page; more are pairs.
func (b *browser) answer(v *view, path string, more ...string) *view {
	b.f.t.Helper()
	fields := v.fields()
	if fields.Get(fieldTx) == "" {
		b.f.t.Fatalf("the page has no form of ours: %d %v\n%s", v.Status, v.Away, v.Body)
	}
	for i := 0; i+1 < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	return b.send(b.request(http.MethodPost, testIssuer+path, fields))
}

// login goes from page 1 to where the client gets its answer, as alice, with everything allowed.
func (b *browser) login(q url.Values) *view {
	b.f.t.Helper()
	return b.loginAt(testIssuer+"/authorize", q)
}

// loginAt is login at another address.
func (b *browser) loginAt(endpoint string, q url.Values) *view {
	b.f.t.Helper()
	v := b.open(endpoint + "?" + q.Encode())
	v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
	v = b.answer(v, "/signin", "username", "alice", "password", "secret")
	if v.Away == nil {
		v = b.answer(v, "/consent", "decision", "allow")
	}
	return v
}

// code returns the code that a browser was sent away with, having held what every answer has to keep to.
func (v *view) code(t testing.TB, redirect string) string {
	t.Helper()
	if v.Away == nil {
		t.Fatalf("no answer to the client, but a page: %d\n%s", v.Status, v.Body)
	}
	q := v.Away.Query()
	if got := strings.SplitN(v.Away.String(), "?", 2)[0]; got != redirect {
		t.Errorf("the answer went to %s", got)
	}
	if q.Get("iss") != testIssuer || q.Get("state") != "the-state" || len(q["code"]) != 1 || q.Get("error") != "" {
		t.Fatalf("the answer is %v", q)
	}
	return q.Get("code")
}
