package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

func testRecords(t *testing.T, f fixture) {
	t.Run("what was never put is not there", func(t *testing.T) {
		f.absent(t, "code", "a")
		if err := f.Delete(t.Context(), "code", "a"); err != nil {
			t.Fatalf("deleting nothing: %v", err)
		}
	})
	t.Run("a value comes back byte for byte", func(t *testing.T) {
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		for _, value := range []string{"", "\n", "{}", "\x00", "\xff\xfe", "line\r\nline\n", string(every), strings.Repeat("x", 70_000)} {
			f.put(t, "value", "v", value, never)
			f.want(t, "value", "v", value)
		}
		if err := f.Put(t.Context(), "value", "v", nil, never); err != nil {
			t.Fatal(err)
		}
		f.want(t, "value", "v", "")
	})
	t.Run("a later Put replaces an earlier one", func(t *testing.T) {
		f.put(t, "code", "a", "one, which is longer", never)
		f.put(t, "code", "a", "two", never)
		f.want(t, "code", "a", "two")
	})
	t.Run("deleted is gone, and can be put again", func(t *testing.T) {
		f.put(t, "code", "a", "one", never)
		if err := f.Delete(t.Context(), "code", "a"); err != nil {
			t.Fatal(err)
		}
		f.absent(t, "code", "a")
		f.put(t, "code", "a", "two", never)
		f.want(t, "code", "a", "two")
	})
	t.Run("kinds do not meet", func(t *testing.T) {
		f.put(t, "ka", "same", "a", never)
		f.put(t, "ka-b", "same", "b", never)
		f.want(t, "ka", "same", "a")
		f.want(t, "ka-b", "same", "b")
		if err := f.Delete(t.Context(), "ka", "same"); err != nil {
			t.Fatal(err)
		}
		f.absent(t, "ka", "same")
		f.want(t, "ka-b", "same", "b")
	})
	t.Run("slices are not shared with the caller", func(t *testing.T) {
		value := []byte("value")
		if err := f.Put(t.Context(), "copy", "a", value, never); err != nil {
			t.Fatal(err)
		}
		value[0] = 'X'
		f.want(t, "copy", "a", "value")
		got, err := f.Get(t.Context(), "copy", "a")
		if err != nil {
			t.Fatal(err)
		}
		got[0] = 'X'
		f.want(t, "copy", "a", "value")
		next := []byte("next")
		f.update(t, "copy", "a", []byte("value"), next, never)
		next[0] = 'X'
		f.want(t, "copy", "a", "next")
	})
}

func testBounds(t *testing.T, f fixture) {
	t.Run("what is not a kind is refused by every method", func(t *testing.T) {
		for _, kind := range []string{"", "Code", "9a", "-a", "a/b", "a_b", "..", "a b", "é", strings.Repeat("k", store.MaxKind+1)} {
			_, err := f.Get(t.Context(), kind, "id")
			errs := map[string]error{
				"Get":    err,
				"Delete": f.Delete(t.Context(), kind, "id"),
				"List":   f.List(t.Context(), kind, func(string, []byte) error { return nil }),
			}
			for _, w := range writes {
				errs[w.name] = w.do(t.Context(), f, kind, "id", []byte("v"))
			}
			for method, err := range errs {
				if !errors.Is(err, store.ErrKind) {
					t.Errorf("%s with kind %q: %v, want ErrKind", method, kind, err)
				}
			}
		}
	})
	t.Run("the longest kind, id and value are kept", func(t *testing.T) {
		kind, id, value := strings.Repeat("k", store.MaxKind), strings.Repeat("i", store.MaxID), strings.Repeat("v", store.MaxValue)
		f.put(t, kind, id, value, never)
		f.want(t, kind, id, value)
		if got := f.ids(t, kind); !slices.Equal(got, []string{id}) {
			t.Errorf("List gave %d ids, want the one of %d bytes", len(got), len(id))
		}
	})
	t.Run("a longer value is refused and changes nothing", func(t *testing.T) {
		f.put(t, "large", "a", "small", never)
		for _, w := range writes {
			if err := w.do(t.Context(), f, "large", "a", make([]byte, store.MaxValue+1)); !errors.Is(err, store.ErrTooLarge) {
				t.Errorf("%s: %v, want ErrTooLarge", w.name, err)
			}
			f.want(t, "large", "a", "small")
		}
	})
	t.Run("a longer id can't be written and is never there", func(t *testing.T) {
		id := strings.Repeat("i", store.MaxID+1)
		for _, w := range writes {
			if err := w.do(t.Context(), f, "large", id, []byte("v")); !errors.Is(err, store.ErrTooLarge) {
				t.Errorf("%s: %v, want ErrTooLarge", w.name, err)
			}
		}
		f.absent(t, "large", id)
		if err := f.Delete(t.Context(), "large", id); err != nil {
			t.Errorf("Delete: %v", err)
		}
	})
}

// oddIDs are ids that have been confused with each other, or with paths, somewhere.
var oddIDs = []string{
	"", " ", "  ", ".", "..", "/", "//", "a", "A", "á", "a\u0301", "ſ", "s", "S", "K", "\u212a", "k", "İ", "i", "ß", "ss", "SS",
	"a/b", "a/b/", "/a/b", "a//b", "a\\b", "../a", "../../etc/passwd", "a/../b", "a.record", "a.lock", "a b", "a+b", "a%20b", "a*b", "a:b",
	"\x00", "a\x00", "a\x00b", "\n", "a\nb", "\xff", "\xff\xfe", "\ufffd", "\u202e", "日本語", "👩‍👩‍👧", "con", "NUL", "lock", "locks",
	"https://client.example/metadata.json?x=1&y=2#z", `{"id":"a"}`, `"`, "'", "`", "%", "$HOME",
	strings.Repeat("long", 500), strings.Repeat("long", 500) + "x",
}

func testIDs(t *testing.T, f fixture) {
	for i, id := range oddIDs {
		f.put(t, "odd", id, "value "+strings.Repeat("+", i), never)
	}
	for i, id := range oddIDs {
		f.want(t, "odd", id, "value "+strings.Repeat("+", i))
	}
	want := slices.Sorted(slices.Values(oddIDs))
	if got := f.ids(t, "odd"); !slices.Equal(got, want) {
		t.Errorf("List gave\n%q, want\n%q", got, want)
	}
	for i, id := range oddIDs {
		if err := f.Delete(t.Context(), "odd", id); err != nil {
			t.Fatal(err)
		}
		f.absent(t, "odd", id)
		if got := len(f.ids(t, "odd")); got != len(oddIDs)-1-i {
			t.Fatalf("after deleting %.40q there are %d records, want %d", id, got, len(oddIDs)-1-i)
		}
	}
}

func testContext(t *testing.T, f fixture) {
	f.put(t, "code", "a", "one", never)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Get(ctx, "code", "a")
	_, swept := f.Sweep(ctx)
	errs := map[string]error{
		"Get":    err,
		"Delete": f.Delete(ctx, "code", "a"),
		"List":   f.List(ctx, "code", func(string, []byte) error { return nil }),
		"Sweep":  swept,
	}
	for _, w := range writes {
		errs[w.name] = w.do(ctx, f, "code", "a", []byte("two"))
	}
	for method, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a canceled context: %v, want context.Canceled", method, err)
		}
	}
	f.want(t, "code", "a", "one")

	t.Run("who waits for a record stops waiting", func(t *testing.T) {
		inside, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- f.Update(t.Context(), "code", "a", func(old []byte) ([]byte, time.Time, error) {
				close(inside)
				<-release
				return append(old, '!'), never, nil
			})
		}()
		<-inside
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		for _, w := range writes {
			if err := w.do(ctx, f, "code", "a", []byte("two")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want context.DeadlineExceeded", w.name, err)
			}
		}
		close(release)
		if err := <-done; err != nil {
			t.Errorf("the Update they waited for: %v", err)
		}
		f.want(t, "code", "a", "one!")
	})
}
