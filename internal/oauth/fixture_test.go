package oauth

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// The world that most tests play in.
const (
	testIssuer   = "https://mcp.example.com"
	testResource = testIssuer + "/github"
	testImages   = testIssuer + "/images"
	testRedirect = "http://127.0.0.1:33418/callback"
	webRedirect  = "https://agent.example/callback"
)

// clock is a clock that stands still.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// sink keeps audit records.
type sink struct {
	mu      sync.Mutex
	records []audit.Record
}

func (s *sink) Record(r *audit.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, *r)
}

// find returns the records of an event with a decision.
func (s *sink) find(event, decision string) []audit.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.records), func(r audit.Record) bool { return r.Event != event || r.Decision != decision })
}

// fixture is an authorization server, and what it stands on.
type fixture struct {
	t      testing.TB
	clock  *clock
	store  store.Store
	audit  *sink
	local  *localProvider
	hosted *hostedProvider
	server *Server
}

// newFixture makes a server; change may change its configuration.
func newFixture(t testing.TB, change func(*Config)) *fixture {
	t.Helper()
	c := newClock()
	return newFixtureOn(t, c, storetest.NewMemory(c.now), change)
}

// newFixtureOn makes a server on a store that may have been used before.
func newFixtureOn(t testing.TB, c *clock, st store.Store, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: c, store: st, audit: new(sink), local: newLocalProvider(), hosted: newHostedProvider()}
	sealer := sync.OnceValues(func() (*seal.Sealer, error) { return seal.Load(context.Background(), st) })
	cfg := Config{
		Issuer: testIssuer, Resources: func() []Resource {
			return []Resource{{URL: testResource, Server: "github", Mount: "/github"}, {URL: testImages, Server: "images", Mount: "/images"}}
		},
		DefaultResource: testResource, Providers: []identity.Provider{f.local, f.hosted}, Store: st,
		Sealer: func(context.Context) (*seal.Sealer, error) { return sealer() }, Dynamic: true, Audit: f.audit, Now: c.now,
		Static: []StaticClient{
			{ID: "desktop", Public: true, RedirectURIs: []string{"http://127.0.0.1/callback"}},
			{ID: "portal", Name: "The Portal", Secret: "port:al secret+%", RedirectURIs: []string{webRedirect}},
			{ID: "ci-bot", Secret: "bot-secret", Grants: []string{grantClientCredentials}, Roles: []string{"deployer"}},
		},
		Abilities: func(s *policy.Subject, res Resource) ([]pages.Ability, bool) {
			return []pages.Ability{{Title: "Use tools of " + res.Server, Items: s.Roles}}, len(s.Roles) == 0
		},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.server.Close)
	return f
}

// do serves one request.
func (f *fixture) do(r *http.Request) *http.Response {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	res := w.Result()
	if res.StatusCode >= 500 && res.StatusCode != http.StatusServiceUnavailable {
		f.t.Errorf("%s %s answered %s", r.Method, r.URL, res.Status)
	}
	return res
}

// post posts a form as a program does; headers are pairs.
func (f *fixture) post(path string, form url.Values, headers ...string) *http.Response {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodPost, testIssuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return f.do(r)
}

// answer is the JSON of a token request, good or bad.
type answer struct {
	Status       int
	Access       string `json:"access_token"`
	Type         string `json:"token_type"`
	Refresh      string `json:"refresh_token"`
	Scope        string `json:"scope"`
	ExpiresIn    int    `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// read reads an answer, and holds what all of them have to keep to.
func (f *fixture) read(res *http.Response) answer {
	f.t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		f.t.Fatalf("%s: %v: %s", res.Status, err, body)
	}
	a.Status = res.StatusCode
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		f.t.Errorf("Cache-Control is %q", got)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json" {
		f.t.Errorf("Content-Type is %q", got)
	}
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		f.t.Errorf("Access-Control-Allow-Origin is %q", got)
	}
	return a
}

// register registers a client and returns its id.
func (f *fixture) register(uris ...string) string {
	f.t.Helper()
	body, err := json.Marshal(map[string]any{"client_name": "Test Agent", "redirect_uris": uris})
	if err != nil {
		f.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, testIssuer+"/register", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	a := f.read(f.do(r))
	if a.Status != http.StatusCreated {
		f.t.Fatalf("registration answered %+v", a)
	}
	return a.ClientID
}

// authorizeQuery is a good authorization request; changes are pairs, and an empty value leaves a parameter out.
func authorizeQuery(clientID, redirect string, changes ...string) url.Values {
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirect}, "state": {"the-state"},
		"code_challenge": {rfcChallenge}, "code_challenge_method": {"S256"}, "resource": {testResource}, "scope": {"mcp"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		q.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return q
}

// redeem is a good request for a code's tokens.
func redeem(clientID, code string, changes ...string) url.Values {
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {code}, "redirect_uri": {testRedirect},
		"code_verifier": {rfcVerifier}, "resource": {testResource},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			form.Del(changes[i])
		}
	}
	return form
}

// refreshForm is a good request for new tokens.
func refreshForm(clientID, token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {token}}
}

// newCode logs alice in with a new client on a loopback address.
func (f *fixture) newCode() (clientID, code string) {
	f.t.Helper()
	clientID = f.register(testRedirect)
	return clientID, f.browser().login(authorizeQuery(clientID, testRedirect)).code(f.t, testRedirect)
}

// newTokens logs alice in and redeems the code.
func (f *fixture) newTokens() (clientID string, a answer) {
	f.t.Helper()
	clientID, code := f.newCode()
	a = f.read(f.post("/token", redeem(clientID, code)))
	if a.Status != http.StatusOK {
		f.t.Fatalf("the code was not redeemed: %+v", a)
	}
	return clientID, a
}

// call authenticates a call with an access token at a mount.
func (f *fixture) call(token, resource string) (*Access, error) {
	r := httptest.NewRequest(http.MethodPost, resource, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return f.server.Authenticate(context.Background(), r, Resource{URL: resource})
}
