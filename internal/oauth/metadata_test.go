package oauth

import (
	"crypto/ecdsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// document gets a JSON document.
func (f *fixture) document(address string) map[string]any {
	f.t.Helper()
	res := f.do(httptest.NewRequest(http.MethodGet, address, nil))
	var doc map[string]any
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil || res.StatusCode != http.StatusOK {
		f.t.Fatalf("%s answered %s, %v", address, res.Status, err)
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		f.t.Errorf("%s has the headers %v", address, res.Header)
	}
	return doc
}

// The metadata are where RFC 8414 and OpenID Connect Discovery have them, whatever the issuer, and name what is there.
func TestServerMetadata(t *testing.T) {
	for _, tc := range []struct {
		issuer, path string
		places       []string
		base         string
	}{
		{"https://mcp.example.com", "", []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}, "https://mcp.example.com/"},
		{"https://mcp.example.com/", "/", []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}, "https://mcp.example.com/"},
		{"http://localhost:8788", "/oauth", []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}, "http://localhost:8788/oauth/"},
		{
			"https://mcp.example.com/tenant1", "/",
			[]string{"/.well-known/oauth-authorization-server/tenant1", "/.well-known/openid-configuration/tenant1", "/tenant1/.well-known/openid-configuration"},
			"https://mcp.example.com/tenant1/",
		},
		{
			"https://mcp.example.com/tenant1", "oauth/",
			[]string{"/.well-known/oauth-authorization-server/tenant1", "/.well-known/openid-configuration/tenant1", "/tenant1/.well-known/openid-configuration"},
			"https://mcp.example.com/tenant1/oauth/",
		},
	} {
		t.Run(tc.issuer+" "+tc.path, func(t *testing.T) {
			f := newFixture(t, func(c *Config) { c.Issuer, c.Path = tc.issuer, tc.path })
			origin := f.server.origin
			for _, place := range tc.places {
				if !f.server.Handles(place) {
					t.Errorf("%s is not handled", place)
				}
				doc := f.document(origin + place)
				if doc["issuer"] != tc.issuer {
					t.Errorf("the issuer is %v", doc["issuer"])
				}
				for name, endpoint := range map[string]string{
					"authorization_endpoint": "authorize", "token_endpoint": "token", "registration_endpoint": "register", "revocation_endpoint": "revoke",
					"introspection_endpoint": "introspect", "jwks_uri": "jwks",
				} {
					if doc[name] != tc.base+endpoint {
						t.Errorf("%s is %v", name, doc[name])
					}
					if !f.server.Handles(strings.TrimPrefix(tc.base, origin) + endpoint) {
						t.Errorf("%s is not handled", name)
					}
				}
				for name, want := range map[string][]string{
					"response_types_supported": {"code"}, "code_challenge_methods_supported": {"S256"}, "scopes_supported": {"mcp", "offline_access"},
					"grant_types_supported":                         {"authorization_code", "refresh_token", "client_credentials"},
					"token_endpoint_auth_methods_supported":         {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
					"introspection_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post", "private_key_jwt"},
				} {
					var got []string
					for _, v := range doc[name].([]any) {
						got = append(got, v.(string))
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s is %v", name, got)
					}
				}
				if doc["authorization_response_iss_parameter_supported"] != true {
					t.Error("iss is not announced")
				}
				for _, name := range []string{"client_id_metadata_document_supported"} {
					if _, there := doc[name]; there {
						t.Errorf("%s is announced and not there", name)
					}
				}
				if _, there := doc["subject_types_supported"]; there != strings.Contains(place, "openid") {
					t.Errorf("at %s, subject_types_supported is there: %v", place, there)
				}
			}
		})
	}
}

func TestRegistrationIsAnnouncedOnlyIfItIsOn(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Dynamic = false })
	if _, there := f.document(testIssuer + wellKnownServer)["registration_endpoint"]; there {
		t.Error("it is announced")
	}
}

func TestPathsThatAreNotOurs(t *testing.T) {
	f := newFixture(t, nil)
	for _, path := range []string{
		"", "/", "/github", "/token/", "/Token", "/%74oken", "//token", "/token/x", "/.well-known/oauth-authorization-server/", "/.well-known/oauth-authorization-server/github",
		"/.well-known/oauth-protected-resource", "/webhooks/workos",
	} {
		if f.server.Handles(path) {
			t.Errorf("%q is handled", path)
		}
	}
	if got := len(f.server.Paths()); got != 13 {
		t.Errorf("there are %d paths: %v", got, f.server.Paths())
	}
	own := newFixture(t, func(c *Config) { c.Path = "/oauth" })
	for path, want := range map[string]bool{"/oauth/token": true, "/oauth/nothing": true, "/oauth": false, "/oauthx": false, "/token": false} {
		if own.server.Handles(path) != want {
			t.Errorf("below /oauth, %q is handled: %v", path, !want)
		}
	}
	if res := own.do(httptest.NewRequest(http.MethodGet, testIssuer+"/oauth/nothing", nil)); res.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown path answers %s", res.Status)
	}
	// The path that counts is the one that was sent.
	if res := own.do(httptest.NewRequest(http.MethodGet, testIssuer+"/oauth/%6awks", nil)); res.StatusCode != http.StatusNotFound {
		t.Errorf("an encoded path answers %s", res.Status)
	}
}

func TestMethods(t *testing.T) {
	f := newFixture(t, nil)
	for path, allowed := range map[string][]string{
		"/authorize": {"GET", "HEAD", "POST"}, "/consent": {"GET", "HEAD", "POST"}, "/signin": {"GET", "HEAD", "POST"}, "/callback": {"GET", "HEAD"},
		"/token": {"POST"}, "/register": {"POST"}, "/revoke": {"POST"}, "/jwks": {"GET", "HEAD"}, wellKnownServer: {"GET", "HEAD"},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"} {
			res := f.do(httptest.NewRequest(method, testIssuer+path, nil))
			if got := res.StatusCode == http.StatusMethodNotAllowed; got == slices.Contains(allowed, method) {
				t.Errorf("%s %s answers %s", method, path, res.Status)
			} else if got && res.Header.Get("Allow") != strings.Join(append(slices.Clone(allowed), "OPTIONS"), ", ") {
				t.Errorf("%s %s allows %q", method, path, res.Header.Get("Allow"))
			}
		}
	}
}

// What the resource says about itself, in both slash forms, and where a client is told to find it.
func TestResourceMetadata(t *testing.T) {
	f := newFixture(t, nil)
	for _, tc := range []struct {
		url, slashed, metadata string
	}{
		{testResource, testResource + "/", testIssuer + "/.well-known/oauth-protected-resource/github"},
		{"https://tools.example", "https://tools.example/", "https://tools.example/.well-known/oauth-protected-resource"},
		{"http://localhost:8788/a/b", "http://localhost:8788/a/b/", "http://localhost:8788/.well-known/oauth-protected-resource/a/b"},
	} {
		for _, slash := range []bool{false, true} {
			w := httptest.NewRecorder()
			f.server.ServeResourceMetadata(w, httptest.NewRequest(http.MethodGet, tc.metadata, nil), Resource{URL: tc.url, Server: "github"}, slash)
			var doc struct {
				Resource string   `json:"resource"`
				Servers  []string `json:"authorization_servers"`
				Scopes   []string `json:"scopes_supported"`
				Methods  []string `json:"bearer_methods_supported"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%d %v", w.Code, err)
			}
			want := tc.url
			if slash {
				want = tc.slashed
			}
			if doc.Resource != want || !slices.Equal(doc.Servers, []string{testIssuer}) || !slices.Equal(doc.Scopes, []string{"mcp"}) || !slices.Equal(doc.Methods, []string{"header"}) {
				t.Errorf("the document is %+v", doc)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("the headers are %v", w.Header())
			}
		}
		if got := MetadataURL(Resource{URL: tc.url}, false); got != tc.metadata {
			t.Errorf("the metadata are at %s", got)
		}
	}
	if got := MetadataURL(Resource{URL: testResource}, true); got != testIssuer+"/.well-known/oauth-protected-resource/github/" {
		t.Errorf("with a slash, the metadata are at %s", got)
	}
	w := httptest.NewRecorder()
	f.server.ServeResourceMetadata(w, httptest.NewRequest(http.MethodPost, testResource, nil), Resource{URL: testResource}, false)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d", w.Code)
	}
}

func TestChallenge(t *testing.T) {
	f := newFixture(t, nil)
	const metadata = `Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/github", scope="mcp"`
	for _, tc := range []struct {
		name, path string
		err        error
		status     int
		challenge  string
	}{
		{"no token", "/github", ErrNoToken, 401, metadata},
		{"no token, with a slash", "/github/", ErrNoToken, 401, strings.Replace(metadata, `github"`, `github/"`, 1)},
		{"a bad token", "/github", invalidToken(`"secret" reason`), 401, metadata + `, error="invalid_token", error_description="The access token is expired, revoked, or not for this server."`},
		{"trouble of our own", "/github", ErrUnavailable, 503, ""},
		{"trouble of any kind", "/github", io.EOF, 503, ""},
	} {
		for _, method := range []string{"GET", "POST", "HEAD", "DELETE"} {
			w := httptest.NewRecorder()
			f.server.Challenge(w, httptest.NewRequest(method, testIssuer+tc.path, nil), Resource{URL: testResource}, tc.err)
			if got := strings.Join(w.Header().Values("WWW-Authenticate"), "|"); w.Code != tc.status || got != tc.challenge {
				t.Errorf("%s, %s: %d %s", tc.name, method, w.Code, got)
			}
			if w.Header().Get("Cache-Control") != "no-store" || (tc.status == 503) != (w.Header().Get("Retry-After") != "") || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s, %s: %v %s", tc.name, method, w.Header(), w.Body)
			}
		}
	}
}

// Anybody can check our access tokens with the published keys; the private half is not among them.
func TestJWKS(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	res := f.do(httptest.NewRequest(http.MethodGet, testIssuer+"/jwks", nil))
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%s: %v", body, err)
	}
	if _, public := set.Keys[0].Key.(*ecdsa.PublicKey); !public || strings.Contains(string(body), `"d"`) || set.Keys[0].Use != "sig" || set.Keys[0].Algorithm != "ES256" {
		t.Errorf("the key is %s", body)
	}
	parsed, err := jwt.ParseSigned(a.Access, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(set.Key(parsed.Headers[0].KeyID)[0].Key, &claims); err != nil || claims.Issuer != testIssuer || !claims.Audience.Contains(testResource) {
		t.Errorf("got %+v, %v", claims, err)
	}
}

func TestCORS(t *testing.T) {
	f := newFixture(t, nil)
	preflight := func(path string, headers ...string) *http.Response {
		r := httptest.NewRequest(http.MethodOptions, testIssuer+path, nil)
		r.Header.Set("Origin", "https://playground.example")
		r.Header.Set("Access-Control-Request-Method", "POST")
		for _, h := range headers {
			r.Header.Add("Access-Control-Request-Headers", h)
		}
		return f.do(r)
	}
	for _, path := range []string{"/token", "/register", "/revoke", "/jwks", wellKnownServer, wellKnownOpenID} {
		res := preflight(path, "authorization,content-type,mcp-protocol-version")
		h := res.Header
		if res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Headers") != "authorization,content-type,mcp-protocol-version" ||
			h.Get("Access-Control-Allow-Methods") == "" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %s %v", path, res.Status, h)
		}
	}
	for _, path := range []string{"/authorize", "/consent", "/signin", "/callback"} {
		if res := preflight(path, "authorization"); res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Origin") != "" ||
			res.Header.Get("Access-Control-Allow-Headers") != "" || res.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("a page: %s: %s %v", path, res.Status, res.Header)
		}
	}
	for _, bad := range []string{strings.Repeat("a", maxRequestedHeaders+1), "a\"b", "a<b", "ä"} {
		if got := preflight("/token", bad).Header.Get("Access-Control-Allow-Headers"); got != "" {
			t.Errorf("%.20q is echoed: %q", bad, got)
		}
	}
	res := f.post("/token", nil)
	if res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Expose-Headers") == "" {
		t.Errorf("an error has the headers %v", res.Header)
	}
}
