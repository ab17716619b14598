package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

func testUpdate(t *testing.T, f fixture) {
	t.Run("nothing, empty and something are told apart", func(t *testing.T) {
		f.update(t, "code", "a", nil, []byte{}, never)
		f.want(t, "code", "a", "")
		f.update(t, "code", "a", []byte{}, []byte("one"), never)
		f.want(t, "code", "a", "one")
		f.update(t, "code", "a", []byte("one"), []byte("two"), never)
		f.want(t, "code", "a", "two")
	})
	t.Run("nil deletes", func(t *testing.T) {
		f.put(t, "code", "a", "one", never)
		f.update(t, "code", "a", []byte("one"), nil, never)
		f.absent(t, "code", "a")
		f.update(t, "code", "a", nil, nil, never)
		f.absent(t, "code", "a")
	})
	t.Run("its expiry holds", func(t *testing.T) {
		f.put(t, "code", "e", "one", never)
		f.update(t, "code", "e", []byte("one"), []byte("two"), f.clock.In(time.Minute))
		f.want(t, "code", "e", "two")
		f.clock.Advance(time.Minute)
		f.absent(t, "code", "e")
	})
	t.Run("an error of f leaves the record as it was and comes back", func(t *testing.T) {
		f.put(t, "code", "a", "one", f.clock.In(time.Minute))
		no := errors.New("no")
		for _, next := range [][]byte{nil, {}, []byte("two")} {
			for _, id := range []string{"a", "nobody"} {
				if err := f.Update(t.Context(), "code", id, func(old []byte) ([]byte, time.Time, error) {
					for i := range old {
						old[i] = 'X'
					}
					return next, never, no
				}); err != no {
					t.Fatalf("Update: %v, want the error of f itself", err)
				}
			}
			f.want(t, "code", "a", "one")
			f.absent(t, "code", "nobody")
		}
		f.clock.Advance(time.Minute)
		f.absent(t, "code", "a")
	})
	t.Run("a panic of f leaves the record as it was and free", func(t *testing.T) {
		f.put(t, "code", "a", "one", never)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = f.Update(t.Context(), "code", "a", func([]byte) ([]byte, time.Time, error) { panic("bug") })
		}()
		f.update(t, "code", "a", []byte("one"), []byte("two"), never)
		f.want(t, "code", "a", "two")
	})
	t.Run("f may use the store for other records", func(t *testing.T) {
		f.put(t, "code", "a", "one", never)
		if err := f.Update(t.Context(), "code", "a", func(old []byte) ([]byte, time.Time, error) {
			f.put(t, "code", "b", "made inside", never)
			f.update(t, "grant", "a", nil, old, never)
			return []byte("two"), never, nil
		}); err != nil {
			t.Fatal(err)
		}
		f.want(t, "code", "a", "two")
		f.want(t, "code", "b", "made inside")
		f.want(t, "grant", "a", "one")
	})
}

func testAlone(t *testing.T, f fixture) {
	t.Run("64 goroutines count to 64", func(t *testing.T) {
		var inside, most atomic.Int32
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if err := f.Update(t.Context(), "count", "n", func(old []byte) ([]byte, time.Time, error) {
					if n := inside.Add(1); n > most.Load() {
						most.Store(n)
					}
					defer inside.Add(-1)
					n, _ := strconv.Atoi(string(old))
					return strconv.AppendInt(nil, int64(n+1), 10), f.clock.In(time.Hour), nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		f.want(t, "count", "n", "64")
		if most.Load() != 1 {
			t.Errorf("%d goroutines were inside at once", most.Load())
		}
	})
	t.Run("one of 16 redeems a code", func(t *testing.T) {
		f.put(t, "code", "once", "unused", never)
		used := errors.New("used")
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				err := f.Update(t.Context(), "code", "once", func(old []byte) ([]byte, time.Time, error) {
					if string(old) != "unused" {
						return nil, never, used
					}
					return []byte("used"), never, nil
				})
				switch err {
				case nil:
					won.Add(1)
				case used:
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d redeemed it", won.Load())
		}
	})
	t.Run("records do not wait for each other", func(t *testing.T) {
		// All are inside at once, or this never ends.
		const n = 32
		var wg, all sync.WaitGroup
		all.Add(n)
		for i := range n {
			wg.Go(func() {
				if err := f.Update(t.Context(), "apart", fmt.Sprint(i), func([]byte) ([]byte, time.Time, error) {
					all.Done()
					all.Wait()
					return []byte("v"), never, nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := len(f.ids(t, "apart")); got != n {
			t.Errorf("%d records, want %d", got, n)
		}
	})
	for name, c := range map[string]struct {
		write func(s store.Store) error
		want  string
	}{
		"a Delete is not undone by an Update under way": {want: "", write: func(s store.Store) error { return s.Delete(t.Context(), "grant", "g") }},
		"a Put is not lost to an Update under way": {want: "put", write: func(s store.Store) error {
			return s.Put(t.Context(), "grant", "g", []byte("put"), never)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f.put(t, "grant", "g", "old", never)
			written := make(chan error, 1)
			f.whileUpdating(t, func() { go func() { written <- c.write(f) }() })
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				f.absent(t, "grant", "g")
			} else {
				f.want(t, "grant", "g", c.want)
			}
		})
	}
}

// whileUpdating updates grant g, and lets meanwhile start something that can't finish before.
func (f fixture) whileUpdating(t *testing.T, meanwhile func()) {
	t.Helper()
	if err := f.Update(t.Context(), "grant", "g", func(old []byte) ([]byte, time.Time, error) {
		meanwhile()
		// Enough for a store that does not make writers wait to let it through, most times; one that does
		// passes always.
		timer := time.NewTimer(20 * time.Millisecond)
		defer timer.Stop()
		<-timer.C
		return append(old, " and refreshed"...), never, nil
	}); err != nil {
		t.Fatal(err)
	}
}
