package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

// machineToken is a new access token of the machine client, which no store is needed for.
func (f *fixture) machineToken() string {
	f.t.Helper()
	token, err := f.server.newAccessToken(f.t.Context(), machineGrant+"ci-bot", "ci-bot", testResource, scopeMCP, "x")
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// kid is the key that a token was signed with.
func (f *fixture) kid(token string) string {
	f.t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		f.t.Fatal(err)
	}
	return jws.Signatures[0].Header.KeyID
}

// published are the ids of the keys at /jwks.
func (f *fixture) published() []string {
	f.t.Helper()
	res := f.do(httptest.NewRequest(http.MethodGet, testIssuer+"/jwks", nil))
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil || res.StatusCode != http.StatusOK {
		f.t.Fatal(res.Status, err)
	}
	var ids []string
	for _, key := range set.Keys {
		if !key.IsPublic() || !key.Valid() {
			f.t.Error("a key at /jwks is not a public one")
		}
		ids = append(ids, key.KeyID)
	}
	return ids
}

// Two nodes with one store, over six rotations with a token from each every hour: each token is signed with a key that was published long
// before, and works at both nodes for as long as it lives.
func TestKeysRotateWithOverlap(t *testing.T) {
	daily := func(c *Config) { c.KeyRotation = 24 * time.Hour }
	a := newFixture(t, daily)
	b := newFixtureOn(t, a.clock, a.store, daily)
	nodes := []*fixture{a, b}
	type token struct {
		text    string
		expires time.Time
	}
	var alive []token
	known := make(map[string]time.Time) // when a key was first seen at /jwks
	used := make(map[string]bool)
	for hour := range 6 * 24 {
		for _, node := range nodes {
			for _, id := range node.published() {
				if _, ok := known[id]; !ok {
					known[id] = a.clock.now()
				}
			}
		}
		for _, node := range nodes {
			text := node.machineToken()
			kid := node.kid(text)
			if seen, ok := known[kid]; !ok || hour > 0 && a.clock.now().Sub(seen) < keyLead && len(used) > 0 && !used[kid] {
				t.Fatalf("hour %d: signed with a key that was published for %v", hour, a.clock.now().Sub(seen))
			}
			used[kid] = true
			alive = append(alive, token{text, a.clock.now().Add(a.server.cfg.AccessTTL)})
		}
		for range 4 { // at different times within the hour
			a.clock.advance(15*time.Minute - time.Second)
			alive = slices.DeleteFunc(alive, func(t token) bool { return !a.clock.now().Before(t.expires) })
			for _, node := range nodes {
				node.server.cache.tokens.clear()
				for _, token := range alive {
					if _, err := node.call(token.text, testResource); err != nil {
						t.Fatalf("hour %d: %v", hour, err)
					}
				}
			}
		}
		if hour%10 == 0 {
			for _, node := range nodes {
				if err := node.server.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if len(used) < 6 || len(used) > 7 {
		t.Errorf("%d keys signed in six days", len(used))
	}
	if n := len(a.published()); n > 2 {
		t.Errorf("%d keys are still there", n)
	}
}

// Ten nodes that find at once that a key is due make one.
func TestNodesMakeOneNextKey(t *testing.T) {
	f := newFixture(t, nil)
	f.machineToken()
	f.clock.advance(30 * 24 * time.Hour)
	done := make(chan []string)
	for range 10 {
		node := newFixtureOn(t, f.clock, f.store, nil)
		go func() { done <- node.published() }()
	}
	first := <-done
	if len(first) != 2 {
		t.Errorf("there are the keys %v", first)
	}
	for range 9 {
		if ids := <-done; !slices.Equal(ids, first) {
			t.Errorf("the nodes have the keys %v and %v", first, ids)
		}
	}
}

// A key that is due is made by whoever comes after a long time, and then published before it signs.
func TestAKeyIsPublishedBeforeItSignsAlsoAfterAPause(t *testing.T) {
	f := newFixture(t, nil)
	old := f.kid(f.machineToken())
	f.clock.advance(365 * 24 * time.Hour)
	if got := f.kid(f.machineToken()); got != old {
		t.Error("a key signs that nobody can know")
	}
	f.clock.advance(keyLead)
	if got := f.kid(f.machineToken()); got == old || got != f.published()[0] {
		t.Errorf("an hour later, %s signs, and published are %v", got, f.published())
	}
}

// Tokens live longer than the operator first said, or shorter: the keys that they were signed with stay for as long as the longest.
func TestKeysOutliveTheLongestToken(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.AccessTTL = 10 * 24 * time.Hour })
	token := f.machineToken()
	shorter := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.KeyRotation = 24 * time.Hour })
	for range 10*24 - 1 {
		f.clock.advance(time.Hour)
		shorter.machineToken()
		shorter.server.cache.tokens.clear()
		if _, err := shorter.call(token, testResource); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * 24 {
		f.clock.advance(time.Hour)
		shorter.machineToken()
	}
	if slices.Contains(shorter.published(), f.kid(token)) {
		t.Error("the key of a token that has expired days ago is there")
	}
}

func TestRotatingByHand(t *testing.T) {
	f := newFixture(t, nil)
	other := newFixtureOn(t, f.clock, f.store, nil)
	old := f.machineToken()
	for range 2 { // the second time there is nothing to do
		keys, err := f.server.RotateKeys(t.Context(), false)
		if err != nil || len(keys) != 2 || !keys[0].From.Equal(f.clock.now().Add(keyLead)) || !keys[0].Until.IsZero() ||
			!keys[1].Until.Equal(keys[0].From.Add(f.server.cfg.AccessTTL+keyLead)) {
			t.Fatalf("%+v, %v", keys, err)
		}
	}
	if f.kid(f.machineToken()) != f.kid(old) {
		t.Error("the new key signs at once")
	}
	f.clock.advance(keyLead)
	for _, node := range []*fixture{f, other} {
		if token := node.machineToken(); node.kid(token) == f.kid(old) {
			t.Error("the old key still signs")
		}
		if _, err := node.call(old, testResource); !errors.Is(err, ErrInvalidToken) { // it has expired
			t.Error(err)
		}
	}
	if n := len(f.audit.find("rotate_keys", decisionAllow)); n != 2 {
		t.Errorf("%d audit records", n)
	}
}

// A key that somebody has stolen is good for nothing from the moment on that the operator says so; agents go on with their refresh tokens.
func TestCompromisedKeysAreDropped(t *testing.T) {
	f := newFixture(t, nil)
	other := newFixtureOn(t, f.clock, f.store, nil)
	clientID, a := f.newTokens()
	for _, node := range []*fixture{f, other} {
		if _, err := node.call(a.Access, testResource); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := f.server.RotateKeys(t.Context(), true)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a token of the old key, here: %v", err)
	}
	b := f.refreshed(clientID, a.Refresh)
	f.clock.advance(keyReload)
	if _, err := other.call(b.Access, testResource); err != nil {
		t.Errorf("a token of the new key, there: %v", err)
	}
	if _, err := other.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a token of the old key, there: %v", err)
	}
}

// While the store takes nothing, the keys that are there go on.
func TestKeysThatCannotBeRotated(t *testing.T) {
	logged, logs := observer.New(zap.WarnLevel)
	c := newClock()
	disk := &dyingStore{Store: storetest.NewMemory(c.now), at: 1 << 62}
	f := newFixtureOn(t, c, disk, func(c *Config) { c.Logger = zap.New(logged) })
	old := f.kid(f.machineToken())
	disk.at = disk.n.Load() + 1
	f.clock.advance(60 * 24 * time.Hour)
	if got := f.kid(f.machineToken()); got != old || logs.Len() != 1 {
		t.Errorf("signed with %s, and told %d times", got, logs.Len())
	}
	if _, err := f.server.RotateKeys(t.Context(), false); !errors.Is(err, errStoreDown) {
		t.Errorf("by hand: %v", err)
	}
	disk.at = 1 << 62
	f.clock.advance(keyReread)
	if n := len(f.published()); n != 2 {
		t.Errorf("once it does, there are %d keys", n)
	}
}

// A clock that was far ahead when a key was made does not keep the keys from rotating until then.
func TestAKeyFromTheFuture(t *testing.T) {
	f := newFixture(t, nil)
	f.clock.advance(365 * 24 * time.Hour)
	f.machineToken()
	f.clock.advance(-365 * 24 * time.Hour)
	node := newFixtureOn(t, f.clock, f.store, nil)
	first := node.kid(node.machineToken())
	for range 31 {
		f.clock.advance(24 * time.Hour)
		node.machineToken()
	}
	if node.kid(node.machineToken()) == first {
		t.Error("a month later it is still the same")
	}
}

func TestKeyRotationThatIsTooOften(t *testing.T) {
	f := newFixture(t, nil)
	cfg := f.server.cfg
	cfg.KeyRotation = time.Hour
	if _, err := New(cfg); err == nil {
		t.Error("accepted")
	}
}

// A record of before there was a schedule is one key that has long been in use.
func TestKeysOfAnOlderRecord(t *testing.T) {
	f := newFixture(t, nil)
	old := f.machineToken()
	sealer, err := f.server.cfg.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	value, err := f.store.Get(t.Context(), kindKey, keyRecord)
	if err != nil {
		t.Fatal(err)
	}
	set, err := openKeySet(sealer, value)
	if err != nil {
		t.Fatal(err)
	}
	plain := fmt.Appendf(nil, `{"keys":[{"kid":%q,"created":"2026-07-01T00:00:00Z","pkcs8":%s}],"pairwise":%s}`, set.Keys[0].ID, quoted(t, set.Keys[0].PKCS8), quoted(t, set.Pairwise))
	if err := store.Store.Put(f.store, t.Context(), kindKey, keyRecord, []byte(sealer.Seal(purposeKey, keyRecord, plain)), time.Time{}); err != nil {
		t.Fatal(err)
	}
	node := newFixtureOn(t, f.clock, f.store, nil)
	if got := node.kid(node.machineToken()); got != f.kid(old) {
		t.Error("another key signs at once")
	}
	if _, err := node.call(old, testResource); err != nil || len(node.published()) != 2 {
		t.Errorf("%v, %v", err, node.published())
	}
}

// quoted is the JSON of bytes.
func quoted(t *testing.T, b []byte) []byte {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
