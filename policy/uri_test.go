package policy

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

func TestURITraps(t *testing.T) {
	v := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["**"], templates: ["**"]}]}`), &Subject{})
	tests := map[string]string{
		"docs://guide/a":                  "",
		"docs://guide/a.b/...":            "",
		"docs://guide/.hidden":            "",
		"docs://guide/..hidden":           "",
		"docs://Guide/README":             "",
		"docs://guide/ü":                  "",
		"docs://guide/%C3%BC%20%23":       "",
		"docs://guide/%c3%bc":             "",
		"file:///etc/hosts":               "",
		"mailto:a@example.com":            "",
		"pkg:npm/scope@1.2":               "",
		"docs://a/b@c":                    "",
		"docs://a/?mail=b@c":              "",
		"docs://a/100%25":                 "",
		"https://example.com:8443/A":      "",
		"urn:isbn:0451450523":             "",
		"README":                          "",
		"test://static/resource/{id}":     "",
		"docs://{+path}{?query*}":         "",
		"docs://guide/./a":                uriDots,
		"docs://guide/../a":               uriDots,
		"docs://guide/..":                 uriDots,
		"docs://..":                       uriDots,
		"docs:..":                         uriDots,
		"docs:./a":                        uriDots,
		"../a":                            uriDots,
		".":                               uriDots,
		"docs://guide/..;v=1/a":           uriDots,
		"docs://guide/..?x":               uriDots,
		"docs://guide/..#x":               uriDots,
		"docs://guide/..%20/a":            uriDots,
		"docs://guide?file=a/../b":        uriDots,
		`docs://guide\..\a`:               uriBackslash,
		`docs:\\guide`:                    uriBackslash,
		"docs://guide/a%2fb":              uriEncoded,
		"docs://guide/a%2Fb":              uriEncoded,
		"docs://guide/%2e%2E/b":           uriEncoded,
		"docs://guide/%2e/b":              uriEncoded,
		"docs://guide/a%5cb":              uriEncoded,
		"docs://guide/a%5Cb":              uriEncoded,
		"docs://guide/%252e%252e/b":       uriEncoded,
		"docs://guide/%25252fb":           uriEncoded,
		"docs://guide/%25%32%65/b":        uriEncoded,
		"docs://guide/%252%65/b":          uriEncoded,
		"docs://guide/%25%25":             uriEncoded,
		"docs://guide/%25a":               uriEncoded,
		"docs://guide/%25z":               "",
		"docs://guide/a%00":               uriEncoded,
		"docs://guide/a%0a":               uriEncoded,
		"docs://guide/%c0%ae%c0%ae/a":     uriEscape,
		"docs://guide/%e0%80%af":          uriEscape,
		"docs://guide/%ff":                uriEscape,
		"docs://guide/%u002e":             uriEscape,
		"docs://guide/%":                  uriEscape,
		"docs://guide/%2":                 uriEscape,
		"docs://guide/%2x":                uriEscape,
		"docs://guide/%C3":                uriEscape,
		"docs://user@guide/a":             uriUser,
		"docs://user:secret@guide/a":      uriUser,
		"docs://@guide/a":                 uriUser,
		"https://good.example@evil.test/": uriUser,
		"//user@host/a":                   uriUser,
		"Docs://guide/a":                  uriScheme,
		"DOCS:a":                          uriScheme,
		"docS://guide":                    uriScheme,
		"HTTPS://example.com/":            uriScheme,
		"https:/example.com/":             uriHost,
		"https:example.com":               uriHost,
		"https:///example.com/":           uriHost,
		"https://Example.com/":            uriHost,
		"docs://guide/a b":                uriSpace,
		"docs://guide/a\tb":               uriSpace,
		"docs://guide/.\n./b":             uriSpace,
		" docs://guide/a":                 uriSpace,
		"docs://guide/a\x7f":              uriSpace,
		"docs://guide/a\x00":              nameNUL,
		"docs://guide/\xff":               nameInvalid,
	}
	for uri, want := range tests {
		for _, k := range []Kind{Resource, Template} {
			d := v.Decide(k, uri)
			if want == "" && !d.Allowed || want != "" && (d.Allowed || d.Rule != want) {
				t.Errorf("%v %q: %+v, want trap %q", k, uri, d, want)
			}
		}
	}
	long := "docs://" + strings.Repeat("a", MaxURI)
	if d := v.Decide(Resource, long[:MaxURI]); !d.Allowed {
		t.Errorf("the longest URI: %+v", d)
	}
	if d := v.Decide(Resource, long[:MaxURI+1]); d.Allowed || d.Rule != nameLong {
		t.Errorf("a longer URI: %+v", d)
	}
}

// Every other spelling of a denied URI is denied too.
func TestDenyIsNotEvadedBySpelling(t *testing.T) {
	v := mustView(t, mustParse(t, `
everyone:
  allow: [{resources: ["**"]}]
  deny:
    - resources: ["docs://admin/**", "file:///etc/**", "docs://one", "docs://über/*", "docs://sp%20ace", "docs://a/*/b", "docs://x%2a"]
`), &Subject{})
	tests := map[string]bool{ // whether it is allowed
		"docs://admin/x":               false,
		"docs://%61dmin/x":             false,
		"docs://adm%69n/x":             false,
		"docs://admin//x":              false,
		"docs:///admin/x":              false,
		"docs:/admin/x":                false,
		"docs://///admin/x":            false,
		"docs:admin/x":                 true, // an opaque path: something else
		"file:///etc/passwd":           false,
		"file:/etc/passwd":             false,
		"file://etc/passwd":            false,
		"file:////etc/passwd":          false,
		"file://///etc//passwd":        false,
		"file:///%65tc/passwd":         false,
		"docs://one":                   false,
		"docs://one#part":              false,
		"docs://on%65":                 false,
		"docs://über/x":                false,
		"docs://%C3%BCber/x":           false,
		"docs://%c3%BCber/x":           false,
		"docs://sp%20ace":              false,
		"docs://s%70%20ace":            false,
		"docs://a//b":                  false, // as written: the star may be empty
		"docs://a/x/b":                 false,
		"docs://x*":                    false, // %2A in a pattern is a star, not a wildcard
		"docs://x%2A":                  false,
		"docs://xyz":                   true,
		"docs://public/x":              true,
		"docs://one/more":              true,
		"docs://one?more":              true,
		"docs://administration":        true,
		"docs://u\u0308ber/x":          true, // decomposed: another name
		"docs://public/docs://admin/x": true,
		"file:///srv/etc/x":            true,
	}
	for uri, want := range tests {
		if d := v.Decide(Resource, uri); d.Allowed != want {
			t.Errorf("%q: %+v", uri, d)
		}
	}
}

// An allow rule means the URI as it is written, and no other spelling.
func TestAllowIsForTheWrittenURI(t *testing.T) {
	v := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["docs://one", "docs://dir/*"]}]}`), &Subject{})
	for _, uri := range []string{"docs://on%65", "docs://one#x", "docs:///one", "docs://dir//x", "docs://one/", "docs://one?"} {
		if d := v.Decide(Resource, uri); d.Allowed || d.Rule != NoRule {
			t.Errorf("%q: %+v", uri, d)
		}
	}
}

// secretDenied allows everything but docs://host/secret and what is below it.
const secretDenied = `
everyone:
  allow: [{resources: ["**"]}]
  deny: [{resources: ["docs://host/secret", "docs://host/secret/**", "docs://host/secret?**"]}]
`

// readAsSecret reports whether net/url and path take a URI for something that secretDenied denies.
func readAsSecret(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "docs" || u.Host != "host" {
		return false
	}
	where := path.Clean(u.Path)
	return where == "/secret" || strings.HasPrefix(where, "/secret/")
}

// Whatever another reader takes for a denied URI is denied: every way to put these parts together is tried.
func TestDenyHoldsForEverySpelling(t *testing.T) {
	v := mustView(t, mustParse(t, secretDenied), &Subject{})
	parts := []string{"/", "secret", "s%65cret", "..", ".", "%2e%2E", "open", "%2F", "?a=b", "#x"}
	secrets, allowed := 0, 0
	var build func(uri string, left int)
	build = func(uri string, left int) {
		secret, d := readAsSecret(uri), v.Decide(Resource, uri)
		if secret && d.Allowed {
			t.Errorf("%q: %+v", uri, d)
		}
		if secret {
			secrets++
		}
		if d.Allowed {
			allowed++
		}
		if left > 0 {
			for _, part := range parts {
				build(uri+part, left-1)
			}
		}
	}
	for _, start := range []string{"docs://host/", "DOCS://host/", "docs://user@host/", "docs://h%6Fst/"} {
		build(start, 4)
	}
	if secrets < 500 || allowed < 500 {
		t.Errorf("%d secrets, %d allowed: the test shows little", secrets, allowed)
	}
}

// FuzzURIDeny does the same with whatever the fuzzer comes up with.
func FuzzURIDeny(f *testing.F) {
	for _, seed := range []string{
		"docs://host/secret/x", "docs://host/open/../secret/x", "docs://host/%73ecret/x", "docs://host//secret/x", "docs://host/secret",
		"docs://host/secret?x#y", "docs://host/a%2f..%2fsecret", "DOCS://host/secret", "docs://user@host/secret", "docs://host/secret;x",
		"docs://host:/secret/x", "docs:///host/secret/x", "docs://host/s%65cret/%C3%BC", "docs://%68ost/secret/x",
	} {
		f.Add(seed)
	}
	v := mustView(f, mustParse(f, secretDenied), &Subject{})
	f.Fuzz(func(t *testing.T, uri string) {
		if d := v.Decide(Resource, uri); d.Allowed && readAsSecret(uri) {
			t.Fatalf("%q: %+v", uri, d)
		}
	})
}
