package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth/foreign"
)

// elsewhere is an authorization server that exists already: it signs tokens, and answers about opaque ones.
type elsewhere struct {
	*httptest.Server
	f   *fixture
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	opaque map[string]map[string]any // what is said about opaque tokens
	asked  int
	down   bool
}

func (f *fixture) elsewhere() *elsewhere {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	e := &elsewhere{f: f, key: key, opaque: make(map[string]map[string]any)}
	e.Server = httptest.NewServer(e)
	f.t.Cleanup(e.Close)
	return e
}

// ServeHTTP implements http.Handler.
func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	var answer any
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		answer = map[string]string{"issuer": e.URL, "jwks_uri": e.URL + "/jwks", "introspection_endpoint": e.URL + "/introspect"}
	case "/jwks":
		answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: e.key.Public(), KeyID: "1", Algorithm: "ES256"}}}
	case "/introspect":
		e.asked++
		answer = map[string]any{"active": false}
		if known := e.opaque[r.FormValue("token")]; known != nil {
			answer = known
		}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// set changes what it does.
func (e *elsewhere) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// questions returns how often it was asked about a token.
func (e *elsewhere) questions() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// signed makes a token for testResource, with changes; nil takes a claim away.
func (e *elsewhere) signed(changes map[string]any) string {
	now := e.f.clock.now()
	claims := map[string]any{
		"iss": e.URL, "sub": "user_1", "aud": testResource, "client_id": "agent", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return e.f.forge(e.key, jose.ES256, "1", map[jose.HeaderKey]any{"typ": accessTokenType}, claims)
}

// accepted is what a mount is told of it.
func (e *elsewhere) accepted(asks bool, change func(*Accepted)) *Accepted {
	cfg := foreign.Config{Issuer: e.URL}
	if asks {
		cfg.ClientID, cfg.ClientSecret = "gateway", "secret"
	}
	a := &Accepted{
		Issuer: foreign.New(cfg, nil, e.f.clock.now, zap.NewNop), RoleClaims: []string{"roles"}, ClientClaims: []string{"client_id", "azp"},
	}
	if change != nil {
		change(a)
	}
	return a
}

// callAt authenticates a call with a token at a mount that accepts some issuers.
func (f *fixture) callAt(token, resource string, accepts ...*Accepted) (*Access, error) {
	r := httptest.NewRequest(http.MethodPost, resource, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return f.server.Authenticate(context.Background(), r, Resource{URL: resource, Accepts: accepts})
}

func TestWhatATokenFromElsewhereIsWorth(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	everything := func(a *Accepted) {
		a.PermissionClaims, a.OrgClaims, a.Roles = []string{"scope"}, []string{"org_id"}, []string{"guest"}
		a.Admit = []Admission{
			{Orgs: []string{"org_1"}}, {Domains: []string{"acme.example"}}, {Claim: "repository", Values: []string{"acme/app"}},
		}
	}
	mail := map[string]any{"email": "Alice@ACME.example", "email_verified": true}
	for _, tc := range []struct {
		name    string
		change  func(*Accepted)
		claims  map[string]any
		person  bool
		refused bool
	}{
		{name: "of an accepted organization", change: everything, claims: map[string]any{"org_id": "org_1"}, person: true},
		{name: "of another organization", change: everything, claims: map[string]any{"org_id": "org_2"}, refused: true},
		{name: "of no organization", change: everything, refused: true},
		{name: "of an accepted domain", change: everything, claims: mail, person: true},
		{name: "of an address nobody has checked", change: everything, claims: map[string]any{"email": "a@acme.example"}, refused: true},
		{name: "of an address that only ends so", change: everything, claims: map[string]any{"email": "a@evil.acme.example.evil", "email_verified": true}, refused: true},
		{name: "of a longer domain", change: everything, claims: map[string]any{"email": "a@notacme.example", "email_verified": true}, refused: true},
		{name: "of CI", change: everything, claims: map[string]any{"repository": "acme/app"}},
		{name: "of somebody else's CI", change: everything, claims: map[string]any{"repository": "evil/app"}, refused: true},
		{name: "of a machine in an accepted organization", change: everything, claims: map[string]any{"org_id": "org_1", "sub": "agent"}},
		{name: "where nothing is said of whom to let in"},
		{name: "where nothing is said, and there is an organization", claims: map[string]any{"org_id": "org_1"}},
		{name: "where all are let in", change: func(a *Accepted) { a.Admit = []Admission{{Any: true}} }},
		{name: "where all are let in, of a person", change: func(a *Accepted) { a.Admit = []Admission{{Any: true}} }, claims: mail, person: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims := map[string]any{"roles": []string{"member"}, "scope": "read write"}
			maps.Copy(claims, tc.claims)
			a := e.accepted(false, tc.change)
			access, err := f.callAt(e.signed(claims), testResource, a)
			if tc.refused {
				if !errors.Is(err, ErrInvalidToken) {
					t.Fatalf("got %+v, %v", access, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantRoles, wantPermissions := []string{"member"}, []string(nil)
			if len(a.Roles) > 0 {
				wantRoles, wantPermissions = []string{"guest", "member"}, []string{"read", "write"}
			}
			s := access.Subject
			if s.Machine == tc.person || (access.Person != nil) != tc.person || !slices.Equal(s.Roles, wantRoles) || !slices.Equal(s.Permissions, wantPermissions) {
				t.Errorf("got %+v", s)
			}
			sub := "user_1"
			if tc.claims["sub"] != nil {
				sub = "agent"
			}
			if s.ID != e.URL+"#"+sub || access.ClientID != "agent" || !strings.HasPrefix(access.GrantID, foreignGrant) ||
				!access.Expires.Equal(f.clock.now().Add(time.Hour)) {
				t.Errorf("got %+v of %s", access, s.ID)
			}
		})
	}
	// What is done with a token is counted for who it is of, whatever token it is.
	a := e.accepted(false, nil)
	first, err1 := f.callAt(e.signed(map[string]any{"jti": "1"}), testResource, a)
	second, err2 := f.callAt(e.signed(map[string]any{"jti": "2"}), testResource, a)
	other, err3 := f.callAt(e.signed(map[string]any{"client_id": nil, "azp": "other"}), testResource, a)
	if err := errors.Join(err1, err2, err3); err != nil || first.GrantID != second.GrantID || first.GrantID == other.GrantID || other.ClientID != "other" {
		t.Errorf("%v: %+v %+v %+v", err, first, second, other)
	}
}

// A token of one issuer is good where that issuer is listed, for that mount, and nowhere else.
func TestATokenFromElsewhereIsForOneMountAndOfOneIssuer(t *testing.T) {
	f := newFixture(t, nil)
	one, two := f.elsewhere(), f.elsewhere()
	a, b := one.accepted(false, nil), two.accepted(false, nil)
	_, ours := f.newTokens()
	forTwo := one.f.forge(one.key, jose.ES256, "1", map[jose.HeaderKey]any{"typ": accessTokenType}, map[string]any{
		"iss": two.URL, "sub": "user_1", "aud": testResource, "exp": f.clock.now().Add(time.Hour).Unix(),
	})
	asUs := one.f.forge(one.key, jose.ES256, "1", map[jose.HeaderKey]any{"typ": accessTokenType}, map[string]any{
		"iss": testIssuer, "sub": "x", "aud": testResource, "client_id": "desktop", "gid": f.grantOf(ours), "exp": f.clock.now().Add(time.Hour).Unix(),
		"iat": f.clock.now().Unix(),
	})
	audience := func(of any) string { return one.signed(map[string]any{"aud": of}) }
	for _, tc := range []struct {
		name, token, resource string
		accepts               []*Accepted
		good                  bool
	}{
		{"where its issuer is listed", one.signed(nil), testResource, []*Accepted{b, a}, true},
		{"for the URL with a slash", audience(testResource + "/"), testResource, []*Accepted{a}, true},
		{"for several, ours among them", audience([]string{"https://x.example", testResource}), testResource, []*Accepted{a}, true},
		{"where no issuer is listed", one.signed(nil), testResource, nil, false},
		{"where only another is listed", one.signed(nil), testResource, []*Accepted{b}, false},
		{"at another mount", one.signed(nil), testImages, []*Accepted{a}, false},
		{"for the whole site", audience(testIssuer), testResource, []*Accepted{a}, false},
		{"for something below", audience(testResource + "/x"), testResource, []*Accepted{a}, false},
		{"for nobody", audience(nil), testResource, []*Accepted{a}, false},
		{"for its client", audience("agent"), testResource, []*Accepted{a}, false},
		{"signed by one as the other", forTwo, testResource, []*Accepted{a, b}, false},
		{"signed by one as us", asUs, testResource, []*Accepted{a}, false},
		{"ours", ours.Access, testResource, []*Accepted{a, b}, true},
		{"ours, at another mount", ours.Access, testImages, []*Accepted{a, b}, false},
		{"for the audience that is configured", audience("api"), testResource, []*Accepted{one.accepted(false, func(a *Accepted) { a.Audiences = []string{"api"} })}, true},
		{"for the URL where another audience is configured", one.signed(nil), testResource, []*Accepted{one.accepted(false, func(a *Accepted) { a.Audiences = []string{"api"} })}, false},
	} {
		for range 2 { // the second time, it might come from the cache
			if access, err := f.callAt(tc.token, tc.resource, tc.accepts...); tc.good != (err == nil) || err != nil && !errors.Is(err, ErrInvalidToken) {
				t.Errorf("a token %s: %+v, %v", tc.name, access, err)
			}
		}
	}
	// One that was good at a mount opens no other, and is forgotten when its issuer is taken off the list.
	both := one.signed(map[string]any{"aud": []string{testResource, testImages}})
	if _, err := f.callAt(both, testResource, a); err != nil {
		t.Fatal(err)
	}
	if _, err := f.callAt(both, testImages, b); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("at another mount: %v", err)
	}
	if _, err := f.callAt(both, testResource, b); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("once its issuer is not accepted any more: %v", err)
	}
}

func TestMetadataNameWhoElseIssuesTokens(t *testing.T) {
	f := newFixture(t, nil)
	one, two := f.elsewhere(), f.elsewhere()
	res := Resource{URL: testResource, Server: "github", Mount: "/github", Accepts: []*Accepted{
		one.accepted(false, nil), two.accepted(false, func(a *Accepted) { a.Unlisted = true }),
	}}
	w := httptest.NewRecorder()
	f.server.ServeResourceMetadata(w, httptest.NewRequest(http.MethodGet, testIssuer+wellKnownResource+"/github", nil), res, false)
	var doc resourceMetadata
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || !slices.Equal(doc.AuthorizationServers, []string{testIssuer, one.URL}) {
		t.Errorf("%v: %s", err, w.Body)
	}
	// Where nobody can sign in here, clients of people must not come to a dead end first.
	for name, tc := range map[string]struct {
		static  []StaticClient
		accepts []*Accepted
		want    []string
	}{
		"for programs":      {f.server.cfg.Static, res.Accepts, []string{one.URL, testIssuer}},
		"for nobody":        {nil, res.Accepts, []string{one.URL}},
		"for programs only": {f.server.cfg.Static, nil, []string{testIssuer}},
	} {
		bare := newFixture(t, func(c *Config) { c.Providers, c.Static = nil, tc.static })
		res := res
		res.Accepts = tc.accepts
		if got := bare.server.serversOf(res); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q", name, got)
		}
		if got := bare.do(httptest.NewRequest(http.MethodPost, testIssuer+"/register", strings.NewReader(`{"redirect_uris":["`+testRedirect+`"]}`))); got.StatusCode < 400 {
			t.Errorf("%s: a client can register, for nothing", name)
		}
	}
	// The challenge stays one, and points there.
	w = httptest.NewRecorder()
	f.server.Challenge(w, httptest.NewRequest(http.MethodPost, testResource, nil), res, ErrNoToken)
	if got := w.Header().Values("WWW-Authenticate"); len(got) != 1 || strings.Count(got[0], "Bearer") != 1 {
		t.Errorf("the challenge is %q", got)
	}
}
