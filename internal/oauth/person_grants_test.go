package oauth

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

var alice = &identity.Person{Provider: "local", ID: "alice"}

// of are the ids of somebody's grants, sorted.
func (f *fixture) of(p *identity.Person) []string {
	f.t.Helper()
	grants, err := f.server.grantsOf(f.t.Context(), p)
	if err != nil {
		f.t.Fatal(err)
	}
	var ids []string
	for _, g := range grants {
		ids = append(ids, g.id)
	}
	slices.Sort(ids)
	return ids
}

// A grant is on the list for as long as it lives, however long it is refreshed, and the list goes when the last of them has.
func TestAGrantIsListedForAsLongAsItLives(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	for range 12 {
		f.clock.advance(29 * 24 * time.Hour)
		if a = f.refreshed(clientID, a.Refresh); !slices.Equal(f.of(alice), []string{f.grantOf(a)}) {
			t.Fatalf("the list is %v", f.of(alice))
		}
	}
	f.clock.advance(30 * 24 * time.Hour)
	if got := f.of(alice); len(got) != 0 {
		t.Errorf("an expired grant is listed: %v", got)
	}
	f.clock.advance(60 * 24 * time.Hour)
	if _, err := f.store.Get(t.Context(), kindPerson, shortDigest(subjectID(alice))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the list itself is kept: %v", err)
	}
}

// The operator has made refresh tokens live longer than the list was made for.
func TestAGrantIsListedAnewWhenItWouldOutliveItsEntry(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.RefreshTTL = 24 * time.Hour })
	clientID, a := f.newTokens()
	longer := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.RefreshTTL = 90 * 24 * time.Hour })
	a = longer.refreshed(clientID, a.Refresh)
	f.clock.advance(80 * 24 * time.Hour)
	if got := longer.of(alice); !slices.Equal(got, []string{f.grantOf2(longer, clientID, a)}) {
		t.Errorf("the list is %v", got)
	}
}

// grantOf2 is the grant of what a refresh of tokens gives.
func (f *fixture) grantOf2(at *fixture, clientID string, a answer) string {
	f.t.Helper()
	return at.grantOf(at.refreshed(clientID, a.Refresh))
}

// A list that was lost, or can't be read, comes back as agents refresh.
func TestAListThatWasLostComesBack(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	if err := f.store.Put(t.Context(), kindPerson, shortDigest(subjectID(alice)), []byte("rubbish"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := f.of(alice); len(got) != 0 {
		t.Fatalf("the list is %v", got)
	}
	for range 3 {
		f.clock.advance(29 * 24 * time.Hour)
		a = f.refreshed(clientID, a.Refresh)
	}
	if got := f.of(alice); !slices.Equal(got, []string{f.grantOf(a)}) {
		t.Errorf("the list is %v", got)
	}
}

// Whatever a crash leaves, no grant that is alive is missing from the list.
func TestDyingLeavesNoGrantUnlisted(t *testing.T) {
	eachDeath(t, func(t *testing.T, dying func(store.Store) store.Store) {
		f := newFixture(t, nil)
		clientID, code := f.newCode()
		dead := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Store = dying(f.store) })
		dead.post("/token", redeem(clientID, code))
		var alive []string
		if err := f.server.Grants(t.Context(), func(g Grant) error { alive = append(alive, g.ID); return nil }); err != nil {
			t.Fatal(err)
		}
		slices.Sort(alive)
		if got := f.of(alice); !slices.Equal(got, alive) {
			t.Errorf("alive are %v, listed %v", alive, got)
		}
	})
}

// The list is bounded: what is gone makes room first, and then the grants that were unused for longest end.
func TestTheListIsBounded(t *testing.T) {
	f := newFixture(t, nil)
	ids := f.manyGrants(alice, maxPersonGrants)
	if err := f.server.Revoke(t.Context(), ids[7]); err != nil {
		t.Fatal(err)
	}
	_, a := f.newTokens()
	got := f.of(alice)
	if len(got) != maxPersonGrants || !slices.Contains(got, ids[0]) || !slices.Contains(got, f.grantOf(a)) {
		t.Fatalf("there are %d grants", len(got))
	}
	_, b := f.newTokens()
	got = f.of(alice)
	if len(got) != maxPersonGrants-endedAtATime+1 || slices.Contains(got, ids[0]) || !slices.Contains(got, ids[20]) || !slices.Contains(got, f.grantOf(b)) {
		t.Errorf("there are %d grants, the one unused for longest still among them: %v", len(got), slices.Contains(got, ids[0]))
	}
	if len(f.audit.find("revoke", decisionAllow)) != endedAtATime {
		t.Error("nothing is recorded of it")
	}
}

// When a grant was last used is known, on other nodes too, without a call that writes.
func TestWhenAGrantWasLastUsed(t *testing.T) {
	f := newFixture(t, nil)
	counted := &countingStore{Store: f.store}
	_, a := f.newTokens()
	id := f.grantOf(a)
	f.server.cfg.Store = counted
	lastUsed := func(node *fixture) time.Time {
		grants, err := node.server.grantsOf(t.Context(), alice)
		if err != nil || len(grants) != 1 {
			t.Fatal(grants, err)
		}
		return grants[0].LastUsed
	}
	made := f.clock.now()
	for range 3 {
		f.clock.advance(time.Minute)
		if _, err := f.call(a.Access, testResource); err != nil {
			t.Fatal(err)
		}
	}
	if n := counted.writes.Load(); n != 0 {
		t.Errorf("calls wrote %d times", n)
	}
	if got := lastUsed(f); !got.Equal(made.Add(3 * time.Minute)) {
		t.Errorf("last used %v", got)
	}
	other := newFixtureOn(t, f.clock, f.store, nil)
	f.clock.advance(20 * time.Minute)
	if _, err := f.call(a.Access, testResource); err != nil {
		t.Fatal(err)
	}
	if err := f.server.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := lastUsed(other); got.Before(made.Add(23 * time.Minute)) {
		t.Errorf("on another node, after the sweep, it was last used %v", got)
	}
	before := counted.writes.Load()
	if err := f.server.Sweep(t.Context()); err != nil || counted.writes.Load() != before {
		t.Errorf("a sweep with nothing new wrote %d times, %v", counted.writes.Load()-before, err)
	}
	if err := f.server.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(time.Hour)
	f.server.cache.grant(id).use(f.clock.now())
	if err := f.server.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := f.store.Get(t.Context(), kindGrant, id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a sweep has brought back a grant: %v", err)
	}
}
