package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// postalProvider is the local provider, with a mailbox: its messages are JSON, signed with the word "sealed".
type postalProvider struct{ *localProvider }

func (postalProvider) Mailbox() string { return "webhooks/local" }

func (p postalProvider) Verify(ctx context.Context, user, password string) (*identity.Person, error) {
	person, err := p.localProvider.Verify(ctx, user, password)
	if person != nil {
		person.SessionID = "session-of-alice"
	}
	return person, err
}

func (postalProvider) Open(_ context.Context, header http.Header, body []byte) (*identity.Message, error) {
	message := new(identity.Message)
	if header.Get("Signature") != "sealed" || json.Unmarshal(body, message) != nil {
		return nil, identity.ErrMessage
	}
	return message, nil
}

// newPostal makes a server whose provider sends messages.
func newPostal(t testing.TB, change func(*Config)) *fixture {
	var local *localProvider
	f := newFixture(t, func(c *Config) {
		local = c.Providers[0].(*localProvider)
		c.Providers = []identity.Provider{postalProvider{local}}
		if change != nil {
			change(c)
		}
	})
	return f
}

// message sends a message of the provider, and returns the status of the answer.
func (f *fixture) message(id string, notices ...identity.Notice) int {
	f.t.Helper()
	body, err := json.Marshal(identity.Message{ID: id, Expires: f.clock.now().Add(3 * time.Minute), Notices: notices})
	if err != nil {
		f.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, testIssuer+"/webhooks/local", strings.NewReader(string(body)))
	r.Header.Set("Signature", "sealed")
	return f.do(r).StatusCode
}

// What a provider says is over ends: at once, and nothing else does.
func TestWhatAProviderSaysIsOverEnds(t *testing.T) {
	for name, c := range map[string]struct {
		notice identity.Notice
		ends   bool
	}{
		"the session":                      {identity.Notice{Over: true, Ended: identity.Ended{Session: "session-of-alice"}}, true},
		"the session, with its person":     {identity.Notice{Over: true, Ended: identity.Ended{Session: "session-of-alice", Person: "alice"}}, true},
		"another session of the person":    {identity.Notice{Over: true, Ended: identity.Ended{Session: "session-2", Person: "alice"}}, false},
		"a session nobody knows":           {identity.Notice{Over: true, Ended: identity.Ended{Session: "session-2"}}, false},
		"the person":                       {identity.Notice{Over: true, Ended: identity.Ended{Person: "alice"}}, true},
		"another person":                   {identity.Notice{Over: true, Ended: identity.Ended{Person: "bob"}}, false},
		"the person in their organization": {identity.Notice{Over: true, Ended: identity.Ended{Person: "alice", Org: "org_1"}}, true},
		"the person in another":            {identity.Notice{Over: true, Ended: identity.Ended{Person: "alice", Org: "org_2"}}, false},
		"the person, before they came":     {identity.Notice{Over: true, Ended: identity.Ended{Person: "alice", Before: newClock().now().Add(-time.Minute)}}, false},
		"the person, after they came":      {identity.Notice{Over: true, Ended: identity.Ended{Person: "alice", Before: newClock().now().Add(time.Minute)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newPostal(t, nil)
			clientID, a := f.newTokens()
			if status := f.message("m", c.notice); status != http.StatusOK {
				t.Fatalf("answered %d", status)
			}
			if !c.ends {
				f.rolesOf(a.Access)
				return
			}
			if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
				t.Errorf("a call: %v", err)
			}
			f.dead(clientID, a)
		})
	}
}

// What a provider says may have changed is asked for before the next call, and once.
func TestWhatAProviderSaysHasChangedIsReadAnew(t *testing.T) {
	for name, c := range map[string]struct {
		notice identity.Notice
		asks   int
	}{
		"of the person":                     {identity.Notice{Ended: identity.Ended{Person: "alice"}}, 1},
		"of the person in the organization": {identity.Notice{Ended: identity.Ended{Person: "alice", Org: "org_1"}}, 1},
		"of the organization":               {identity.Notice{Ended: identity.Ended{Org: "org_1"}}, 1},
		"of everybody":                      {identity.Notice{}, 1},
		"of another person":                 {identity.Notice{Ended: identity.Ended{Person: "bob"}}, 0},
		"of another organization":           {identity.Notice{Ended: identity.Ended{Org: "org_2"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newPostal(t, nil)
			_, a := f.newTokens()
			local := f.server.cfg.Providers[0].(postalProvider)
			f.rolesOf(a.Access)
			local.set(nil, "member")
			f.clock.advance(time.Second)
			f.message("m", c.notice)
			want := []string{"admin"}
			if c.asks > 0 {
				want = []string{"member"}
			}
			f.clock.advance(time.Second)
			for range 3 {
				if got := f.rolesOf(a.Access); !slices.Equal(got, want) {
					t.Errorf("roles are %v", got)
				}
				f.clock.advance(grantStateTTL)
			}
			if n := local.asked(); n != c.asks {
				t.Errorf("the provider was asked %d times", n)
			}
		})
	}
}

// A message that comes again is not acted on, and one that could not be acted on is, when it comes again.
func TestMessagesThatComeAgain(t *testing.T) {
	f := newPostal(t, nil)
	_, a := f.newTokens()
	local := f.server.cfg.Providers[0].(postalProvider)
	f.clock.advance(time.Second)
	f.server.cfg.Store = brokenStore{f.store}
	if status := f.message("m", identity.Notice{Ended: identity.Ended{Person: "alice"}}); status != http.StatusServiceUnavailable {
		t.Errorf("a message that could not be acted on was answered %d", status)
	}
	f.server.cfg.Store = f.store
	for range 3 {
		if status := f.message("m", identity.Notice{Ended: identity.Ended{Person: "alice"}}); status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
		f.clock.advance(time.Second)
		f.rolesOf(a.Access)
	}
	if n := local.asked(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
	if n := len(f.audit.find("message", decisionAllow)); n != 1 {
		t.Errorf("there are %d audit records", n)
	}
}

// What is no message of the provider changes nothing, however it is no message.
func TestForgedMessages(t *testing.T) {
	f := newPostal(t, nil)
	_, a := f.newTokens()
	for name, c := range map[string]struct {
		method, signature, body string
		status                  int
	}{
		"unsigned":       {http.MethodPost, "", `{"ID":"m","Notices":[{"Over":true,"Person":"alice"}]}`, http.StatusBadRequest},
		"not to be read": {http.MethodPost, "sealed", `{`, http.StatusBadRequest},
		"too long":       {http.MethodPost, "sealed", strings.Repeat(" ", maxMessage+1), http.StatusRequestEntityTooLarge},
		"by GET":         {http.MethodGet, "sealed", "", http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, testIssuer+"/webhooks/local", strings.NewReader(c.body))
			r.Header.Set("Signature", c.signature)
			if status := f.do(r).StatusCode; status != c.status {
				t.Errorf("answered %d", status)
			}
		})
	}
	f.rolesOf(a.Access)
}

// A provider that is configured to send nothing has no mailbox.
func TestWithoutAMailbox(t *testing.T) {
	f := newFixture(t, nil)
	if f.server.Handles("/webhooks/local") {
		t.Error("there is an endpoint")
	}
}

// News reach nodes that were not told, by the next look.
func TestNewsReachOtherNodes(t *testing.T) {
	f := newPostal(t, nil)
	_, a := f.newTokens()
	_, b := f.newTokens()
	local := f.server.cfg.Providers[0].(postalProvider)
	g := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Providers = []identity.Provider{local} })
	g.rolesOf(a.Access)
	g.rolesOf(b.Access)
	f.clock.advance(time.Second)
	local.set(nil, "member")
	f.message("1", identity.Notice{Ended: identity.Ended{Person: "alice"}})
	if got := g.rolesOf(a.Access); !slices.Equal(got, []string{"admin"}) {
		t.Fatalf("before it has heard, roles are %v", got)
	}
	if heard, err := g.server.hear(t.Context()); !heard || err != nil {
		t.Fatalf("heard %v, %v", heard, err)
	}
	f.clock.advance(time.Second)
	if got := g.rolesOf(a.Access); !slices.Equal(got, []string{"member"}) {
		t.Errorf("roles are %v", got)
	}
	if heard, err := g.server.hear(t.Context()); heard || err != nil {
		t.Errorf("heard the same again: %v, %v", heard, err)
	}
	f.message("2", identity.Notice{Over: true, Ended: identity.Ended{Person: "alice"}})
	if heard, _ := g.server.hear(t.Context()); !heard {
		t.Fatal("heard nothing")
	}
	for _, token := range []string{a.Access, b.Access} {
		if _, err := g.call(token, testResource); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("a call: %v", err)
		}
	}
}

// Listen looks only while there is something to look for, and says what was heard.
func TestListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newPostal(t, nil)
		local := f.server.cfg.Providers[0].(postalProvider)
		st := &watchedStore{Store: f.store}
		g := newFixtureOn(t, f.clock, st, func(c *Config) { c.Providers = []identity.Provider{local} })
		ctx, stop := context.WithCancel(t.Context())
		heard := make(chan struct{}, 10)
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.server.Listen(ctx, func() { heard <- struct{}{} })
		}()
		time.Sleep(time.Minute)
		if n := st.reads.Load(); n != 0 {
			t.Errorf("a node without grants looked %d times", n)
		}
		_, a := f.newTokens()
		g.rolesOf(a.Access)
		if err := f.server.heed(t.Context(), "local", identity.Notice{Ended: identity.Ended{Person: "alice"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(newsInterval)
		synctest.Wait()
		if len(heard) != 1 {
			t.Errorf("another node heard %d times", len(heard))
		}
		if err := g.server.heed(t.Context(), "local", identity.Notice{Ended: identity.Ended{Person: "alice"}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(heard) != 2 {
			t.Errorf("the node that was told heard %d times", len(heard)-1)
		}
		stop()
		<-done
	})
}

// watchedStore counts how often the news are read.
type watchedStore struct {
	store.Store
	reads atomic.Int64
}

func (s *watchedStore) Get(ctx context.Context, kind, id string) ([]byte, error) {
	if kind == kindNews {
		s.reads.Add(1)
	}
	return s.Store.Get(ctx, kind, id)
}

// A flood of news is bounded, and nobody misses what was in it.
func TestAFloodOfNews(t *testing.T) {
	f := newPostal(t, nil)
	_, a := f.newTokens()
	local := f.server.cfg.Providers[0].(postalProvider)
	g := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Providers = []identity.Provider{local} })
	g.rolesOf(a.Access)
	local.set(nil, "member")
	f.clock.advance(time.Second)
	if err := f.server.heed(t.Context(), "local", identity.Notice{Ended: identity.Ended{Person: "alice"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 * maxNews {
		if err := f.server.heed(t.Context(), "local", identity.Notice{Ended: identity.Ended{Person: "bob"}}); err != nil {
			t.Fatal(err)
		}
	}
	value, err := f.store.Get(t.Context(), kindNews, newsID)
	if n := len(decodeNews(value).Entries); err != nil || n != maxNews {
		t.Errorf("%d pieces of news are kept, %v", n, err)
	}
	if heard, err := g.server.hear(t.Context()); !heard || err != nil {
		t.Fatalf("heard %v, %v", heard, err)
	}
	f.clock.advance(time.Second)
	if got := g.rolesOf(a.Access); !slices.Equal(got, []string{"member"}) {
		t.Errorf("roles are %v", got)
	}
}

// What a node remembers of news is bounded, and errs by asking.
func TestMarksAreBounded(t *testing.T) {
	var n news
	now := newClock().now()
	alice := &identity.Person{Provider: "local", ID: "alice"}
	for i := range uint64(maxMarks + 10) {
		n.take(newsRecord{[]newsEntry{{Seq: i + 1, At: now, Provider: "local", Person: string(rune('a'+i%26)) + time.Duration(i).String()}}}, now, time.Minute)
	}
	if len(n.marks) > maxMarks || !n.since(alice, now.Add(-time.Second)) {
		t.Errorf("%d marks are kept; is alice among them: %v", len(n.marks), n.since(alice, now.Add(-time.Second)))
	}
	n.take(newsRecord{[]newsEntry{{Seq: maxMarks + 100, At: now.Add(time.Hour), Provider: "other"}}}, now.Add(time.Hour), time.Minute)
	if len(n.marks) != 1 {
		t.Errorf("%d marks are kept after an hour", len(n.marks))
	}
}

// FuzzNews holds that whatever lies in the store, news are read without harm.
func FuzzNews(f *testing.F) {
	f.Add([]byte(`{"entries":[{"seq":1,"at":"2026-07-28T12:00:00Z","provider":"workos","person":"user_01"}]}`))
	f.Add([]byte(`{"entries":[{"seq":18446744073709551615}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, value []byte) {
		var n news
		rec := decodeNews(value)
		if got := rec.shortened(); len(got.Entries) > maxNews {
			t.Errorf("%d entries", len(got.Entries))
		}
		n.take(rec, time.Now(), time.Minute)
		if again := n.take(rec, time.Now(), time.Minute); len(again) != 0 {
			t.Errorf("%d pieces are news twice", len(again))
		}
	})
}
