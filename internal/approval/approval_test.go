package approval

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/caddystore"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

// trail notes what is recorded.
type trail struct {
	mu  sync.Mutex
	all []audit.Record
}

func (s *trail) Record(r *audit.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, *r)
}

// events are the names of what was recorded.
func (s *trail) events() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, r := range s.all {
		names = append(names, strings.TrimPrefix(r.Event, "approval_")+" "+r.Decision)
	}
	return strings.Join(names, ", ")
}

// fixture is two nodes with one store.
type fixture struct {
	*testing.T
	clock *storetest.Clock
	store store.Store
	nodes [2]*Desk
	trail trail
}

func newFixture(t *testing.T, open func(*storetest.Clock) store.Store) *fixture {
	f := &fixture{T: t, clock: storetest.NewClock()}
	f.store = open(f.clock)
	sealer := seal.New([32]byte{1})
	for i := range f.nodes {
		f.nodes[i] = New(Config{
			Store: f.store, Now: f.clock.Now, Audit: &f.trail, Page: func(id string) string { return "https://mcp.example.com/connections/approve?call=" + id },
			Sealer: func(context.Context) (*seal.Sealer, error) { return sealer, nil },
		})
	}
	return f
}

// inMemory is a fixture whose store is in memory.
func inMemory(t *testing.T) *fixture {
	return newFixture(t, func(c *storetest.Clock) store.Store { return storetest.NewMemory(c.Now) })
}

var alice = Person{ID: "local:alice", Email: "alice@example.com", Org: "org_1", Roles: []string{"admin"}}

// call is a call of alice's agent.
func call(args string) *Call {
	return &Call{
		Grant: "grant-1", Client: "agent", ClientName: "The Agent", Server: "github", Kind: "tool", Name: "merge", Args: []byte(args), Person: alice, RequestID: "req-1",
	}
}

// ask asks, and checks the verdict.
func (f *fixture) ask(node int, c *Call, want Verdict) {
	f.Helper()
	got, err := f.nodes[node].Ask(f.Context(), c)
	if err != nil || got != want {
		f.Fatalf("%s: %v, %v, want %v", c.Args, got, err, want)
	}
}

// decide has a person answer.
func (f *fixture) decide(node int, c *Call, a Answer) {
	f.Helper()
	id, err := c.ID()
	if err == nil {
		_, err = f.nodes[node].Decide(f.Context(), alice, "", id, a)
	}
	if err != nil {
		f.Fatal(err)
	}
}

func TestACallPassesOnceWhenItIsApprovedOnAnyNode(t *testing.T) {
	for name, open := range map[string]func(*storetest.Clock) store.Store{
		"memory": func(c *storetest.Clock) store.Store { return storetest.NewMemory(c.Now) },
		"caddy": func(c *storetest.Clock) store.Store {
			return caddystore.New(&certmagic.FileStorage{Path: t.TempDir()}, "", c.Now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, open)
			c := call(`{"number":7}`)
			f.ask(0, c, Waiting)
			f.ask(1, c, Waiting)
			f.decide(1, c, Once)
			if waiting, _, err := f.nodes[0].Of(t.Context(), alice.ID); err != nil || len(waiting) != 0 {
				t.Errorf("%v wait, %v", waiting, err)
			}
			f.ask(0, c, Approved)
			f.ask(0, c, Waiting)
			if waiting, _, err := f.nodes[1].Of(t.Context(), alice.ID); err != nil || len(waiting) != 1 || waiting[0].Call.Name != "merge" || waiting[0].Args != "{\n  \"number\": 7\n}" {
				t.Errorf("%v wait, %v", waiting, err)
			}
			if got, want := f.trail.events(), "requested ask, approved allow, requested ask"; got != want {
				t.Errorf("recorded %s", got)
			}
		})
	}
}

// TestOneApprovalLetsOneCallThrough has many equal calls on two nodes want one approval.
func TestOneApprovalLetsOneCallThrough(t *testing.T) {
	f := inMemory(t)
	c := call(`{}`)
	f.ask(0, c, Waiting)
	f.decide(0, c, Once)
	var through atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			v, err := f.nodes[i%2].Ask(t.Context(), c)
			if err != nil {
				t.Error(err)
			}
			if v == Approved {
				through.Add(1)
			}
		})
	}
	all.Wait()
	if through.Load() != 1 {
		t.Errorf("%d calls went through", through.Load())
	}
	if waiting, _, err := f.nodes[0].Of(t.Context(), alice.ID); err != nil || len(waiting) != 1 {
		t.Errorf("%d of the others can be found, %v", len(waiting), err)
	}
}

// TestAnApprovalIsForOneCallAlone changes one thing at a time.
func TestAnApprovalIsForOneCallAlone(t *testing.T) {
	f := inMemory(t)
	c := call(`{"number":7,"to":"main"}`)
	f.ask(0, c, Waiting)
	f.decide(0, c, Once)
	for name, change := range map[string]func(*Call){
		"grant":         func(c *Call) { c.Grant = "grant-2" },
		"client":        func(c *Call) { c.Client = "other" },
		"person":        func(c *Call) { c.Person.ID = "local:bob" },
		"server":        func(c *Call) { c.Server = "gitlab" },
		"kind":          func(c *Call) { c.Kind = "prompt" },
		"name":          func(c *Call) { c.Name = "Merge" },
		"arguments":     func(c *Call) { c.Args = []byte(`{"number":8,"to":"main"}`) },
		"one more":      func(c *Call) { c.Args = []byte(`{"number":7,"to":"main","force":true}`) },
		"another type":  func(c *Call) { c.Args = []byte(`{"number":"7","to":"main"}`) },
		"no arguments":  func(c *Call) { c.Args = nil },
		"parts shifted": func(c *Call) { c.Server, c.Name = "githubm", "erge" },
	} {
		other := *c
		change(&other)
		if v, err := f.nodes[0].Ask(t.Context(), &other); err != nil || v == Approved {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	// Another spelling of the same arguments is the same call.
	f.ask(0, call("{ \"to\" : \"m\\u0061in\",\n \"number\":7 }"), Approved)
}

func TestADenialHoldsForAWhile(t *testing.T) {
	f := inMemory(t)
	c := call(`{}`)
	f.ask(0, c, Waiting)
	f.decide(1, c, Deny)
	f.ask(0, c, Denied)
	f.ask(1, c, Denied)
	if _, err := f.nodes[0].Decide(t.Context(), alice, "", must(c.ID()), Once); !errors.Is(err, ErrGone) {
		t.Errorf("a denied call can be approved: %v", err)
	}
	f.clock.Advance(deniedTTL)
	f.ask(0, c, Waiting)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNothingIsGoodForEver(t *testing.T) {
	f := inMemory(t)
	c := call(`{}`)
	f.ask(0, c, Waiting)
	f.clock.Advance(waitingTTL)
	if _, err := f.nodes[0].Decide(t.Context(), alice, "", must(c.ID()), Once); !errors.Is(err, ErrGone) {
		t.Errorf("approved too late: %v", err)
	}
	f.ask(0, c, Waiting)
	f.clock.Advance(waitingTTL / 2)
	f.ask(0, c, Waiting) // made again, it waits anew
	f.clock.Advance(waitingTTL - time.Second)
	f.decide(0, c, Once)
	f.clock.Advance(approvedTTL)
	f.ask(0, c, Waiting)
	f.clock.Advance(alwaysTTL)
	if n, err := f.store.Sweep(t.Context()); err != nil || n != 2 { // the call and the list
		t.Errorf("%d records swept, %v", n, err)
	}
}

func TestAToolIsApprovedForAnAgentUntilThatIsTakenBack(t *testing.T) {
	f := inMemory(t)
	c := call(`{"number":7}`)
	f.ask(0, c, Waiting)
	f.decide(0, c, Always)
	f.ask(1, c, Approved)
	f.ask(1, call(`{"number":8}`), Approved)
	other := call(`{"number":7}`)
	other.Grant = "grant-2" // the same client, once it has signed in again
	f.ask(0, other, Waiting)
	for range 5 { // as long as it is used
		f.clock.Advance(alwaysTTL - alwaysTTL/4)
		f.ask(0, c, Approved)
	}
	_, always, err := f.nodes[1].Of(t.Context(), alice.ID)
	if err != nil || len(always) != 1 || always[0].Name != "merge" || always[0].Grant != "grant-1" {
		t.Fatalf("%v, %v", always, err)
	}
	if err := f.nodes[1].Revoke(t.Context(), Person{ID: "local:mallory"}, "", always[0].ID); !errors.Is(err, ErrGone) {
		t.Errorf("somebody else takes it back: %v", err)
	}
	if err := f.nodes[1].Revoke(t.Context(), alice, "", always[0].ID); err != nil {
		t.Fatal(err)
	}
	f.ask(0, c, Waiting)
	if _, always, _ := f.nodes[1].Of(t.Context(), alice.ID); len(always) != 0 {
		t.Errorf("%v", always)
	}
	if got, want := f.trail.events(), "requested ask, approved allow, requested ask, revoked allow, requested ask"; got != want {
		t.Errorf("recorded %s", got)
	}
}

func TestNobodyElseAnswersOrSeesACall(t *testing.T) {
	f := inMemory(t)
	c := call(`{"secret":"hunter2"}`)
	f.ask(0, c, Waiting)
	id := must(c.ID())
	mallory := Person{ID: "local:mallory"}
	for _, a := range []Answer{Deny, Once, Always} {
		if _, err := f.nodes[0].Decide(t.Context(), mallory, "", id, a); !errors.Is(err, ErrGone) {
			t.Errorf("%v: %v", a, err)
		}
	}
	if _, err := f.nodes[0].Pending(t.Context(), mallory.ID, id); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	if _, err := f.nodes[0].Pending(t.Context(), alice.ID, "made-up"); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	f.ask(0, c, Waiting)
	for _, kind := range []string{kindCall, kindList} {
		if err := f.store.List(t.Context(), kind, func(id string, value []byte) error {
			for _, word := range []string{"hunter2", "alice", "merge"} {
				if strings.Contains(id+string(value), word) {
					t.Errorf("%s is kept in the clear: %s", word, value)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAgentCannotBuryWhatOthersAsk(t *testing.T) {
	f := inMemory(t)
	nth := func(n int) *Call { return call(fmt.Sprintf(`{"n":%d}`, n)) }
	for n := range maxWaitingOfGrant {
		f.ask(0, nth(n), Waiting)
	}
	f.ask(0, nth(100), Crowded)
	f.ask(0, nth(0), Waiting)
	other := call(`{}`)
	other.Grant = "grant-2"
	f.ask(0, other, Waiting)
	f.decide(0, nth(3), Deny) // makes room
	f.ask(0, nth(100), Waiting)
}

func TestAWaitEndsWithTheAnswer(t *testing.T) {
	f := inMemory(t)
	c := call(`{}`)
	f.ask(0, c, Waiting)
	ended := make(chan error, 2)
	go func() { ended <- f.nodes[0].Wait(t.Context(), c, time.Hour) }()
	for told := false; !told; {
		f.nodes[0].mu.Lock()
		told = len(f.nodes[0].waiters) > 0
		f.nodes[0].mu.Unlock()
		runtime.Gosched()
	}
	f.decide(0, c, Once)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := f.nodes[1].Wait(t.Context(), c, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.nodes[0].Wait(gone, c, time.Hour); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(f.nodes[0].waiters)+len(f.nodes[1].waiters) > 0 {
		t.Error("something is left of those who waited")
	}
}

func TestRequestsThatAreKeptOpenAreBounded(t *testing.T) {
	d := inMemory(t).nodes[0]
	var last func()
	for range maxHeldOfGrant {
		_, done, ok := d.Hold("grant-1")
		if !ok {
			t.Fatal("not kept open")
		}
		last = done
	}
	if _, _, ok := d.Hold("grant-1"); ok {
		t.Error("a grant has more than its share")
	}
	released, done, ok := d.Hold("grant-2")
	if !ok {
		t.Fatal("another grant has nothing")
	}
	last()
	if _, _, ok := d.Hold("grant-1"); !ok {
		t.Error("what was given up is lost")
	}
	d.Release()
	d.Release()
	<-released
	done()
	if _, _, ok := d.Hold("grant-2"); ok {
		t.Error("kept open though the process ends")
	}
	for i := range 2 * maxHeld {
		d.holds.leaving = false
		if _, _, ok := d.Hold(fmt.Sprint(i)); ok != (i < maxHeld-maxHeldOfGrant) {
			t.Fatalf("request %d: %t", i, ok)
		}
	}
}

// What a person is not shown whole they are not asked about; what they approved with whatever arguments goes on.
func TestNobodyIsAskedAboutWhatIsTooLongToShow(t *testing.T) {
	f := inMemory(t)
	long := call(`{"a":"` + strings.Repeat("x", maxShown) + `"}`)
	if verdict, err := f.nodes[0].Ask(t.Context(), long); !errors.Is(err, ErrTooLong) || verdict != Denied {
		t.Errorf("%v, %v", verdict, err)
	}
	if waiting, _, err := f.nodes[0].Of(t.Context(), long.Person.ID); err != nil || len(waiting) != 0 || f.trail.events() != "" {
		t.Errorf("%d wait, %v; recorded %s", len(waiting), err, f.trail.events())
	}
	short := call(`{}`)
	f.ask(0, short, Waiting)
	f.decide(0, short, Always)
	f.ask(0, long, Approved)
}
