package oauth

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// eachDeath runs a test with a store that dies at each of its first writes.
func eachDeath(t *testing.T, run func(t *testing.T, dying func(store.Store) store.Store)) {
	t.Helper()
	for at := range int64(4) {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, after it: %v", at+1, after), func(t *testing.T) {
				run(t, func(st store.Store) store.Store { return &dyingStore{Store: st, at: at + 1, after: after} })
			})
		}
	}
}

// A process that dies while it redeems a code leaves it good for exactly one more attempt, or for none; never for two.
func TestDyingWhileACodeIsRedeemed(t *testing.T) {
	eachDeath(t, func(t *testing.T, dying func(store.Store) store.Store) {
		f := newFixture(t, nil)
		clientID, code := f.newCode()
		dead := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Store = dying(f.store) })
		got := 0
		if a := dead.read(dead.post("/token", redeem(clientID, code))); a.Status == http.StatusOK {
			got++
		} else if a.Status != http.StatusServiceUnavailable {
			t.Errorf("while dying: %+v", a)
		}
		for range 3 {
			a := f.read(f.post("/token", redeem(clientID, code)))
			if a.Status == http.StatusOK {
				got++
			} else if a.Error != codeInvalidGrant {
				t.Errorf("after a restart: %+v", a)
			}
		}
		if got > 1 {
			t.Errorf("the code gave tokens %d times", got)
		}
	})
}

// A process that dies while it refreshes costs nobody a login: the token that was shown still works after the restart.
func TestDyingWhileRefreshing(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Hour} { // the second time with roles to read anew
		eachDeath(t, func(t *testing.T, dying func(store.Store) store.Store) {
			f := newFixture(t, nil)
			clientID, a := f.newTokens()
			f.clock.advance(wait)
			dead := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Store = dying(f.store) })
			if got := dead.read(dead.post("/token", refreshForm(clientID, a.Refresh))); got.Status != http.StatusOK && got.Status != http.StatusServiceUnavailable {
				t.Errorf("while dying: %+v", got)
			}
			dead.server.Close()
			f.clock.advance(askingTTL)
			f.refreshed(clientID, a.Refresh)
		})
	}
}

// A process that dies after page 3 was answered lets the person answer again, or gives the answer that was given.
func TestDyingWhileConsentIsGiven(t *testing.T) {
	eachDeath(t, func(t *testing.T, dying func(store.Store) store.Store) {
		f := newFixture(t, nil)
		clientID := f.register(testRedirect)
		b := f.browser()
		v := b.answer(b.authorize(authorizeQuery(clientID, testRedirect)), "/consent", "decision", "allow", "provider", "local")
		v = b.answer(v, "/signin", "username", "alice", "password", "secret")
		jar := b.jar
		dead := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Store = dying(f.store) })
		fields := v.fields()
		fields.Set("decision", "allow")
		res := dead.do(b.request(http.MethodPost, testIssuer+"/consent", fields))
		if res.StatusCode != http.StatusServiceUnavailable && res.StatusCode != http.StatusSeeOther {
			t.Errorf("while dying: %s", res.Status)
		}
		b.jar = jar
		code := b.answer(v, "/consent", "decision", "allow").code(t, testRedirect)
		if a := f.read(f.post("/token", redeem(clientID, code))); a.Status != http.StatusOK {
			t.Errorf("the code gives %+v", a)
		}
	})
}
