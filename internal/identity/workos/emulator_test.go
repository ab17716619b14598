package workos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// The tests in this file run against WorkOS' official emulator.

const (
	insider     = "alice@acme.test"
	outsider    = "bob@other.test"
	homeless    = "carol@nowhere.test"
	everywhere  = "dave@both.test"
	impersonate = "erin@acme.test"
	callbackURL = "http://localhost:8788/callback"
)

func emulate(t *testing.T) *peers.Emulator {
	return peers.WorkOS(t, peers.WorkOSSeed{
		Users: []peers.WorkOSUser{
			{Email: insider, FirstName: "Alice", LastName: "Jones", EmailVerified: true},
			{Email: outsider, FirstName: "Bob", EmailVerified: true},
			{Email: homeless},
			{Email: everywhere},
			{Email: impersonate, Impersonator: &peers.WorkOSImpersonator{Email: "staff@workos.test", Reason: "help"}},
		},
		Organizations: []peers.WorkOSOrganization{{Name: "Acme"}, {Name: "Other"}},
		Permissions:   []peers.WorkOSPermission{{Slug: "image_generation", Name: "Make images"}, {Slug: "delete", Name: "Delete"}},
		Roles: []peers.WorkOSRole{
			{Slug: "admin", Name: "Admin", Permissions: []string{"image_generation", "delete"}},
			{Slug: "artist", Name: "Artist", Permissions: []string{"image_generation"}},
			{Slug: "member", Name: "Member"},
		},
		Memberships: []peers.WorkOSMembership{
			{Email: insider, Organization: "Acme", Role: "artist"},
			{Email: outsider, Organization: "Other", Role: "admin"},
			{Email: everywhere, Organization: "Acme", Role: "member"},
			{Email: everywhere, Organization: "Other", Role: "admin"},
			{Email: impersonate, Organization: "Acme", Role: "member"},
		},
	})
}

// faults is a transport that answers some requests itself: for what the emulator can't be told to do.
type faults struct {
	mu   sync.Mutex
	next func(*http.Request) (*http.Response, error) // for authenticate; nil passes
}

// RoundTrip implements http.RoundTripper.
func (f *faults) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	next := f.next
	f.mu.Unlock()
	if next != nil && strings.HasSuffix(req.URL.Path, "/user_management/authenticate") {
		return next(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

func (f *faults) set(next func(*http.Request) (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

// answer makes the transport answer with a status.
func answer(status int, header http.Header, body string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		if header == nil {
			header = http.Header{}
		}
		header.Set("Content-Type", "application/json")
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}

func emulated(t *testing.T, e *peers.Emulator, adjust func(*Config)) *Provider {
	t.Helper()
	cfg := Config{
		ClientID: e.ClientID, APIKey: e.APIKey, BaseURL: e.URL, Organizations: []string{e.Organization(t, "Acme")},
	}
	if adjust != nil {
		adjust(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.replayAfter = 0
	return p
}

// visit goes to the sign-in page as a browser would and returns what comes back to our callback.
func visit(t *testing.T, p *Provider, email string) identity.Finish {
	t.Helper()
	address, secret, err := p.Start(t.Context(), identity.Start{RedirectURI: callbackURL, State: "state_1", LoginHint: email})
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(back.String(), callbackURL+"?") || back.Query().Get("state") != "state_1" {
		t.Fatalf("status %s leads to %v, %v", resp.Status, back, err)
	}
	return identity.Finish{RedirectURI: callbackURL, Query: back.Query(), Secret: secret}
}

func signIn(t *testing.T, p *Provider, email string) (*identity.Person, error) {
	t.Helper()
	return p.Finish(t.Context(), visit(t, p, email))
}

func TestEmulatorLetsMembersInAndNobodyElse(t *testing.T) {
	e := emulate(t)
	acme, other := e.Organization(t, "Acme"), e.Organization(t, "Other")
	anyOrganization := func(c *Config) { c.Organizations, c.AnyOrganization = nil, true }
	for name, c := range map[string]struct {
		email       string
		adjust      func(*Config)
		org         string
		roles       []string
		permissions []string
		denied      string
		choose      string // which is chosen, if it has to be
	}{
		"a member":                        {email: insider, org: acme, roles: []string{"artist"}, permissions: []string{"image_generation"}},
		"a member of another":             {email: outsider, denied: notAMember},
		"a member of none":                {email: homeless, denied: notAMember},
		"any, a member":                   {email: outsider, adjust: anyOrganization, org: other, roles: []string{"admin"}, permissions: []string{"image_generation", "delete"}},
		"any, a member of none":           {email: homeless, adjust: anyOrganization, denied: notAMember},
		"any, a member of both":           {email: everywhere, adjust: anyOrganization, choose: other, org: other, roles: []string{"admin"}, permissions: []string{"image_generation", "delete"}},
		"a member of both, ours is taken": {email: everywhere, org: acme, roles: []string{"member"}},
		"a member of both, both accepted": {email: everywhere, adjust: func(c *Config) { c.Organizations = []string{other, acme} }, choose: acme, org: acme, roles: []string{"member"}},
	} {
		t.Run(name, func(t *testing.T) {
			provider := emulated(t, e, c.adjust)
			person, err := signIn(t, provider, c.email)
			if choice := (*identity.Choice)(nil); errors.As(err, &choice) {
				person, err = provider.Choose(t.Context(), choice.Pending, c.choose)
			}
			var denied *identity.Denied
			if errors.As(err, &denied) {
				if denied.Reason != c.denied || person != nil {
					t.Errorf("got %+v, %q", person, denied.Reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.denied != "" {
				t.Fatalf("got in: %+v", person)
			}
			if person.ID != e.User(t, c.email) || person.Email != c.email || person.Org != c.org || person.OrgName == "" ||
				!slices.Equal(person.Roles, c.roles) || !slices.Equal(person.Permissions, c.permissions) {
				t.Errorf("got %+v", person)
			}
		})
	}
}

func TestEmulatorTellsOfAnImpersonator(t *testing.T) {
	e := emulate(t)
	p := emulated(t, e, nil)
	person, err := signIn(t, p, impersonate)
	if err != nil || person.Impersonator != "staff@workos.test" {
		t.Fatalf("got %+v, %v", person, err)
	}
	if person, err = p.Refresh(t.Context(), person); err != nil || person.Impersonator != "staff@workos.test" {
		t.Errorf("after a refresh: %+v, %v", person, err)
	}
}

func TestEmulatorRefusesBadCodes(t *testing.T) {
	e := emulate(t)
	p := emulated(t, e, nil)
	in := visit(t, p, insider)
	wrong := in
	wrong.Secret = []byte(strings.Repeat("x", 43))
	if _, err := p.Finish(t.Context(), wrong); !errors.Is(err, identity.ErrCallback) {
		t.Errorf("with another verifier: %v", err)
	}
	if _, err := p.Finish(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(t.Context(), in); !errors.Is(err, identity.ErrCallback) {
		t.Errorf("a second time: %v", err)
	}
	unknown := visit(t, p, "nobody@acme.test")
	if _, err := p.Finish(t.Context(), unknown); !errors.Is(err, identity.ErrCallback) {
		t.Errorf("unknown user: %v", err)
	}
}

func TestEmulatorRolesAreLive(t *testing.T) {
	e := emulate(t)
	p := emulated(t, e, nil)
	person, err := signIn(t, p, insider)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		role        string
		permissions []string
	}{{"member", nil}, {"admin", []string{"image_generation", "delete"}}, {"artist", []string{"image_generation"}}} {
		e.SetRole(t, insider, "Acme", step.role)
		before := bytes.Clone(person.Session)
		if person, err = p.Refresh(t.Context(), person); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(person.Roles, []string{step.role}) || !slices.Equal(person.Permissions, step.permissions) || person.Email != insider {
			t.Errorf("as %s: %+v", step.role, person)
		}
		if bytes.Equal(before, person.Session) {
			t.Error("the refresh token was not replaced")
		}
	}
}

func TestEmulatorEndsSessions(t *testing.T) {
	e := emulate(t)
	p := emulated(t, e, nil)
	for name, end := range map[string]func(t *testing.T, person *identity.Person, f *faults){
		"spent refresh token": func(t *testing.T, person *identity.Person, _ *faults) {
			if _, err := p.Refresh(t.Context(), person); err != nil {
				t.Fatal(err)
			}
		},
		"membership gone": func(t *testing.T, _ *identity.Person, _ *faults) { e.RemoveMember(t, everywhere, "Acme") },
		"user gone": func(t *testing.T, person *identity.Person, _ *faults) {
			if err := e.Users.DeleteUser(context.Background(), usermanagement.DeleteUserOpts{User: person.ID}); err != nil {
				t.Fatal(err)
			}
		},
		// This emulator forgets a revoked session but still honours its refresh token, which WorkOS does not.
		"session revoked": func(t *testing.T, person *identity.Person, f *faults) {
			sid, _ := person.Claims["sid"].(string)
			if err := e.Users.RevokeSession(context.Background(), usermanagement.RevokeSessionOpts{SessionID: sid}); err != nil {
				t.Fatal(err)
			}
			f.set(answer(400, nil, `{"error":"invalid_grant","error_description":"Session has already ended."}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			email := map[string]string{"membership gone": everywhere, "user gone": impersonate}[name]
			if email == "" {
				email = insider
			}
			f := &faults{}
			p := emulated(t, e, func(c *Config) { c.HTTPClient = &http.Client{Transport: f} })
			person, err := signIn(t, p, email)
			if err != nil {
				t.Fatal(err)
			}
			end(t, person, f)
			got, err := p.Refresh(t.Context(), person)
			if got != nil || !errors.Is(err, identity.ErrEnded) || errors.Is(err, identity.ErrUnavailable) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestEmulatorTroubleIsNoEnd(t *testing.T) {
	e := emulate(t)
	f := &faults{}
	logs, seen := observer.New(zap.DebugLevel)
	p := emulated(t, e, func(c *Config) { c.HTTPClient, c.Logger = &http.Client{Transport: f}, zap.New(logs) })
	person, err := signIn(t, p, insider)
	if err != nil {
		t.Fatal(err)
	}
	pending := visit(t, p, insider)
	trouble := func(when string, retryAfter string) {
		t.Helper()
		for what, call := range map[string]func() (*identity.Person, error){
			"refresh": func() (*identity.Person, error) { return p.Refresh(t.Context(), person) },
			"sign-in": func() (*identity.Person, error) { return p.Finish(t.Context(), pending) },
		} {
			got, err := call()
			var unavailable *identity.Unavailable
			if got != nil || !errors.As(err, &unavailable) || errors.Is(err, identity.ErrEnded) || errors.Is(err, identity.ErrCallback) {
				t.Errorf("%s, %s: got %+v, %v", when, what, got, err)
			} else if unavailable.RetryAfter.String() != retryAfter {
				t.Errorf("%s, %s: come back after %s, want %s", when, what, unavailable.RetryAfter, retryAfter)
			}
		}
	}
	f.set(answer(500, nil, `{"message":"oops","code":"server_error"}`))
	trouble("server error", "0s")
	f.set(answer(429, http.Header{"Retry-After": {"30"}}, `{"message":"slow down","code":"rate_limit_exceeded"}`))
	trouble("limit", "30s")
	f.set(func(*http.Request) (*http.Response, error) { return nil, errors.New("network is down") })
	trouble("no network", "0s")
	f.set(nil)
	refreshed, err := p.Refresh(t.Context(), person)
	if err != nil {
		t.Fatalf("the trouble is over, but %v", err)
	}
	person = refreshed
	e.Stop()
	trouble("emulator stopped", "0s")
	for _, entry := range seen.All() {
		for _, secret := range []string{e.APIKey, unpackSession(person.Session), pending.Query.Get("code"), string(pending.Secret)} {
			for _, field := range entry.Context {
				if strings.Contains(field.String, secret) || strings.Contains(entry.Message, secret) {
					t.Errorf("a secret is in the log: %s %s", entry.Message, field.String)
				}
			}
		}
	}
	if seen.Len() == 0 {
		t.Error("trouble left no trace in the log")
	}
}

func TestEmulatorTokensOfAnotherPlaceAreRefused(t *testing.T) {
	e := emulate(t)
	f := &faults{}
	tampered := func(req *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		// The payload of the token, "{"sub":…", with one bit more.
		changed := bytes.Replace(body, []byte(`.eyJzdWIi`), []byte(`.eyJzdWJi`), 1)
		if bytes.Equal(changed, body) {
			t.Error("nothing to tamper with")
		}
		return answer(resp.StatusCode, nil, string(changed))(req)
	}
	p := emulated(t, e, func(c *Config) { c.HTTPClient = &http.Client{Transport: f} })
	f.set(tampered)
	if got, err := signIn(t, p, insider); got != nil || !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("tampered: got %+v, %v", got, err)
	}
	// The same API at another address is another issuer.
	elsewhere := emulated(t, e, func(c *Config) { c.BaseURL = strings.Replace(e.URL, "localhost", "127.0.0.1", 1) })
	if got, err := signIn(t, elsewhere, insider); got != nil || !errors.Is(err, identity.ErrUnavailable) || !strings.Contains(err.Error(), "issuer") {
		t.Errorf("another issuer: got %+v, %v", got, err)
	}
	// The emulator's audience is the client that asks.
	stranger := emulated(t, e, func(c *Config) { c.ClientID = "client_other" })
	if got, err := signIn(t, stranger, insider); err != nil || !reflect.DeepEqual(got.Roles, []string{"artist"}) {
		t.Errorf("another client: got %+v, %v", got, err)
	}
}

func TestEmulatorTwoConfigurationsAtOnce(t *testing.T) {
	one, two := emulate(t), emulate(t)
	p, q := emulated(t, one, nil), emulated(t, two, nil)
	var wg sync.WaitGroup
	for e, provider := range map[*peers.Emulator]*Provider{one: p, two: q} {
		id := e.User(t, insider)
		for range 4 {
			in := visit(t, provider, insider)
			wg.Go(func() {
				person, err := provider.Finish(t.Context(), in)
				if err != nil || person.ID != id {
					t.Errorf("got %+v, %v", person, err)
				}
			})
		}
	}
	wg.Wait()
}
