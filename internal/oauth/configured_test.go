package oauth

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity/local"
)

// aliceConfigured is alice as the operator has written her down.
func aliceConfigured(t *testing.T, roles ...string) local.User {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return local.User{Name: "alice", Hash: string(hash), DisplayName: "Alice", Roles: roles}
}

// users has the local users of the configuration as the only way to sign in.
func users(t *testing.T, users ...local.User) func(*Config) {
	t.Helper()
	return func(c *Config) {
		p, err := local.New("", users, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		c.Providers = []identity.Provider{p}
	}
}

// Whom the operator demotes has fewer rights from the reload on, not from the next reading of their roles.
func TestALocalUserIsDemotedByTheReload(t *testing.T) {
	alice := aliceConfigured(t, "admin")
	f := newFixture(t, users(t, alice))
	clientID, a := f.newTokens()
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"admin"}) {
		t.Fatalf("roles are %v", got)
	}
	alice.Roles = []string{"member"}
	reloaded := newFixtureOn(t, f.clock, f.store, users(t, alice))
	if got := reloaded.rolesOf(a.Access); !slices.Equal(got, []string{"member"}) {
		t.Errorf("after the reload, roles are %v", got)
	}
	b := reloaded.refreshed(clientID, a.Refresh)
	if got := reloaded.rolesOf(b.Access); !slices.Equal(got, []string{"member"}) {
		t.Errorf("after a refresh, roles are %v", got)
	}
}

// Whom the operator removes, or gives another password, is out with the reload, whichever they try first.
func TestALocalUserIsRemovedByTheReload(t *testing.T) {
	alice := aliceConfigured(t, "admin")
	bob := alice
	bob.Name = "bob"
	for name, after := range map[string]local.User{"removed": bob, "another password": aliceConfigured(t, "admin")} {
		t.Run(name+", noticed by a call", func(t *testing.T) {
			f := newFixture(t, users(t, alice))
			clientID, a := f.newTokens()
			reloaded := newFixtureOn(t, f.clock, f.store, users(t, after))
			if _, err := reloaded.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
				t.Errorf("a call: %v", err)
			}
			reloaded.dead(clientID, a)
		})
		t.Run(name+", noticed by a refresh", func(t *testing.T) {
			f := newFixture(t, users(t, alice))
			clientID, a := f.newTokens()
			newFixtureOn(t, f.clock, f.store, users(t, after)).dead(clientID, a)
		})
	}
}

// A node that was reading the roles when the configuration was replaced, or that died over it, does not put the change off.
func TestAReloadDoesNotWaitForAnotherNode(t *testing.T) {
	alice := aliceConfigured(t, "admin")
	f := newFixture(t, users(t, alice))
	_, a := f.newTokens()
	if _, err := f.server.updateGrant(t.Context(), f.grantOf(a), func(g *grantRecord) error {
		g.Asking, g.Retry = f.clock.now().Add(askingTTL), f.clock.now().Add(askRetry)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	alice.Roles = nil
	if got := newFixtureOn(t, f.clock, f.store, users(t, alice)).rolesOf(a.Access); len(got) != 0 {
		t.Errorf("roles are %v", got)
	}
}

// choosy is a provider elsewhere, whose configuration accepts some organizations.
type choosy struct {
	*localProvider
	accepted string
}

func (c choosy) Outdated(p *identity.Person) bool { return p.Org != c.accepted }

// A provider elsewhere is not asked about everybody after each reload; an organization that was taken out is out at once.
func TestAnOrganizationIsTakenOutByTheReload(t *testing.T) {
	elsewhere := newLocalProvider()
	accept := func(org string) func(*Config) {
		return func(c *Config) { c.Providers = []identity.Provider{choosy{elsewhere, org}} }
	}
	f := newFixture(t, accept("org_1"))
	clientID, a := f.newTokens()
	for range 3 {
		reloaded := newFixtureOn(t, f.clock, f.store, accept("org_1"))
		reloaded.rolesOf(a.Access)
		a = reloaded.refreshed(clientID, a.Refresh)
	}
	if n := elsewhere.asked(); n != 0 {
		t.Errorf("after reloads that change nothing, the provider was asked %d times", n)
	}
	elsewhere.set(&identity.Denied{Reason: "Your organization may no longer use this."})
	reloaded := newFixtureOn(t, f.clock, f.store, accept("org_2"))
	if _, err := reloaded.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a call: %v", err)
	}
	reloaded.dead(clientID, a)
}

// Rights that the configuration has taken back are not lent on because its provider fails.
func TestWhatIsOutdatedIsNotUsed(t *testing.T) {
	elsewhere := newLocalProvider()
	f := newFixture(t, func(c *Config) { c.Providers = []identity.Provider{choosy{elsewhere, "org_1"}} })
	_, a := f.newTokens()
	elsewhere.set(errors.New("no answer"))
	reloaded := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Providers = []identity.Provider{choosy{elsewhere, "org_2"}} })
	if _, err := reloaded.call(a.Access, testResource); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a call: %v", err)
	}
}
