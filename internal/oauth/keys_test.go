package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Checking a configuration makes no keys; the first token does.
func TestKeysAreMadeOnFirstUse(t *testing.T) {
	f := newFixture(t, nil)
	if _, err := f.store.Get(t.Context(), kindKey, keyRecord); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("after New: %v", err)
	}
	if _, err := f.server.keys.current(t.Context()); err != nil {
		t.Fatal(err)
	}
	value, err := f.store.Get(t.Context(), kindKey, keyRecord)
	if err != nil || strings.Contains(string(value), "pkcs8") {
		t.Errorf("the keys are kept as %.40q, %v", value, err)
	}
}

// Ten nodes that start at once end up with one key.
func TestNodesShareTheirKeys(t *testing.T) {
	f := newFixture(t, nil)
	nodes := make([]*fixture, 10)
	for i := range nodes {
		nodes[i] = newFixtureOn(t, f.clock, f.store, nil)
	}
	ids := make([]string, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes {
		wg.Go(func() {
			keys, err := node.server.keys.current(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			for id := range keys.public {
				ids[i] = id
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Errorf("the nodes have the keys %v", ids)
			break
		}
	}
}

// A key that another node has made since is found, but made-up ones don't make a node read the store again and again.
func TestKeysOfOtherNodesAreFound(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	first := f.grantOf(a)
	if err := f.store.Delete(t.Context(), kindKey, keyRecord); err != nil {
		t.Fatal(err)
	}
	other := newFixtureOn(t, f.clock, f.store, nil)
	token, err := other.server.newAccessToken(t.Context(), first, other.clientOf(a, f), testResource, scopeMCP, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.call(token, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("just after the keys were read: %v", err)
	}
	f.clock.advance(keyReload)
	if _, err := f.call(token, testResource); err != nil {
		t.Errorf("later: %v", err)
	}
}

// clientOf is the client of an access token of another node.
func (f *fixture) clientOf(a answer, of *fixture) string {
	f.t.Helper()
	claims, err := of.server.parseAccessToken(f.t.Context(), a.Access)
	if err != nil {
		f.t.Fatal(err)
	}
	return claims.ClientID
}

// A record that can't be read is left alone: with new keys, all tokens that are out would be lost.
func TestKeysThatCannotBeRead(t *testing.T) {
	f := newFixture(t, nil)
	if err := f.store.Put(t.Context(), kindKey, keyRecord, []byte("rubbish"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.server.keys.current(t.Context()); err == nil {
		t.Error("rubbish makes keys")
	}
	if value, err := f.store.Get(t.Context(), kindKey, keyRecord); err != nil || string(value) != "rubbish" {
		t.Errorf("the record is %q now, %v", value, err)
	}
	for _, plain := range []string{"", "{}", `{"keys":[{"kid":"a","pkcs8":"AAAA"}],"pairwise":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`} {
		set, err := decodeKeySet([]byte(plain))
		if err == nil {
			_, err = set.ready()
		}
		if err == nil {
			t.Errorf("%q makes keys", plain)
		}
	}
	noSealer := newFixture(t, func(c *Config) {
		c.Sealer = func(context.Context) (*seal.Sealer, error) { return nil, errStoreDown }
	})
	if _, err := noSealer.server.keys.current(t.Context()); !errors.Is(err, errStoreDown) {
		t.Errorf("without a sealer: %v", err)
	}
}

// unknownKid makes of a good token one whose kid nobody has.
func unknownKid(token string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"made-up"}`))
	_, rest, _ := strings.Cut(token, ".")
	return header + "." + rest
}

// empty removes all that is in a store.
func (f *fixture) empty() {
	f.t.Helper()
	for _, kind := range []string{kindKey, kindGrant, kindClient, kindCode, kindPending, kindConsent} {
		var ids []string
		err := f.store.List(f.t.Context(), kind, func(id string, _ []byte) error { ids = append(ids, id); return nil })
		for _, id := range ids {
			err = errors.Join(err, f.store.Delete(f.t.Context(), kind, id))
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// Storage with another installation's keys makes nothing worse than it is: made-up tokens are refused as ever, the operator is told
// once, and what this node signs is good.
func TestTheKeysOfAnotherInstallation(t *testing.T) {
	logged, logs := observer.New(zap.ErrorLevel)
	f := newFixture(t, func(c *Config) { c.Logger = zap.New(logged) })
	_, a := f.newTokens()
	f.empty()
	other := newFixture(t, nil)
	other.newTokens()
	for _, id := range []string{keyRecord, "seal"} {
		value, err := other.store.Get(t.Context(), kindKey, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.store.Put(t.Context(), kindKey, id, value, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		f.clock.advance(keyReload)
		if _, err := f.call(unknownKid(a.Access), testResource); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("a made-up token: %v", err)
		}
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("the operator is told %d times", n)
	}
	if _, b := f.newTokens(); len(f.rolesOf(b.Access)) == 0 {
		t.Error("a new login does not work")
	}
	// Half of it put back, which the root secret is not, does not lead to a record that nobody can read.
	if err := f.store.Delete(t.Context(), kindKey, keyRecord); err != nil {
		t.Fatal(err)
	}
	if err := f.server.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.Get(t.Context(), kindKey, keyRecord); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("keys were put beside another root secret: %v", err)
	}
}

// Storage that was emptied gets back what a restart needs, so that logins made since are not lost with it.
func TestKeysThatWereLostArePutBack(t *testing.T) {
	for name, notice := range map[string]func(f *fixture, token string){
		"noticed by a token of an unknown key": func(f *fixture, token string) {
			f.clock.advance(keyReload)
			if _, err := f.call(unknownKid(token), testResource); !errors.Is(err, ErrInvalidToken) {
				f.t.Errorf("a made-up token: %v", err)
			}
		},
		"noticed by the sweep": func(f *fixture, _ string) {
			if err := f.server.Sweep(f.t.Context()); err != nil {
				f.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			_, a := f.newTokens()
			f.empty()
			clientID, b := f.newTokens()
			notice(f, a.Access)
			restarted := newFixtureOn(t, f.clock, f.store, nil)
			restarted.rolesOf(b.Access)
			restarted.refreshed(clientID, b.Refresh)
		})
	}
}

// While the store is down, a token of a key that another node may have made is told to come back, without a look for each.
func TestUnknownKeysWhileTheStoreIsDown(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	counted := &countingStore{Store: f.store}
	f.server.cfg.Store = counted
	counted.down.Store(true)
	f.clock.advance(keyReload)
	for range 5 {
		if _, err := f.call(unknownKid(a.Access), testResource); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a token of an unknown key: %v", err)
		}
	}
	if n := counted.gets.Load(); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
	counted.down.Store(false)
	f.clock.advance(keyReload)
	if _, err := f.call(unknownKid(a.Access), testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("once the store is back: %v", err)
	}
}

// A store that hangs is waited for once, by those alone whose key is not known, and by each of them only while it wants to.
func TestAttackMadeUpTokensHoldUpOthersWhileTheStoreHangs(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	hanging := &hangingStore{Store: f.store, asked: make(chan struct{}, 10), release: make(chan struct{})}
	f.server.cfg.Store = hanging
	hanging.hang.Store(true)
	f.clock.advance(keyReload)
	verify := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := f.server.parseAccessToken(ctx, unknownKid(a.Access))
			done <- err
		}()
		return done
	}
	patient := verify(t.Context())
	<-hanging.asked
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	select {
	case err := <-verify(ended):
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("who does not wait: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("who does not wait is held up")
	}
	if _, err := f.server.parseAccessToken(t.Context(), a.Access); err != nil {
		t.Errorf("a token of a key that is known: %v", err)
	}
	if _, err := f.server.newAccessToken(t.Context(), "grant", "client", testResource, scopeMCP, "x"); err != nil {
		t.Errorf("a new token: %v", err)
	}
	close(hanging.release)
	if err := <-patient; !errors.Is(err, ErrInvalidToken) {
		t.Errorf("who waits: %v", err)
	}
	if n := len(hanging.asked); n != 0 {
		t.Errorf("the store was asked %d times more", n)
	}
}
