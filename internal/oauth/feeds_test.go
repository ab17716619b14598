package oauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

const feedEvery = 2 * time.Second

// feedProvider is the local provider, with a feed that tests write.
type feedProvider struct {
	*localProvider
	mu       sync.Mutex
	messages []identity.Message
	pageSize int
	failure  error
	asked    int
	from     time.Time // as it was last asked for
	after    string
}

func (*feedProvider) FeedInterval() time.Duration { return feedEvery }

func (p *feedProvider) Since(_ context.Context, after string, from time.Time) ([]identity.Message, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	p.after, p.from = after, from
	if p.failure != nil {
		return nil, false, p.failure
	}
	first := 0
	for i, m := range p.messages {
		if after != "" && m.ID == after || after == "" && m.At.Before(from) {
			first = i + 1
		}
	}
	last := min(len(p.messages), first+p.pageSize)
	return p.messages[first:last], last < len(p.messages), nil
}

// say adds a message.
func (p *feedProvider) say(at time.Time, notices ...identity.Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages = append(p.messages, identity.Message{ID: fmt.Sprintf("m%d", len(p.messages)), At: at, Expires: at.Add(3 * time.Minute), Notices: notices})
}

// fail has it answer with an error, and returns how often it was asked so far.
func (p *feedProvider) fail(err error) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = err
	return p.asked
}

// newFed makes a server whose provider has a feed.
func newFed(t testing.TB) (*fixture, *feedProvider) {
	feed := &feedProvider{localProvider: newLocalProvider(), pageSize: 2}
	c := newClock()
	return newFixtureOn(t, c, storetest.NewMemory(c.now), func(c *Config) { c.Providers = []identity.Provider{feed} }), feed
}

// What a feed says ends what is over, however many pages it is behind.
func TestWhatAFeedSaysIsOverEnds(t *testing.T) {
	f, feed := newFed(t)
	clientID, a := f.newTokens()
	f.clock.advance(time.Second)
	for range 4 {
		feed.say(f.clock.now())
	}
	feed.say(f.clock.now(), identity.Notice{Over: true, Ended: identity.Ended{Person: "alice"}, Reason: "over"})
	if err := f.server.readFeed(t.Context(), feed); err != nil {
		t.Fatal(err)
	}
	if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a call: %v", err)
	}
	f.dead(clientID, a)
	if n := len(f.audit.find("message", decisionAllow)); n != 1 {
		t.Errorf("there are %d audit records", n)
	}
}

// One node reads at a time, and goes on where the last has ended, be it another; after a long time, from the beginning of the window.
func TestAFeedIsReadByOneNodeAtATime(t *testing.T) {
	f, feed := newFed(t)
	other := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Providers = []identity.Provider{feed} })
	f.newTokens()
	feed.say(f.clock.now())
	read := func(f *fixture, want error, after string) {
		t.Helper()
		if err := f.server.readFeed(t.Context(), feed); !errors.Is(err, want) || feed.after != after {
			t.Errorf("reading: %v, after %q", err, feed.after)
		}
	}
	read(f, nil, "")
	if from := f.clock.now().Add(-feedWindow); !feed.from.Equal(from) {
		t.Errorf("read from %v on, want %v", feed.from, from)
	}
	read(other, errFeedRead, "")
	f.clock.advance(feedEvery)
	read(other, nil, "m0")
	read(f, errFeedRead, "m0")
	feed.say(f.clock.now())
	f.clock.advance(feedEvery)
	read(f, nil, "m0")
	f.clock.advance(feedWindow + time.Second)
	read(f, nil, "")
	f.clock.advance(-time.Hour) // the other node's mark is from a clock that was wrong
	read(f, nil, "m1")
}

// What could not be acted on is read again.
func TestAFeedThatCouldNotBeActedOnIsReadAgain(t *testing.T) {
	f, feed := newFed(t)
	clientID, a := f.newTokens()
	feed.say(f.clock.now(), identity.Notice{Over: true, Ended: identity.Ended{Person: "alice"}})
	f.server.cfg.Store = brokenStore{f.store}
	if err := f.server.readFeed(t.Context(), feed); err == nil {
		t.Error("nothing failed")
	}
	f.server.cfg.Store = f.store
	f.clock.advance(feedEvery)
	if err := f.server.readFeed(t.Context(), feed); err != nil {
		t.Fatal(err)
	}
	f.dead(clientID, a)
}

// A feed that fails is left alone for longer and longer, up to a bound, and calls don't notice.
func TestAFeedThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &feedProvider{localProvider: newLocalProvider(), pageSize: 2}
		f := newFixtureOn(t, newClock(), storetest.NewMemory(time.Now), func(c *Config) { c.Providers, c.Now = []identity.Provider{feed}, time.Now })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.server.Follow(ctx)
		}()
		time.Sleep(time.Minute)
		if n := feed.fail(nil); n != 0 {
			t.Errorf("asked %d times while no grant is known", n)
		}
		_, a := f.newTokens()
		f.rolesOf(a.Access)
		time.Sleep(time.Minute)
		good := feed.fail(&identity.Unavailable{})
		if good < 20 || good > 31 {
			t.Errorf("asked %d times in a minute", good)
		}
		time.Sleep(10 * time.Minute)
		bad := feed.fail(&identity.Unavailable{RetryAfter: time.Hour}) - good
		if bad < 4 || bad > 12 {
			t.Errorf("asked %d times in ten minutes in vain", bad)
		}
		f.rolesOf(a.Access)
		time.Sleep(maxFeedPause)
		before := feed.fail(nil)
		time.Sleep(maxFeedPause + time.Minute)
		if n := feed.fail(nil) - before; n < 20 {
			t.Errorf("asked %d times after it was well again", n)
		}
		cancel()
		<-done
	})
}
