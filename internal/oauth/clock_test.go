package oauth

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// A clock that was ahead when somebody logged in, and is then put right, must not freeze their roles until it has caught up.
func TestAClockPutBack(t *testing.T) {
	const year = 365 * 24 * time.Hour
	t.Run("roles are read anew", func(t *testing.T) {
		f := newFixture(t, nil)
		f.clock.advance(year)
		clientID, a := f.newTokens()
		f.clock.advance(-year)
		f.local.set(nil, "member")
		if b := f.refreshed(clientID, a.Refresh); !slices.Equal(f.rolesOf(b.Access), []string{"member"}) || f.local.asked() != 1 {
			t.Errorf("roles are %v after %d calls", f.rolesOf(b.Access), f.local.asked())
		}
	})
	t.Run("an ended session ends the grant", func(t *testing.T) {
		f := newFixture(t, nil)
		f.clock.advance(year)
		clientID, a := f.newTokens()
		f.clock.advance(-year)
		f.local.set(identity.ErrEnded)
		f.dead(clientID, a)
	})
	t.Run("a few seconds are no reason", func(t *testing.T) {
		f := newFixture(t, nil)
		clientID, a := f.newTokens()
		f.clock.advance(-clockSkew)
		if f.refreshed(clientID, a.Refresh); f.local.asked() != 0 {
			t.Errorf("the provider was asked %d times", f.local.asked())
		}
	})
	t.Run("marks of another node hold up nobody", func(t *testing.T) {
		f := newFixture(t, nil)
		clientID, a := f.newTokens()
		if _, err := f.server.updateGrant(t.Context(), f.grantOf(a), func(g *grantRecord) error {
			g.Asking, g.Retry = f.clock.now().Add(year), f.clock.now().Add(year)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		f.local.set(nil, "member")
		f.clock.advance(f.server.cfg.IdentityRefresh)
		if b := f.refreshed(clientID, a.Refresh); !slices.Equal(f.rolesOf(b.Access), []string{"member"}) {
			t.Errorf("roles are %v", f.rolesOf(b.Access))
		}
	})
	t.Run("the grace is over", func(t *testing.T) {
		f := newFixture(t, nil)
		clientID, a := f.newTokens()
		b := f.refreshed(clientID, a.Refresh)
		b = f.refreshed(clientID, b.Refresh)
		if _, err := f.server.updateGrant(t.Context(), f.grantOf(b), func(g *grantRecord) error {
			g.Rotated = f.clock.now().Add(year)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := f.read(f.post("/token", refreshForm(clientID, a.Refresh))); got.Status != http.StatusBadRequest || got.Error != codeInvalidGrant {
			t.Errorf("a replaced token gets %+v", got)
		}
	})
}
