package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// remoteProvider is a provider somewhere else, that counts when it is asked.
type remoteProvider struct {
	now     func() time.Time
	mu      sync.Mutex
	asked   map[int64]int // by second
	total   int
	failure error
}

func (*remoteProvider) Name() string  { return "remote" }
func (*remoteProvider) Label() string { return "Remote" }

func (p *remoteProvider) Refresh(_ context.Context, person *identity.Person) (*identity.Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[p.now().Unix()]++
	p.total++
	if p.failure != nil {
		return nil, p.failure
	}
	next := *person
	return &next, nil
}

// fail changes what it answers, and returns how often it was asked so far.
func (p *remoteProvider) fail(err error) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = err
	return p.total
}

// live are a number of grants in use.
type live struct {
	*fixture
	remote *remoteProvider
	tokens []string
}

// newLive makes grants that were all made at one moment, each of somebody else.
func newLive(t testing.TB, count int) *live {
	l := &live{remote: &remoteProvider{asked: make(map[int64]int)}}
	l.fixture = newFixture(t, func(c *Config) { c.Providers = []identity.Provider{l.remote} })
	l.remote.now = l.clock.now
	sealer, err := l.server.cfg.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		id, now := fmt.Sprintf("grant-%d", i), l.clock.now()
		p := &identity.Person{
			Provider: "remote", ID: id, Email: id + "@example.com", Name: "Somebody", Org: "org_1", Roles: []string{"member"},
			Claims: map[string]any{"sid": "session_" + id, "email_verified": true}, Session: make([]byte, 200),
		}
		g := &grantRecord{
			Client: "desktop", Resource: testResource, Scope: scopeMCP, Created: now, LastUsed: now, Expires: now.Add(24 * time.Hour), Generation: 1,
			Provider: "remote", Read: now,
		}
		if g.Person, err = sealPerson(sealer, id, p); err != nil {
			t.Fatal(err)
		}
		if err := l.server.putGrant(t.Context(), id, g); err != nil {
			t.Fatal(err)
		}
		token, err := l.server.newAccessToken(t.Context(), id, "desktop", testResource, scopeMCP, subjectID(p))
		if err != nil {
			t.Fatal(err)
		}
		l.tokens = append(l.tokens, token)
	}
	return l
}

// use makes a call with every grant, and returns how many were answered.
func (l *live) use() (good int) { return l.useOf(l.tokens) }

// useOf makes a call with each of some tokens, and returns how many were answered.
func (l *live) useOf(tokens []string) (good int) {
	r := httptest.NewRequest(http.MethodPost, testResource, nil)
	for _, token := range tokens {
		r.Header.Set("Authorization", "Bearer "+token)
		if _, err := l.server.Authenticate(context.Background(), r, Resource{URL: testResource}); err == nil {
			good++
		}
	}
	l.server.reads.wait()
	l.server.asks.wait()
	return good
}

// Grants that were all made at one moment are read anew spread out, in time, and none waits for it.
func TestAskingIsSpread(t *testing.T) {
	l := newLive(t, 60)
	l.server.askWait = 0
	for range 100 { // ten minutes
		if good := l.use(); good != len(l.tokens) {
			t.Fatalf("%d of %d calls were answered", good, len(l.tokens))
		}
		l.clock.advance(6 * time.Second)
	}
	most := 0
	for _, n := range l.remote.asked {
		most = max(most, n)
	}
	// Every 300 s at the latest and 180 s at the earliest; looked at every 6 s.
	if l.remote.total < 2*len(l.tokens) || l.remote.total > 4*len(l.tokens) || most > len(l.tokens)/3 {
		t.Errorf("the provider was asked %d times, %d times at once at most", l.remote.total, most)
	}
}

// When all grants are due at once, as by a role that was changed, a provider is asked no faster than its pace; calls go on meanwhile.
func TestAskingKeepsItsPace(t *testing.T) {
	l := newLive(t, 3*askBurst)
	l.server.askWait = 0
	l.use()
	l.clock.advance(time.Second)
	if err := l.server.heed(t.Context(), "remote", identity.Notice{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		before := l.remote.fail(nil)
		if good := l.use(); good != len(l.tokens) {
			t.Errorf("%d of %d calls were answered", good, len(l.tokens))
		}
		if n := l.remote.fail(nil) - before; n > askBurst {
			t.Errorf("the provider was asked %d times within a second", n)
		}
		l.clock.advance(grantStateTTL)
	}
	if l.remote.total != len(l.tokens) {
		t.Errorf("the provider was asked %d times for %d grants", l.remote.total, len(l.tokens))
	}
}

// A provider that is down is tried by one call in a while, and all heals by itself when it is back.
func TestAProviderThatIsDownIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		failure error
		calls   int // at most, in ten minutes
	}{
		"refused connections":  {&identity.Unavailable{Err: errors.New("connection refused")}, 10 * 60 / 10},
		"told to come back":    {&identity.Unavailable{RetryAfter: 30 * time.Second}, 10*60/30 + 1},
		"told to stay a month": {&identity.Unavailable{RetryAfter: 30 * 24 * time.Hour}, 10 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t, 30)
			l.server.askWait = 0
			l.clock.advance(l.server.cfg.IdentityRefresh)
			l.remote.fail(c.failure)
			for range 60 {
				if good := l.use(); good != len(l.tokens) {
					t.Fatalf("%d of %d calls were answered", good, len(l.tokens))
				}
				l.clock.advance(10 * time.Second)
			}
			// The first calls may all be under way before the first fails.
			if calls := l.remote.fail(nil); calls > c.calls+len(l.tokens) {
				t.Errorf("it was called %d times", calls)
			}
			// Until then, at most, those who got the answer keep away.
			l.clock.advance(l.server.cfg.IdentityRefresh)
			for range 5 {
				l.use()
				l.clock.advance(grantStateTTL)
			}
			for i := range l.tokens {
				g, err := l.server.loadGrant(t.Context(), fmt.Sprintf("grant-%d", i))
				if err != nil || l.server.rolesAge(g) > time.Minute {
					t.Fatalf("grant %d: %v, roles are %v old after it is back", i, err, l.server.rolesAge(g))
				}
			}
		})
	}
}

// Past max_stale, calls are told to come back while the provider is down, without waiting for it, and wait for their turn when it is up.
func TestUrgentQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{}
		*p = *new(paces).find("remote")
		for range 2 * askBurst {
			if err := p.may(t.Context(), time.Now(), true); err != nil {
				t.Fatal(err)
			}
		}
		for range askFailures {
			p.answered(time.Now(), identity.ErrUnavailable)
		}
		if err := p.may(t.Context(), time.Now(), true); !errors.Is(err, errPaced) {
			t.Errorf("while it is down: %v", err)
		}
		time.Sleep(askPause)
		tries := []error{p.may(t.Context(), time.Now(), true), p.may(t.Context(), time.Now(), true)}
		if tries[0] != nil || !errors.Is(tries[1], errPaced) {
			t.Errorf("one is to try, and got %v", tries)
		}
		p.answered(time.Now(), identity.ErrEnded)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.may(t.Context(), time.Now(), true); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		if err := p.may(ctx, time.Now(), true); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that has gone: %v", err)
		}
	})
}

// BenchmarkLiveGrants is ten minutes with 10,000 grants in use, each every six seconds: how often the provider is asked, and what a grant
// that is remembered takes.
func BenchmarkLiveGrants(b *testing.B) {
	const count = 10_000
	for b.Loop() {
		var before, after runtime.MemStats
		l := newLive(b, count)
		l.server.askWait = 0
		runtime.GC()
		runtime.ReadMemStats(&before)
		l.use()
		runtime.GC()
		runtime.ReadMemStats(&after)
		good := 0
		for second := range 600 {
			slice := count / 6
			good += l.useOf(l.tokens[second%6*slice : second%6*slice+slice])
			l.clock.advance(time.Second)
		}
		var perSecond []int
		for _, n := range l.remote.asked {
			perSecond = append(perSecond, n)
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "B/grant")
		b.ReportMetric(float64(l.remote.total)/600, "asked/s")
		b.ReportMetric(float64(slices.Max(perSecond)), "asked-at-once")
		b.ReportMetric(float64(100*6*(count/6)-good), "unanswered")
	}
}
