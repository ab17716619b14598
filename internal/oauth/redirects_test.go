package oauth

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestParseRedirect(t *testing.T) {
	for _, tc := range []struct {
		name, uri string
		want      error
		kind      redirectKind
	}{
		{"claude.ai", "https://claude.ai/api/mcp/auth_callback", nil, redirectWeb},
		{"a port and a query", "https://chat.example:8443/api/mcp/github/oauth/callback?tenant=1", nil, redirectWeb},
		{"localhost", "http://localhost:33418/callback", nil, redirectLoopback},
		{"localhost in capitals", "http://LOCALHOST:33418/callback", nil, redirectLoopback},
		{"IPv4 loopback", "http://127.0.0.1/", nil, redirectLoopback},
		{"another IPv4 loopback", "http://127.8.7.6/", nil, redirectLoopback},
		{"IPv6 loopback", "http://[::1]:8080/callback", nil, redirectLoopback},
		{"https on loopback proves nothing", "https://localhost:3000/cb", nil, redirectLoopback},
		{"an app with a host", "cursor://anysphere.cursor-mcp/oauth/callback", nil, redirectCustom},
		{"an app without a dot", "vscode://vscode.github-authentication/did-authenticate?windowid=1", nil, redirectCustom},
		{"a parameter like one of ours", "https://a.example/cb?state_code=1&codes=2", nil, redirectWeb},
		{"an app named by its domain", "com.example.app:/oauth", nil, redirectCustom},

		{"nothing", "", errRedirectSyntax, 0},
		{"relative", "/callback", errRedirectSyntax, 0},
		{"no scheme", "//evil.example/cb", errRedirectSyntax, 0},
		{"a fragment", "https://a.example/cb#x", errRedirectSyntax, 0},
		{"an empty fragment", "https://a.example/cb#", errRedirectSyntax, 0},
		{"user info", "https://claude.ai@evil.example/cb", errRedirectSyntax, 0},
		{"empty user info", "https://@evil.example/cb", errRedirectSyntax, 0},
		{"a backslash", `https://evil.example\@claude.ai/cb`, errRedirectSyntax, 0},
		{"a space", "https://a.example/c b", errRedirectSyntax, 0},
		{"a line break", "https://a.example/cb\r\nX: y", errRedirectSyntax, 0},
		{"a NUL", "https://a.example/\x00", errRedirectSyntax, 0},
		{"letters outside ASCII", "https://exämple.example/", errRedirectSyntax, 0},
		{"markup", `https://a.example/"><script>`, errRedirectSyntax, 0},
		{"too long", "https://a.example/" + strings.Repeat("a", maxRedirectURI), errRedirectSyntax, 0},
		{"no host", "https:///cb", errRedirectSyntax, 0},
		{"only a port", "https://:443/cb", errRedirectSyntax, 0},
		{"opaque https", "https:evil.example", errRedirectSyntax, 0},
		{"port out of range", "http://localhost:65536/cb", errRedirectSyntax, 0},
		{"port zero", "http://localhost:0/cb", errRedirectSyntax, 0},
		{"port that is none", "http://localhost:/cb", errRedirectSyntax, 0},
		{"zone of an address", "http://[::1%25eth0]/cb", errRedirectSyntax, 0},
		{"encoded host", "http://localhost%2eevil.example/cb", errRedirectSyntax, 0},
		{"http elsewhere", "http://claude.ai/cb", errRedirectHTTP, 0},
		{"http on a private address", "http://192.168.1.10/cb", errRedirectHTTP, 0},
		{"http on any address", "http://0.0.0.0/cb", errRedirectHTTP, 0},
		{"http on a name that begins like localhost", "http://localhost.evil.example/cb", errRedirectHTTP, 0},
		{"http on a name that begins like an address", "http://127.0.0.1.evil.example/cb", errRedirectHTTP, 0},
		{"javascript", "javascript:alert(1)", errRedirectScheme, 0},
		{"javascript with slashes", "javascript://a.example/%0aalert(1)", errRedirectScheme, 0},
		{"javascript in capitals", "JavaScript://a.example/%0aalert(1)", errRedirectScheme, 0},
		{"data", "data:text/html,hello", errRedirectScheme, 0},
		{"data with slashes", "data://text/html,hello", errRedirectScheme, 0},
		{"file", "file:///etc/passwd", errRedirectScheme, 0},
		{"vbscript", "vbscript://x/y", errRedirectScheme, 0},
		{"blob", "blob:https://a.example/x", errRedirectScheme, 0},
		{"about", "about:blank", errRedirectScheme, 0},
		{"a Windows share", "smb://evil.example/share", errRedirectScheme, 0},
		{"settings of Windows", "ms-settings://network", errRedirectScheme, 0},
		{"an extension of a browser", "chrome-extension://abcdef/cb", errRedirectScheme, 0},
		{"a directory", "ldap://evil.example/dc=x", errRedirectScheme, 0},
		{"a shop that installs", "itms-services://x?action=download-manifest", errRedirectScheme, 0},
		{"settings of a Mac", "x-apple.systempreferences:/com.apple.preference", errRedirectScheme, 0},
		{"a code of its own", "https://a.example/cb?code=x", errRedirectQuery, 0},
		{"an encoded code", "https://a.example/cb?a=b&%63ode=x", errRedirectQuery, 0},
		{"a state of its own", "http://127.0.0.1/cb?state=x", errRedirectQuery, 0},
		{"an issuer of its own", "cursor://a/cb?iss=https://a.example", errRedirectQuery, 0},
		{"an error of its own", "https://a.example/cb?error", errRedirectQuery, 0},
		{"a query that two readers read differently", "https://a.example/cb?a=b;code=x", errRedirectSyntax, 0},
		{"opaque custom", "urn:ietf:wg:oauth:2.0:oob", errRedirectScheme, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseRedirect(tc.uri)
			if !errors.Is(err, tc.want) {
				t.Fatalf("parseRedirect(%q) = %v, want %v", tc.uri, err, tc.want)
			}
			if err == nil && (got.kind != tc.kind || got.raw != tc.uri) {
				t.Errorf("parseRedirect(%q) is of kind %d, want %d", tc.uri, got.kind, tc.kind)
			}
		})
	}
}

func TestMatchRedirect(t *testing.T) {
	for _, tc := range []struct {
		name, registered, asked string
		want                    bool
	}{
		{"byte for byte", "https://a.example/cb?x=1", "https://a.example/cb?x=1", true},
		{"a custom scheme", "cursor://host/cb", "cursor://host/cb", true},
		{"loopback on another port", "http://127.0.0.1:1/callback", "http://127.0.0.1:33418/callback", true},
		{"loopback where the registered URI has no port", "http://127.0.0.1/", "http://127.0.0.1:33418/", true},
		{"loopback without path", "http://127.0.0.1", "http://127.0.0.1:33418/", true},
		{"localhost on another port", "http://localhost/callback", "http://localhost:5000/callback", true},
		{"IPv6 on another port", "http://[::1]:1/cb", "http://[::1]:2/cb", true},
		{"loopback asked for without the port", "http://127.0.0.1:8080/cb", "http://127.0.0.1/cb", true},

		{"another path", "https://a.example/cb", "https://a.example/cb2", false},
		{"a deeper path", "https://a.example/cb", "https://a.example/cb/x", false},
		{"a trailing slash", "https://a.example/cb", "https://a.example/cb/", false},
		{"path traversal", "https://a.example/cb", "https://a.example/cb/../evil", false},
		{"another query", "https://a.example/cb", "https://a.example/cb?x=1", false},
		{"another port with https", "https://a.example/cb", "https://a.example:8443/cb", false},
		{"the default port written out", "https://a.example/cb", "https://a.example:443/cb", false},
		{"capitals in the host", "https://a.example/cb", "https://A.example/cb", false},
		{"a subdomain", "https://a.example/cb", "https://x.a.example/cb", false},
		{"a host that begins alike", "https://a.example/cb", "https://a.example.evil.example/cb", false},
		{"http for https", "https://localhost/cb", "http://localhost/cb", false},
		{"https on a loopback port", "https://localhost:1/cb", "https://localhost:2/cb", false},
		{"localhost for the address", "http://127.0.0.1/cb", "http://localhost/cb", false},
		{"loopback on another path", "http://127.0.0.1/cb", "http://127.0.0.1:1/evil", false},
		{"loopback with a query", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb?x", false},
		{"loopback with user info", "http://127.0.0.1/cb", "http://a@127.0.0.1:1/cb", false},
		{"loopback with a fragment", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb#", false},
		{"an app's other path", "cursor://host/cb", "cursor://host/other", false},
		{"nothing", "https://a.example/cb", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := matchRedirect([]string{"https://other.example/x", tc.registered}, tc.asked)
			if (err == nil) != tc.want {
				t.Errorf("matchRedirect(%q, %q) = %v", tc.registered, tc.asked, err)
			}
		})
	}
}

func TestRedirectKeepsItsQuery(t *testing.T) {
	for uri, want := range map[string]string{
		"https://a.example/cb":     "https://a.example/cb?code=c&iss=i",
		"https://a.example/cb?":    "https://a.example/cb?code=c&iss=i",
		"https://a.example/cb?x=1": "https://a.example/cb?x=1&code=c&iss=i",
		"cursor://host/cb":         "cursor://host/cb?code=c&iss=i",
		"com.example.app:/cb":      "com.example.app:/cb?code=c&iss=i",
	} {
		r, err := parseRedirect(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.with(url.Values{"code": {"c"}, "iss": {"i"}}); got != want {
			t.Errorf("%s with parameters = %s, want %s", uri, got, want)
		}
	}
}

func TestFormTargets(t *testing.T) {
	for uri, want := range map[string][]string{
		"https://a.example/cb":       {"https:"},
		"http://localhost:33418/cb":  {"https:", "http://localhost:33418"},
		"http://[::1]:33418/cb":      {"https:", "http:"},
		"https://localhost:33418/cb": {"https:"},
		"cursor://host/cb":           {"https:", "cursor:"},
	} {
		r, err := parseRedirect(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.formTargets(); !slices.Equal(got, want) {
			t.Errorf("form targets of %s = %q, want %q", uri, got, want)
		}
	}
}
