package fetch

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newTestCache is a cache of strings from one host.
func newTestCache(t testing.TB, h *host, c *clock) *Cache[string] {
	t.Helper()
	return NewCache(h.client(t, Options{Private: loopback}), limit, parseText, c.now)
}

func TestADocumentIsKeptWhileItIsFresh(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`, "Cache-Control", "max-age=600") })
	clk := newClock()
	c := newTestCache(t, h, clk)
	get := func(want string, asked int64) {
		t.Helper()
		if got, err := c.Get(t.Context(), h.address("/"), Request{}); err != nil || got != want || h.asked.Load() != asked {
			t.Errorf("got %q, %v; its host was asked %d times, not %d", got, err, h.asked.Load(), asked)
		}
	}
	get("one", 1)
	h.now(func(w http.ResponseWriter, _ *http.Request) { text(w, `"two"`) })
	clk.advance(10*time.Minute - 1)
	get("one", 1)
	clk.advance(1)
	get("two", 2)
}

// What is wanted newer is asked for again, once, whether its host answers or not.
func TestADocumentIsAskedForAgain(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`) })
	clk := newClock()
	c := newTestCache(t, h, clk)
	for i, serve := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`) },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	} {
		if _, err := c.Get(t.Context(), h.address("/"), Request{}); err != nil {
			t.Fatal(err)
		}
		asked := h.asked.Load()
		h.now(serve)
		clk.advance(time.Minute)
		for range 3 {
			if got, err := c.Get(t.Context(), h.address("/"), Request{AskedAfter: clk.now().Add(-30 * time.Second)}); err != nil || got != "one" {
				t.Errorf("%d: got %q, %v", i, got, err)
			}
		}
		if n := h.asked.Load() - asked; n != 1 {
			t.Errorf("%d: its host was asked %d times", i, n)
		}
	}
}

// While its host is down a good document is used, but not forever, and not if its host forbids it.
func TestADocumentOutlivesTroubleOfItsHost(t *testing.T) {
	for header, want := range map[string]bool{"max-age=600": true, "max-age=600, must-revalidate": false} {
		t.Run(header, func(t *testing.T) {
			good := func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`, "Cache-Control", header) }
			h, clk := newHost(t, good), newClock()
			c := newTestCache(t, h, clk)
			get := func() error {
				_, err := c.Get(t.Context(), h.address("/"), Request{})
				return err
			}
			if err := get(); err != nil {
				t.Fatal(err)
			}
			h.now(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			clk.advance(10 * time.Minute)
			for range 3 {
				if err := get(); (err == nil) != want {
					t.Errorf("its host is down: %v", err)
				}
			}
			if !want {
				return
			}
			if h.asked.Load() != 2 {
				t.Errorf("a host that is down was asked %d times", h.asked.Load()-1)
			}
			clk.advance(maxStale - time.Minute)
			if err := get(); err != nil {
				t.Errorf("after almost a day: %v", err)
			}
			clk.advance(time.Minute)
			if err := get(); !errors.Is(err, ErrUnavailable) {
				t.Errorf("after a day: %v", err)
			}
			h.now(good)
			if err := get(); err != nil {
				t.Errorf("its host is back: %v", err)
			}
		})
	}
}

// A host that answers with something that is no good has taken the document back; that is not trouble.
func TestADocumentThatIsTakenBackIsGone(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"not there": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) },
		"no good":   func(w http.ResponseWriter, _ *http.Request) { text(w, `{}`) },
	} {
		t.Run(name, func(t *testing.T) {
			h, clk := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`) }), newClock()
			c := newTestCache(t, h, clk)
			if _, err := c.Get(t.Context(), h.address("/"), Request{}); err != nil {
				t.Fatal(err)
			}
			h.now(serve)
			clk.advance(maxFresh)
			for range 2 {
				if _, err := c.Get(t.Context(), h.address("/"), Request{}); err == nil || errors.Is(err, ErrUnavailable) {
					t.Errorf("got %v", err)
				}
			}
			// Errors are not kept, so its host was asked each time.
			if h.asked.Load() != 3 || c.recent.Len() != 0 {
				t.Errorf("its host was asked %d times, and %d are kept", h.asked.Load(), c.recent.Len())
			}
		})
	}
}

// What is known is not for a limit to keep from being looked at again; what isn't, is.
func TestALimitHoldsForWhatIsNotKnown(t *testing.T) {
	h, clk := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`) }), newClock()
	c := newTestCache(t, h, clk)
	errLimit := errors.New("limit")
	never := Request{May: func() error { return errLimit }}
	if _, err := c.Get(t.Context(), h.address("/"), never); !errors.Is(err, errLimit) || h.asked.Load() != 0 {
		t.Errorf("got %v", err)
	}
	if _, err := c.Get(t.Context(), h.address("/"), Request{}); err != nil {
		t.Fatal(err)
	}
	clk.advance(maxFresh)
	if _, err := c.Get(t.Context(), h.address("/"), never); err != nil || h.asked.Load() != 2 {
		t.Errorf("got %v", err)
	}
}

// Many who want the same wait for one fetch, and one who goes away stops nobody.
func TestOneFetchForAll(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		text(w, `"one"`)
	})
	c := newTestCache(t, h, newClock())
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := c.Get(ctx, h.address("/"), Request{})
		first <- err
	}()
	<-begun
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v", err)
	}
	var all sync.WaitGroup
	var asked atomic.Int64
	for range 20 {
		all.Go(func() {
			got, err := c.Get(t.Context(), h.address("/"), Request{May: func() error { asked.Add(1); return nil }})
			if err != nil || got != "one" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	close(release)
	all.Wait()
	if h.asked.Load() != 1 || asked.Load() != 0 {
		t.Errorf("the host was asked %d times, the limit %d times", h.asked.Load(), asked.Load())
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`) })
	c := newTestCache(t, h, newClock())
	c.parse = func(string, []byte) (string, error) { return "", nil }
	for i := range 3 * maxEntries {
		address := h.address("/" + strconv.Itoa(i))
		c.mu.Lock()
		f := &flight[string]{done: make(chan struct{})}
		c.flights[address] = f
		c.mu.Unlock()
		// The network is left out of it.
		c.land(address, f, &entry[string]{address: address, fresh: c.now().Add(time.Hour), stale: c.now().Add(time.Hour)}, nil)
		if _, err := c.Get(t.Context(), h.address("/0"), Request{}); err != nil {
			t.Fatal("the one used most is forgotten")
		}
	}
	if len(c.entries) != maxEntries || c.recent.Len() != maxEntries || len(c.flights) != 0 || h.asked.Load() != 0 {
		t.Errorf("%d are kept, %d under way", len(c.entries), len(c.flights))
	}
	for i := range maxFlights {
		c.flights[strconv.Itoa(i)] = &flight[string]{}
	}
	if _, err := c.Get(t.Context(), h.address("/new"), Request{}); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "waited for") {
		t.Errorf("with all under way: %v", err)
	}
}

// A parser that fails in the worst way is the document's fault, and nobody else's.
func TestAParserThatPanics(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`) })
	c := newTestCache(t, h, newClock())
	c.parse = func(string, []byte) (string, error) { panic("oh") }
	if _, err := c.Get(t.Context(), h.address("/"), Request{}); err == nil {
		t.Error("no error")
	}
}

// Whoever names sites that take all the time there is keeps nobody from a document that is known, old as it may be.
func TestAttackFetchesThatKeepUsBusy(t *testing.T) {
	h, clk := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"one"`) }), newClock()
	c := newTestCache(t, h, clk)
	if _, err := c.Get(t.Context(), h.address("/"), Request{}); err != nil {
		t.Fatal(err)
	}
	for i := range maxFlights {
		c.flights[strconv.Itoa(i)] = &flight[string]{done: make(chan struct{})}
	}
	for name, r := range map[string]Request{"fresh": {}, "wanted newer": {AskedAfter: clk.now().Add(time.Second)}} {
		if got, err := c.Get(t.Context(), h.address("/"), r); err != nil || got != "one" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	clk.advance(maxFresh)
	if got, err := c.Get(t.Context(), h.address("/"), Request{}); err != nil || got != "one" {
		t.Errorf("stale: got %q, %v", got, err)
	}
	clk.advance(maxStale)
	if _, err := c.Get(t.Context(), h.address("/"), Request{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("too old: %v", err)
	}
}
