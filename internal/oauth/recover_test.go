package oauth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

// A node that died while it asked is followed by one that asks again at its start, as soon as the mark of the first has ended, though nobody
// uses the grant.
func TestAnAnswerThatWasLostIsAskedForAgain(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	f.clock.advance(f.server.cfg.IdentityRefresh)
	died := f.clock.now()
	if _, err := f.server.updateGrant(t.Context(), f.grantOf(a), func(g *grantRecord) error {
		g.Asking = died.Add(askingTTL)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	next := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Providers = []identity.Provider{f.local} })
	if !next.server.stillLost(t.Context(), f.grantOf(a)) || f.local.asked() != 0 {
		t.Errorf("the provider was asked %d times while another node may be asking", f.local.asked())
	}
	f.clock.advance(askingTTL)
	next.server.Recover(t.Context())
	next.server.asks.wait()
	if n := f.local.asked(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
	next.server.Recover(t.Context())
	next.server.asks.wait()
	if n := f.local.asked(); n != 1 {
		t.Errorf("the provider was asked %d times about nothing that is lost", n)
	}
}

// Recover ends when it is told to, whatever is left.
func TestRecoveringEnds(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	if _, err := f.server.updateGrant(t.Context(), f.grantOf(a), func(g *grantRecord) error {
		g.Asking = f.clock.now().Add(askingTTL)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.server.Recover(ctx)
}

// A provider that is slow to answer is not asked by another node meanwhile, however long it takes.
func TestASlowAnswerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixtureOn(t, newClock(), storetest.NewMemory(time.Now), func(c *Config) { c.Now = time.Now })
		_, a := f.newTokens()
		time.Sleep(f.server.cfg.IdentityRefresh)
		f.local.gate = make(chan struct{})
		f.server.askWait = 0
		f.rolesOf(a.Access)
		for range 20 {
			time.Sleep(time.Second)
			g, err := f.server.loadGrant(t.Context(), f.grantOf(a))
			if err != nil || !f.server.ahead(g.Asking, askingTTL) {
				t.Fatalf("the grant is not marked any more: %v, %v", g.Asking, err)
			}
		}
		close(f.local.gate)
		f.server.asks.wait()
		if g, err := f.server.loadGrant(t.Context(), f.grantOf(a)); err != nil || !g.Asking.IsZero() {
			t.Errorf("the grant is still marked: %v, %v", g.Asking, err)
		}
	})
}
