package caddymodule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// sheet is where a gatherer writes to. It tells one write from another.
type sheet struct {
	mu     sync.Mutex
	writes []string
	err    error
	closed bool
}

func (s *sheet) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, string(p))
	return len(p), s.err
}

func (s *sheet) Close() error {
	s.closed = true
	return nil
}

func (s *sheet) is(want ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Equal(s.writes, want)
}

func put(t *testing.T, g *gatherer, entries ...string) {
	t.Helper()
	for _, entry := range entries {
		if n, err := g.Write([]byte(entry)); n != len(entry) || err != nil {
			t.Fatal(n, err)
		}
	}
}

func TestEntriesAreWrittenTogetherAfterATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := new(sheet)
		g := &gatherer{inner: to}
		put(t, g, "a", "b")
		time.Sleep(gatherTime - 1)
		synctest.Wait()
		if !to.is() {
			t.Error("written at once", to.writes)
		}
		put(t, g, "c")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !to.is("abc") {
			t.Error(to.writes)
		}
		put(t, g, "d")
		time.Sleep(gatherTime)
		synctest.Wait()
		if !to.is("abc", "d") {
			t.Error(to.writes)
		}
	})
}

func TestNoMoreIsGatheredThanFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := new(sheet)
		g := &gatherer{inner: to}
		half, whole := strings.Repeat("h", gatherSize/2), strings.Repeat("w", 2*gatherSize)
		put(t, g, half, half, "x", whole)
		if !to.is(half+half, "x") {
			t.Error(len(to.writes))
		}
		time.Sleep(gatherTime)
		synctest.Wait()
		if !to.is(half+half, "x", whole) {
			t.Error(len(to.writes))
		}
	})
}

// TestAWriteUnderWayKeepsNobodyWaiting holds that requests go on while a slow disk writes.
func TestAWriteUnderWayKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &slow{ready: make(chan struct{})}
		g := &gatherer{inner: to}
		put(t, g, "a")
		time.Sleep(gatherTime)
		synctest.Wait() // it is being written
		kib := strings.Repeat("k", 1<<10)
		for range gatherMost >> 10 {
			put(t, g, kib)
		}
		close(to.ready)
		put(t, g, kib) // has to wait, and no longer than that
		if err := g.Close(); err != nil || len(strings.Join(to.writes, "")) != 1+gatherMost+len(kib) {
			t.Error(err, "something is missing")
		}
	})
}

// slow is a sheet that is written to only when it may be.
type slow struct {
	sheet
	ready chan struct{}
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.ready
	return s.sheet.Write(p)
}

func TestNothingIsLostWhenALogIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := new(sheet)
		g := &gatherer{inner: to}
		put(t, g, "a", "b")
		if err := g.Close(); err != nil || !to.is("ab") || !to.closed {
			t.Error(err, to.writes)
		}
		put(t, g, "late")
		if !to.is("ab", "late") {
			t.Error(to.writes)
		}
	})
}

func TestAFailureToWriteIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &sheet{err: errors.New("disk full")}
		g := &gatherer{inner: to}
		put(t, g, "a")
		time.Sleep(gatherTime)
		synctest.Wait()
		if _, err := g.Write([]byte("b")); !errors.Is(err, to.err) {
			t.Error("nobody is told:", err)
		}
		to.err = nil
		put(t, g, "c")
		if err := g.Sync(); err != nil || !to.is("a", "bc") {
			t.Error(err, to.writes)
		}
	})
}

// TestManyWriteAtOnce holds that every entry arrives whole and once, and each writer's in their order.
func TestManyWriteAtOnce(t *testing.T) {
	const writers, entries = 8, 3000
	to := new(sheet)
	g := &gatherer{inner: to}
	var busy sync.WaitGroup
	for w := range writers {
		busy.Go(func() {
			for i := range entries {
				if _, err := g.Write([]byte(string(rune('a'+w)) + strings.Repeat(".", i%50) + "\n")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	busy.Wait()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	var count [writers]int
	for line := range strings.Lines(strings.Join(to.writes, "")) {
		w := int(line[0] - 'a')
		if want := strings.Repeat(".", count[w]%50) + "\n"; line[1:] != want {
			t.Fatalf("entry %d of writer %d is %q", count[w], w, line)
		}
		count[w]++
	}
	for w, n := range count {
		if n != entries {
			t.Errorf("writer %d: %d entries", w, n)
		}
	}
}

func TestABufferWithoutAWriterIsAnError(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := new(LogBuffer).Provision(ctx); err == nil || !strings.Contains(err.Error(), "needs the writer") {
		t.Error(err)
	}
}

func BenchmarkGatherer(b *testing.B) {
	g := &gatherer{inner: discard{}}
	entry := []byte(strings.Repeat("e", 400))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = g.Write(entry)
		}
	})
}

// discard is a writer of no use.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }
