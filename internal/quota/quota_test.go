package quota

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/caddystore"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

// stores are those that the quota is tried with.
var stores = map[string]func(*testing.T, *storetest.Clock) store.Store{
	"memory": func(_ *testing.T, c *storetest.Clock) store.Store { return storetest.NewMemory(c.Now) },
	"caddy": func(t *testing.T, c *storetest.Clock) store.Store {
		return caddystore.New(&certmagic.FileStorage{Path: t.TempDir()}, "", c.Now)
	},
}

// take takes one call, and returns how long to wait for it.
func take(t *testing.T, q *Quota, count int, per time.Duration, id ...string) time.Duration {
	t.Helper()
	wait, err := q.Take(t.Context(), count, per, id...)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// allowed takes calls until there are none left, and returns how many there were.
func allowed(t *testing.T, q *Quota, count int, per time.Duration, id ...string) (n int) {
	t.Helper()
	for take(t, q, count, per, id...) == 0 {
		if n++; n > 10*count {
			t.Fatalf("%d calls of %d", n, count)
		}
	}
	return n
}

func TestALimitIsReachedExactlyAndSaysWhenToComeBack(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock()
			q := New(open(t, clock), clock.Now)
			if n := allowed(t, q, 30, time.Minute, "alice"); n != 30 {
				t.Errorf("%d calls, want 30", n)
			}
			wait := take(t, q, 30, time.Minute, "alice")
			if wait <= 55*time.Second || wait > 64*time.Second {
				t.Errorf("to be waited for: %v", wait)
			}
			clock.Advance(wait - time.Nanosecond)
			if take(t, q, 30, time.Minute, "alice") == 0 {
				t.Error("there was a call before it was said")
			}
			clock.Advance(time.Nanosecond)
			if n := allowed(t, q, 30, time.Minute, "alice"); n != 30 {
				t.Errorf("then %d calls, want 30", n)
			}
			if n := allowed(t, q, 30, time.Minute, "bob"); n != 30 {
				t.Errorf("of another: %d calls, want 30", n)
			}
		})
	}
}

func TestTwoNodesShareALimit(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock()
			kept := open(t, clock)
			a, b := New(kept, clock.Now), New(kept, clock.Now)
			var n [2]atomic.Int64
			for i, q := range []*Quota{a, b} { // a node that begins much later finds nothing left
				if take(t, q, 40, time.Minute, "alice") == 0 {
					n[i].Add(1)
				}
			}
			var all sync.WaitGroup
			for range 4 {
				for i, q := range []*Quota{a, b} {
					all.Go(func() {
						for range 15 {
							wait, err := q.Take(t.Context(), 40, time.Minute, "alice")
							if err != nil {
								t.Error(err)
							}
							if wait == 0 {
								n[i].Add(1)
							}
						}
					})
				}
			}
			all.Wait()
			// Each may have a lease left that it does not need.
			if got := n[0].Load() + n[1].Load(); got > 40 || got < 40-2*4 || n[0].Load() == 0 || n[1].Load() == 0 {
				t.Errorf("%d and %d calls of 40", n[0].Load(), n[1].Load())
			}
		})
	}
}

func TestALimitOutlivesARestart(t *testing.T) {
	clock := storetest.NewClock()
	kept := storetest.NewMemory(clock.Now)
	n := 0
	for range 20 {
		if take(t, New(kept, clock.Now), 7, time.Hour, "alice") == 0 {
			n++
		}
		clock.Advance(time.Minute)
	}
	if n != 7 {
		t.Errorf("%d calls, want 7", n)
	}
}

// TestCallsNowAndThenLoseNothing is why a lease begins with one call.
func TestCallsNowAndThenLoseNothing(t *testing.T) {
	clock := storetest.NewClock()
	q := New(storetest.NewMemory(clock.Now), clock.Now)
	for i := range 100 {
		if wait := take(t, q, 30, time.Minute, "alice"); wait != 0 {
			t.Fatalf("call %d has to wait %v", i, wait)
		}
		clock.Advance(2200 * time.Millisecond)
	}
}

func TestWhatIsLeftOfALeaseIsGivenBack(t *testing.T) {
	clock := storetest.NewClock()
	kept := storetest.NewMemory(clock.Now)
	a, b := New(kept, clock.Now), New(kept, clock.Now)
	for range 5 { // leases of 1, 2 and 4 calls: two are left
		take(t, a, 100, time.Minute, "alice")
	}
	clock.Advance(4 * time.Second)
	take(t, a, 100, time.Minute, "alice")
	if n := allowed(t, b, 100, time.Minute, "alice"); n != 94 {
		t.Errorf("%d calls are left for the other node, want 94", n)
	}
}

// TestNeverAboveTheLimit takes calls on three nodes at random times, with restarts, and looks at every window.
func TestNeverAboveTheLimit(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		count := 1 + random.IntN(60)
		per := []time.Duration{time.Second, 7 * time.Second, time.Minute, time.Hour}[random.IntN(4)]
		clock := storetest.NewClock()
		kept := storetest.NewMemory(clock.Now)
		nodes := []*Quota{New(kept, clock.Now), New(kept, clock.Now), New(kept, clock.Now)}
		var done []time.Time
		for range 600 {
			i := random.IntN(len(nodes))
			if random.IntN(40) == 0 {
				nodes[i] = New(kept, clock.Now)
			}
			for range 1 + random.IntN(4) {
				if take(t, nodes[i], count, per, "alice") == 0 {
					done = append(done, clock.Now())
				}
			}
			clock.Advance(time.Duration(random.Int64N(int64(per) / int64(count))))
		}
		for i := range done {
			if i >= count && done[i].Sub(done[i-count]) <= per {
				t.Fatalf("seed %d: %d calls within %v of %d in %v", seed, count+1, done[i].Sub(done[i-count]), count, per)
			}
		}
		if len(done) == 0 {
			t.Fatalf("seed %d: no call", seed)
		}
	}
}

// counting counts the writes to a store, and fails them.
type counting struct {
	store.Store
	writes atomic.Int64
	fail   atomic.Pointer[error]
}

func (s *counting) Update(ctx context.Context, kind, id string, f func([]byte) ([]byte, time.Time, error)) error {
	s.writes.Add(1)
	if err := s.fail.Load(); err != nil {
		return *err
	}
	return s.Store.Update(ctx, kind, id, f)
}

func TestABurstWritesSeldom(t *testing.T) {
	clock := storetest.NewClock()
	kept := &counting{Store: storetest.NewMemory(clock.Now)}
	q := New(kept, clock.Now)
	if n := allowed(t, q, 1000, time.Minute, "alice"); n != 1000 {
		t.Fatalf("%d calls", n)
	}
	before := kept.writes.Load()
	for range 1000 {
		take(t, q, 1000, time.Minute, "alice") // refused, without a look into the store
	}
	if after := kept.writes.Load(); before > 20 || after != before {
		t.Errorf("%d writes for 1000 calls, and %d for 1000 refusals", before, after-before)
	}
}

func TestAStoreThatIsDownIsAnErrorForAllWhoWait(t *testing.T) {
	clock := storetest.NewClock()
	kept := &counting{Store: storetest.NewMemory(clock.Now)}
	down := errors.New("down")
	kept.fail.Store(&down)
	q := New(kept, clock.Now)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := q.Take(t.Context(), 10, time.Minute, "alice"); !errors.Is(err, down) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	kept.fail.Store(nil)
	if n := allowed(t, q, 10, time.Minute, "alice"); n != 10 {
		t.Errorf("when it is up again, %d calls", n)
	}
}

func TestWhatIsKeptNamesNobodyAndExpires(t *testing.T) {
	clock := storetest.NewClock()
	kept := storetest.NewMemory(clock.Now)
	q := New(kept, clock.Now)
	take(t, q, 10, time.Minute, "rule", "alice@example.com")
	records := 0
	if err := kept.List(t.Context(), kindQuota, func(id string, value []byte) error {
		records++
		if strings.Contains(id+string(value), "alice") {
			t.Errorf("%s: %s", id, value)
		}
		return nil
	}); err != nil || records != 1 {
		t.Fatal(records, err)
	}
	clock.Advance(70 * time.Second)
	if n, err := kept.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
}

func TestPartsOfAnIDDoNotRunIntoEachOther(t *testing.T) {
	clock := storetest.NewClock()
	q := New(storetest.NewMemory(clock.Now), clock.Now)
	for _, id := range [][]string{{"a", "b"}, {"ab"}, {"", "ab"}, {"ab", ""}, {"a", "b", ""}} {
		if wait := take(t, q, 1, time.Minute, id...); wait != 0 {
			t.Errorf("%q is counted with another", id)
		}
	}
}

func TestWhatIsNoLimitIsAnError(t *testing.T) {
	q := New(storetest.NewMemory(time.Now), time.Now)
	for _, l := range []struct {
		count int
		per   time.Duration
	}{{0, time.Minute}, {-1, time.Minute}, {1, 0}, {1, time.Millisecond}} {
		if _, err := q.Take(t.Context(), l.count, l.per, "alice"); !errors.Is(err, ErrLimit) {
			t.Errorf("%v: %v", l, err)
		}
	}
}

// TestAClockThatWasWrongKeepsNobodyOutForLong has a node with a clock years ahead, which is then set right.
func TestAClockThatWasWrongKeepsNobodyOutForLong(t *testing.T) {
	clock := storetest.NewClock()
	kept := storetest.NewMemory(clock.Now)
	allowed(t, New(kept, func() time.Time { return clock.Now().AddDate(3, 0, 0) }), 5, time.Minute, "alice")
	if n := allowed(t, New(kept, clock.Now), 5, time.Minute, "alice"); n != 5 {
		t.Errorf("%d calls, want 5", n)
	}
	// One that is a little ahead is believed.
	allowed(t, New(kept, func() time.Time { return clock.Now().Add(20 * time.Second) }), 5, time.Minute, "bob")
	if n := allowed(t, New(kept, clock.Now), 5, time.Minute, "bob"); n != 0 {
		t.Errorf("%d calls beside those of a clock that is ahead", n)
	}
}

func TestTheMemoryOfANodeIsBounded(t *testing.T) {
	clock := storetest.NewClock()
	q := New(storetest.NewMemory(clock.Now), clock.Now)
	for i := range maxKept + 100 {
		take(t, q, 10, time.Minute, "alice", time.Duration(i).String())
	}
	if n := len(q.counters); n > maxKept {
		t.Errorf("%d counters", n)
	}
}

// FuzzRecord reads any record: what is read is sound, and nothing is added that was not there.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"s":[{"t":5,"n":3},{"t":9,"n":1}]}`), int64(20), 3)
	f.Add([]byte(`{"s":[{"t":9223372036854775807,"n":2147483647}]}`), int64(0), 1)
	f.Add([]byte(`{}`), int64(7), 1)
	f.Fuzz(func(t *testing.T, value []byte, slice int64, count int) {
		r, err := decode(value)
		if err != nil {
			return
		}
		if slice < 0 || slice > 1<<40 || count < 1 {
			return
		}
		r.forget(slice)
		r.add(max(slice, r.newest()), 1)
		if r.sum() < 1 || len(r.Slices) > 2*slices+1 {
			t.Fatalf("%+v", r)
		}
		if free := r.freeAt(count); r.sum() >= count && free <= r.newest()-slices {
			t.Fatalf("%+v: free at %d", r, free)
		}
		if again, err := decode(r.encode()); r.sum() < maxCalls && (err != nil || again.sum() != r.sum()) {
			t.Fatalf("%s: %v", r.encode(), err)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	q := New(storetest.NewMemory(time.Now), time.Now)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := q.Take(b.Context(), 1<<30, time.Minute, "rule", "alice"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
