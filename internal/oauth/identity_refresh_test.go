package oauth

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// rolesOf makes a call, and returns the roles it is judged by.
func (f *fixture) rolesOf(token string) []string {
	f.t.Helper()
	access, err := f.call(token, testResource)
	if err != nil {
		f.t.Fatal(err)
	}
	return access.Subject.Roles
}

// A changed role is felt at the first call after identity_refresh, without a new token.
func TestRolesAreLive(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"admin"}) {
		t.Fatalf("roles are %v", got)
	}
	f.local.set(nil, "member")
	f.clock.advance(f.server.cfg.IdentityRefresh)
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"member"}) {
		t.Errorf("roles are %v", got)
	}
	if n := f.local.asked(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// An agent that is busy all the time never waits: its roles are read anew a little early, beside the call.
func TestRolesAreReadAhead(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	f.rolesOf(a.Access)
	f.local.set(nil, "member")
	f.local.gate = make(chan struct{})
	f.clock.advance(f.server.askAhead())
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"admin"}) {
		t.Errorf("the call's roles are %v", got)
	}
	close(f.local.gate)
	f.server.asks.wait()
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"member"}) {
		t.Errorf("roles are %v", got)
	}
}

// The session is rotated by every call to the provider: each one is shown once, in order, also by many calls at once.
func TestSessionsAreShownOnce(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	for range 4 {
		f.clock.advance(f.server.cfg.IdentityRefresh)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if i%4 == 0 {
					f.read(f.post("/token", refreshForm(clientID, a.Refresh)))
				} else if _, err := f.call(a.Access, testResource); err != nil {
					t.Errorf("a call: %v", err)
				}
			})
		}
		wg.Wait()
	}
	f.server.Close()
	for i, session := range f.local.sent {
		if want := "session-0" + string(bytes.Repeat([]byte("+"), i)); string(session) != want {
			t.Errorf("call %d showed %s, want %s", i, session, want)
		}
	}
	if len(f.local.sent) != 4 {
		t.Errorf("the provider was asked %d times", len(f.local.sent))
	}
}

// An outage is ridden out up to max_stale, with the roles of before, and is then told as one that passes.
func TestAnOutageOfTheProvider(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	f.local.set(&identity.Unavailable{Err: errors.New("connection refused")}, "member")

	f.clock.advance(30 * time.Minute)
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"admin"}) {
		t.Errorf("roles are %v", got)
	}
	a = f.refreshed(clientID, a.Refresh)
	if n := f.local.asked(); n != 1 {
		t.Errorf("the provider was asked %d times within %v", n, askRetry)
	}
	f.clock.advance(31 * time.Minute)
	if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) {
		t.Errorf("a call past max_stale: %v", err)
	}
	res := f.post("/token", refreshForm(clientID, a.Refresh))
	if got := f.read(res); got.Status != http.StatusServiceUnavailable || got.Error != codeTemporarilyUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("a refresh past max_stale: %+v", got)
	}
	if n := f.local.asked(); n != 2 {
		t.Errorf("the provider was asked %d times", n)
	}
	f.local.set(nil, "member")
	f.clock.advance(askRetry)
	a = f.refreshed(clientID, a.Refresh)
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"member"}) {
		t.Errorf("after the outage, roles are %v", got)
	}
}

// A session that was rotated by a call that then failed is the one to show next.
func TestASessionRotatedByAFailedCallIsKept(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	f.local.rotated = []byte("session-new")
	f.local.set(&identity.Unavailable{RetryAfter: time.Second})
	f.clock.advance(f.server.cfg.IdentityRefresh)
	f.rolesOf(a.Access)
	f.clock.advance(time.Minute)
	f.rolesOf(a.Access)
	if got := string(f.local.sent[len(f.local.sent)-1]); got != "session-new" || len(f.local.sent) != 2 {
		t.Errorf("after %d calls the session is %s", len(f.local.sent), got)
	}
}

// A session that has ended ends the grant: for calls and for refreshes.
func TestAnEndedSessionEndsTheGrant(t *testing.T) {
	for name, reason := range map[string]error{
		"revoked":                       identity.ErrEnded,
		"no longer of the organization": &identity.Denied{Reason: "gone"},
	} {
		t.Run(name+", noticed by a call", func(t *testing.T) {
			f := newFixture(t, nil)
			clientID, a := f.newTokens()
			f.local.set(reason)
			f.clock.advance(f.server.cfg.IdentityRefresh)
			if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
				t.Errorf("a call: %v", err)
			}
			f.dead(clientID, a)
			if len(f.audit.find("revoke", decisionAllow)) != 1 {
				t.Error("there is no audit record")
			}
		})
		t.Run(name+", noticed by a refresh", func(t *testing.T) {
			f := newFixture(t, nil)
			clientID, a := f.newTokens()
			f.local.set(reason)
			f.clock.advance(f.server.cfg.IdentityRefresh)
			f.dead(clientID, a)
		})
	}
}

// A provider that answers for somebody else is not believed.
func TestAProviderThatAnswersForSomebodyElse(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Providers = []identity.Provider{mixedUp{newLocalProvider()}} })
	_, a := f.newTokens()
	f.clock.advance(f.server.cfg.IdentityRefresh)
	access, err := f.call(a.Access, testResource)
	if err != nil || access.Subject.ID != "local:alice" || !slices.Equal(access.Subject.Roles, []string{"admin"}) {
		t.Errorf("got %+v, %v", access, err)
	}
}

// mixedUp mixes up people.
type mixedUp struct{ *localProvider }

func (mixedUp) Refresh(_ context.Context, p *identity.Person) (*identity.Person, error) {
	other := *p
	other.ID, other.Roles = "mallory", []string{"owner"}
	return &other, nil
}

// A provider that hangs holds up nobody whose roles may still be used for long, and nothing else at all.
func TestARefreshDuringAHangingProvider(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	f.local.gate = make(chan struct{})
	f.rolesOf(a.Access)
	f.clock.advance(f.server.askAhead())
	f.rolesOf(a.Access) // begins to ask, beside
	b := f.refreshed(clientID, a.Refresh)
	if err := f.server.Revoke(t.Context(), f.grantOf(b)); err != nil {
		t.Fatal(err)
	}
	close(f.local.gate)
	f.server.asks.wait()
	f.dead(clientID, b)
}

// grantOf is the grant of an access token.
func (f *fixture) grantOf(a answer) string {
	f.t.Helper()
	claims, err := f.server.parseAccessToken(f.t.Context(), a.Access)
	if err != nil {
		f.t.Fatal(err)
	}
	return claims.Grant
}

// Two nodes with one store: only one of them asks, the other goes on with what is known.
func TestTwoNodesAskOnce(t *testing.T) {
	// The mark of the one that asks lasts longer than from askAhead to there, on a clock that does not tick by itself.
	every := func(c *Config) { c.IdentityRefresh = 2 * askingTTL }
	f := newFixture(t, every)
	_, a := f.newTokens()
	g := newFixtureOn(t, f.clock, f.store, func(c *Config) {
		every(c)
		c.Providers = []identity.Provider{f.local, f.hosted}
	})
	f.server.askWait, g.server.askWait = time.Millisecond, time.Millisecond
	f.rolesOf(a.Access)
	g.rolesOf(a.Access)
	f.local.gate = make(chan struct{})
	f.local.set(nil, "member")
	f.clock.advance(f.server.askAhead())
	f.rolesOf(a.Access) // begins to ask, beside
	f.clock.advance(f.server.cfg.IdentityRefresh - f.server.askAhead())
	for f.local.asked() == 0 {
		f.rolesOf(a.Access)
	}
	if got := g.rolesOf(a.Access); !slices.Equal(got, []string{"admin"}) {
		t.Errorf("the other node's roles are %v", got)
	}
	close(f.local.gate)
	f.server.asks.wait()
	f.clock.advance(grantStateTTL)
	if got := g.rolesOf(a.Access); !slices.Equal(got, []string{"member"}) || f.local.asked() != 1 {
		t.Errorf("the other node's roles are %v after %d calls", got, f.local.asked())
	}
}
