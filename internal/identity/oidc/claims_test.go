package oidc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// plain makes a provider that nothing has to be asked of.
func plain(t testing.TB, change func(*Config)) *Provider {
	t.Helper()
	cfg := Config{Issuer: "https://id.example.com", ClientID: testClient, RoleClaims: []string{"roles"}, Allow: []Admission{{Any: true}}}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhoIsLetIn(t *testing.T) {
	for _, c := range []struct {
		name   string
		allow  []Admission
		claims string
		in     bool
	}{
		{"any", []Admission{{Any: true}}, `{}`, true},
		{"a verified address of the domain", []Admission{{Domains: []string{"example.com"}}}, `{"email":"a@Example.com","email_verified":true}`, true},
		{"an unverified address", []Admission{{Domains: []string{"example.com"}}}, `{"email":"a@example.com","email_verified":false}`, false},
		{"an address nobody says is verified", []Admission{{Domains: []string{"example.com"}}}, `{"email":"a@example.com"}`, false},
		{"an address of another domain", []Admission{{Domains: []string{"example.com"}}}, `{"email":"a@example.com.evil","email_verified":true}`, false},
		{"an address in a list", []Admission{{Domains: []string{"example.com"}}}, `{"email":["a@example.com"],"email_verified":true}`, false},
		{"a group", []Admission{{Groups: []string{"x", "staff"}}}, `{"groups":["staff"]}`, true},
		{"the group as a text", []Admission{{Groups: []string{"staff"}}}, `{"groups":"staff"}`, true},
		{"another group", []Admission{{Groups: []string{"staff"}}}, `{"groups":["staffing","Staff"]}`, false},
		{"groups of another kind", []Admission{{Groups: []string{"staff"}}}, `{"groups":{"staff":true}}`, false},
		{"a claim", []Admission{{Claim: "a.b", Values: []string{"1", "2"}}}, `{"a":{"b":["2"]}}`, true},
		{"another value", []Admission{{Claim: "a.b", Values: []string{"1"}}}, `{"a":{"b":1}}`, false},
		{"the second rule", []Admission{{Groups: []string{"x"}}, {Claim: "c", Values: []string{"y"}}}, `{"c":"y"}`, true},
		{"no rule", []Admission{{Groups: []string{"x"}}, {Claim: "c", Values: []string{"y"}}}, `{"c":"x","groups":"y"}`, false},
	} {
		var claims issuer.Claims
		if err := json.Unmarshal([]byte(c.claims), &claims); err != nil {
			t.Fatal(err)
		}
		person, err := plain(t, func(cfg *Config) { cfg.Allow = c.allow }).describe("alice", claims)
		if (err == nil) != c.in {
			t.Errorf("%s: %+v, %v", c.name, person, err)
		}
		if denied, _ := errors.AsType[*identity.Denied](err); err != nil && (denied == nil || denied.Reason != notAdmitted) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// An address that nobody has verified is nobody's: a policy that goes by it must not be fooled.
func TestOnlyAVerifiedAddressIsThePersons(t *testing.T) {
	p := plain(t, nil)
	for claims, want := range map[string]string{
		`{"email":"a@example.com","email_verified":true}`: "a@example.com", `{"email":"a@example.com"}`: "", `{"email":"a@example.com","email_verified":false}`: "",
	} {
		var c issuer.Claims
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatal(err)
		}
		if person, err := p.describe("alice", c); err != nil || person.Email != want {
			t.Errorf("%s: %+v, %v", claims, person, err)
		}
	}
	// That one address is verified says nothing of another one.
	merged := merge(issuer.Claims{"email": "ceo@example.com"}, issuer.Claims{"email": "mallory@evil.example", "email_verified": true})
	if merged.VerifiedEmail() != "mallory@evil.example" {
		t.Errorf("the address is %q", merged.VerifiedEmail())
	}
	if merged = merge(issuer.Claims{"email": "ceo@example.com"}, issuer.Claims{"email_verified": true}); merged.VerifiedEmail() != "" {
		t.Errorf("the address is %q", merged.VerifiedEmail())
	}
}

func TestWhatEverybodyHas(t *testing.T) {
	p := plain(t, func(c *Config) {
		c.Roles, c.Permissions, c.PermissionClaims = []string{"member", "guest"}, []string{"look"}, []string{"may"}
	})
	for claims, want := range map[string]string{`{}`: "member guest / look", `{"roles":["guest","admin"],"may":"draw"}`: "member guest admin / look draw"} {
		var c issuer.Claims
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatal(err)
		}
		person, err := p.describe("alice", c)
		if err != nil || strings.Join(person.Roles, " ")+" / "+strings.Join(person.Permissions, " ") != want {
			t.Errorf("%s: %+v, %v", claims, person, err)
		}
	}
}

func TestNamesOnPages(t *testing.T) {
	for claims, want := range map[string]string{
		`{"name":"Ann","preferred_username":"a"}`: "Ann", `{"given_name":"Ann","family_name":"Lee"}`: "Ann Lee", `{"family_name":"Lee"}`: "Lee",
		`{"preferred_username":"ann"}`: "ann", `{}`: "", `{"name":7}`: "", `{"name":"` + strings.Repeat("x", maxText+1) + `"}`: "",
	} {
		var c issuer.Claims
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatal(err)
		}
		if got := displayName(c); got != want {
			t.Errorf("%.60s: %.60q", claims, got)
		}
	}
}

// Where a provider says more than can be kept, what the configuration names is kept, so that a person is not turned away for the rest.
func TestLargeClaims(t *testing.T) {
	p := plain(t, func(c *Config) { c.RoleClaims = []string{"acl.roles"} })
	person, err := p.describe("alice", issuer.Claims{
		"acl": map[string]any{"roles": []any{"admin", strings.Repeat("x", maxText+1)}}, "name": "Alice", "picture": strings.Repeat("x", maxClaims),
	})
	if err != nil || person.Claims["picture"] != nil || person.Claims["name"] != "Alice" || len(person.Roles) != 1 {
		t.Errorf("%v, %v", person.Roles, err)
	}
	if p.Outdated(&identity.Person{ID: "alice", Name: "Alice", Roles: person.Roles, Claims: person.Claims, Session: (&session{Issuer: "https://id.example.com", Client: testClient}).pack()}) {
		t.Error("what was kept makes another person")
	}
	// What is said of the token is left out, unless the configuration names it.
	by := plain(t, func(c *Config) { c.OrgClaims = []string{"azp"} })
	if person, err = by.describe("alice", issuer.Claims{"azp": "app", "jti": "x"}); err != nil || person.Claims["azp"] != "app" || person.Claims["jti"] != nil {
		t.Errorf("%v, %v", person, err)
	}
	if _, err := p.describe("alice", issuer.Claims{"acl": map[string]any{"roles": strings.Repeat("x", maxClaims)}}); !errors.Is(err, errTooMuch) {
		t.Error(err)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"is no issuer":                func(c *Config) { c.Issuer = "id.example.com" },
		"must be https":               func(c *Config) { c.Issuer = "http://id.example.com" },
		"without what discovery adds": func(c *Config) { c.Issuer += "/.well-known/openid-configuration" },
		"is no name":                  func(c *Config) { c.Name = "Acme Inc" },
		"client_id is missing":        func(c *Config) { c.ClientID = "" },
		"allow is missing":            func(c *Config) { c.Allow = nil },
		"allow is any, domain":        func(c *Config) { c.Allow = []Admission{{Any: true, Groups: []string{"x"}}} },
		"allow is any, domain <":      func(c *Config) { c.Allow = []Admission{{Claim: "x"}} },
		"scopes need openid":          func(c *Config) { c.Scopes = []string{"profile"} },
		`"a b" is no scope`:           func(c *Config) { c.Scopes = []string{"openid", "a b"} },
		"state is for the gateway":    func(c *Config) { c.Parameters = map[string]string{"state": "x"} },
		"prompt none":                 func(c *Config) { c.Parameters = map[string]string{"prompt": "none"} },
		"session_ttl must be more":    func(c *Config) { c.SessionTTL = -1 },
	} {
		cfg := Config{Issuer: "https://id.example.com", ClientID: testClient, Allow: []Admission{{Any: true}}}
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	p := plain(t, nil)
	if p.Name() != "oidc" || p.Label() != "id.example.com" {
		t.Errorf("%s, %s", p.Name(), p.Label())
	}
	if p = plain(t, func(c *Config) { c.Name = "acme" }); p.Label() != "acme" {
		t.Errorf("labelled %s", p.Label())
	}
	if p = plain(t, func(c *Config) { c.Name, c.Label = "acme", "Acme" }); p.Name() != "acme" || p.Label() != "Acme" {
		t.Errorf("%s, %s", p.Name(), p.Label())
	}
}

// FuzzDescribe holds that whatever a provider says about a person makes a person within bounds, or none, and the same one again from what
// was kept.
func FuzzDescribe(f *testing.F) {
	for _, seed := range []string{
		`{"roles":["admin"],"groups":["staff"],"org":"o"}`, `{"roles":{"a":1},"email":"a@b","email_verified":"true"}`, `{"a":{"b":{"c":"x"}},"name":"N"}`, `{"roles":[null,1,"",["x"]]}`,
	} {
		f.Add(seed, "roles", "a.b.c")
	}
	f.Fuzz(func(t *testing.T, document, roles, org string) {
		var claims issuer.Claims
		if roles == "" || json.Unmarshal([]byte(document), &claims) != nil { // a rule without a claim is none
			return
		}
		p := plain(t, func(c *Config) {
			c.RoleClaims, c.OrgClaims, c.Allow = []string{roles}, []string{org}, []Admission{{Domains: []string{"b"}}, {Claim: roles, Values: []string{"admin"}}, {Any: true}}
		})
		person, err := p.describe("alice", claims)
		if err != nil {
			return
		}
		for _, text := range append(person.Roles, person.Email, person.Name, person.Org) {
			if len(text) > maxText {
				t.Errorf("a text of %d bytes", len(text))
			}
		}
		person.Session = (&session{Issuer: p.cfg.Issuer, Client: p.cfg.ClientID}).pack()
		if p.Outdated(person) {
			again, err := p.describe("alice", issuer.Claims(person.Claims))
			t.Errorf("%s: kept as %v, described as %+v, then as %+v, %v", document, person.Claims, person, again, err)
		}
	})
}
