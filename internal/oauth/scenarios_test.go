package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// conformant is a client that does what the scenarios of the official conformance suite ask of one (auth/*), and finds everything out by
// itself: it is given the URL of the server and nothing else.
type conformant struct {
	// resource is how it finds the metadata of the resource: by the challenge's "header", at the "well-known" place, or "none" for a client
	// of 2025-03-26, which does not know of them.
	resource string
	// metadata is the well-known name under which it looks for the authorization server; "" for a client that takes /authorize, /token and
	// /register of the server's host for granted (2025-03-26).
	metadata string
	// scope is what it asks for: "challenge", "supported", "" for nothing, or else the text itself.
	scope string
	// auth is the method that it asks for when it registers.
	auth string
}

// challengeParameter is one in a WWW-Authenticate header.
var challengeParameter = regexp.MustCompile(`(\w+)="([^"]*)"`)

// servers is what a client of the scenarios needs to know of an authorization server.
type servers struct {
	Issuer    string   `json:"issuer"`
	Authorize string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	Register  string   `json:"registration_endpoint"`
	Methods   []string `json:"token_endpoint_auth_methods_supported"`
	Scopes    []string `json:"scopes_supported"`
	Iss       bool     `json:"authorization_response_iss_parameter_supported"`
}

// get reads a JSON document into v.
func (f *fixture) get(h http.HandlerFunc, address string, v any) {
	f.t.Helper()
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest(http.MethodGet, address, nil))
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil || w.Code != http.StatusOK {
		f.t.Fatalf("%s answers %d, %v", address, w.Code, err)
	}
}

// signIn goes from the first refusal to a token and a call with it, as alice.
func (c conformant) signIn(f *fixture, res Resource) answer {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.server.Challenge(w, httptest.NewRequest(http.MethodPost, res.URL, nil), res, ErrNoToken)
	challenge := make(map[string]string)
	for _, m := range challengeParameter.FindAllStringSubmatch(w.Header().Get("WWW-Authenticate"), -1) {
		challenge[m[1]] = m[2]
	}
	at, _ := url.Parse(res.URL)
	place := at.Scheme + "://" + at.Host + wellKnownResource + at.Path
	if c.resource == "header" {
		place = challenge["resource_metadata"]
	}
	doc := resourceMetadata{AuthorizationServers: []string{at.Scheme + "://" + at.Host}}
	if c.resource != "none" {
		f.get(func(w http.ResponseWriter, r *http.Request) { f.server.ServeResourceMetadata(w, r, res, false) }, place, &doc)
		if doc.Resource != res.URL { // auth/resource-mismatch
			f.t.Errorf("the resource calls itself %s", doc.Resource)
		}
	}
	issuer := doc.AuthorizationServers[0]
	as := servers{Issuer: issuer, Authorize: issuer + "/authorize", Token: issuer + "/token", Register: issuer + "/register"}
	if c.metadata != "" {
		f.get(f.server.ServeHTTP, issuer+c.metadata, &as)
	}
	if as.Issuer != issuer { // auth/metadata-issuer-mismatch
		f.t.Errorf("%s calls itself %s", issuer, as.Issuer)
	}
	body, err := json.Marshal(map[string]any{
		"client_name": "Conformant", "redirect_uris": []string{testRedirect}, "grant_types": []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_method": c.auth,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, as.Register, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	reg := f.read(f.do(r))
	if reg.Status != http.StatusCreated || (reg.ClientSecret != "") != (c.auth != "none") {
		f.t.Fatalf("registration answers %+v", reg)
	}
	scope := c.scope
	switch scope {
	case "challenge":
		scope = challenge["scope"]
	case "supported":
		scope = strings.Join(doc.Scopes, " ")
	}
	v := f.browser().loginAt(as.Authorize, authorizeQuery(reg.ClientID, testRedirect, "scope", scope, "resource", doc.Resource))
	code := v.code(f.t, testRedirect)
	if got := v.Away.Query().Get("iss"); as.Iss && got != as.Issuer { // auth/iss-*: compared as text
		f.t.Errorf("the answer is by %q, not %q", got, as.Issuer)
	}
	if c.metadata != "" && (!as.Iss || !slices.Contains(as.Methods, c.auth) || !slices.Contains(as.Scopes, scopeOffline)) {
		f.t.Errorf("the metadata are %+v", as)
	}
	prove := func(form url.Values) (url.Values, []string) {
		switch c.auth {
		case authBasic:
			form.Del("client_id")
			return form, []string{"Authorization", basic(reg.ClientID, reg.ClientSecret)}
		case authPost:
			form.Set("client_secret", reg.ClientSecret)
		}
		return form, nil
	}
	form, header := prove(redeem(reg.ClientID, code, "resource", doc.Resource))
	path := strings.TrimPrefix(as.Token, issuer)
	a := f.read(f.post(path, form, header...))
	if a.Status != http.StatusOK {
		f.t.Fatalf("got %+v", a)
	}
	if _, err := f.call(a.Access, res.URL); err != nil {
		f.t.Errorf("the token: %v", err)
	}
	form, header = prove(refreshForm(reg.ClientID, a.Refresh))
	if again := f.read(f.post(path, form, header...)); again.Status != http.StatusOK || again.Scope != a.Scope {
		f.t.Errorf("a refresh: %+v", again)
	}
	return a
}

// TestConformanceScenarios holds that a client which behaves as the scenarios of the conformance suite want it comes in here, in each of their
// ways, see REQUIREMENTS.md.
func TestConformanceScenarios(t *testing.T) {
	for name, tc := range map[string]struct {
		client conformant
		scope  string
	}{
		"metadata-default":                     {conformant{"header", wellKnownServer, "challenge", authNone}, "mcp"},
		"metadata-var1":                        {conformant{"well-known", wellKnownOpenID, "supported", authNone}, "mcp"},
		"scope-from-www-authenticate":          {conformant{"header", wellKnownServer, "challenge", authNone}, "mcp"},
		"scope-from-scopes-supported":          {conformant{"header", wellKnownServer, "supported", authNone}, "mcp"},
		"scope-omitted-when-undefined":         {conformant{"header", wellKnownServer, "", authNone}, "mcp"},
		"scope-step-up, what a union makes":    {conformant{"header", wellKnownServer, "mcp mcp:basic mcp:write", authNone}, "mcp"},
		"offline-access-scope":                 {conformant{"header", wellKnownServer, "mcp offline_access", authNone}, "mcp offline_access"},
		"token-endpoint-auth-basic":            {conformant{"header", wellKnownServer, "challenge", authBasic}, "mcp"},
		"token-endpoint-auth-post":             {conformant{"header", wellKnownServer, "challenge", authPost}, "mcp"},
		"token-endpoint-auth-none":             {conformant{"header", wellKnownServer, "challenge", authNone}, "mcp"},
		"2025-03-26-oauth-metadata-backcompat": {conformant{"none", wellKnownServer, "", authNone}, "mcp"},
		"2025-03-26-oauth-endpoint-fallback":   {conformant{"none", "", "", authPost}, "mcp"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			if a := tc.client.signIn(f, Resource{URL: testResource, Server: "github", Mount: "/github"}); a.Scope != tc.scope {
				t.Errorf("the scope is %q", a.Scope)
			}
		})
	}
}

// TestMigrationBetweenAuthorizationServers is auth/authorization-server-migration: who comes with the client and the tokens of the server that
// a resource named before is told so in the ways that have clients register anew, and is shown no consent page on a stranger's behalf.
func TestMigrationBetweenAuthorizationServers(t *testing.T) {
	f := newFixture(t, nil)
	const foreign = "as1-client-id"
	if v := f.browser().authorize(authorizeQuery(foreign, testRedirect)); v.Status != http.StatusBadRequest || !strings.Contains(v.Body, "Client not found") {
		t.Errorf("at the authorization endpoint: %d", v.Status)
	}
	for name, form := range map[string]url.Values{
		"a code": redeem(foreign, "a-code"), "a refresh token": refreshForm(foreign, "a-token"),
		"a machine": {"grant_type": {grantClientCredentials}, "client_id": {foreign}, "client_secret": {"as1-secret"}},
	} {
		if a := f.read(f.post("/token", form)); a.Status != http.StatusUnauthorized || a.Error != codeInvalidClient {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if _, err := f.call("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FzMS5leGFtcGxlIn0.AAAA", testResource); err == nil {
		t.Error("the token of the other server is good")
	}
	(conformant{"header", wellKnownServer, "challenge", authNone}).signIn(f, Resource{URL: testResource, Server: "github", Mount: "/github"})
}
