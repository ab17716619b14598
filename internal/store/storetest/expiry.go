package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func testExpiry(t *testing.T, f fixture) {
	t.Run("a record ends when the clock reads its expiry", func(t *testing.T) {
		f.put(t, "code", "minute", "v", f.clock.In(time.Minute))
		f.put(t, "code", "never", "v", never)
		f.clock.Advance(time.Minute - time.Millisecond)
		f.want(t, "code", "minute", "v")
		f.clock.Advance(time.Millisecond)
		f.absent(t, "code", "minute")
		f.clock.Advance(100 * 365 * 24 * time.Hour)
		f.want(t, "code", "never", "v")
	})
	t.Run("the last write says when", func(t *testing.T) {
		f.put(t, "code", "a", "1", f.clock.In(time.Minute))
		f.put(t, "code", "a", "2", f.clock.In(time.Hour))
		f.clock.Advance(2 * time.Minute)
		f.want(t, "code", "a", "2")
		f.put(t, "code", "a", "3", never)
		f.clock.Advance(2 * time.Hour)
		f.want(t, "code", "a", "3")
		f.put(t, "code", "a", "4", f.clock.In(time.Second))
		f.clock.Advance(time.Second)
		f.absent(t, "code", "a")
	})
	t.Run("written with an expiry that is past, nothing is there", func(t *testing.T) {
		f.put(t, "code", "a", "one", never)
		f.put(t, "code", "a", "two", f.clock.In(-time.Second))
		f.absent(t, "code", "a")
		f.put(t, "code", "a", "one", never)
		f.update(t, "code", "a", []byte("one"), []byte("two"), f.clock.Now())
		f.absent(t, "code", "a")
	})
	t.Run("the zone of a time does not matter", func(t *testing.T) {
		f.put(t, "code", "zone", "v", f.clock.In(time.Minute).In(time.FixedZone("", -11*3600)))
		f.want(t, "code", "zone", "v")
		f.clock.Advance(time.Minute)
		f.absent(t, "code", "zone")
	})
	t.Run("an expired record is absent to Update", func(t *testing.T) {
		f.put(t, "code", "a", "one", f.clock.In(time.Second))
		f.clock.Advance(time.Second)
		f.update(t, "code", "a", nil, []byte("new"), never)
		f.want(t, "code", "a", "new")
	})
}

func testList(t *testing.T, f fixture) {
	t.Run("a kind without records", func(t *testing.T) {
		if got := f.ids(t, "none"); len(got) != 0 {
			t.Errorf("List gave %q", got)
		}
	})
	want := map[string]string{}
	for i := range 100 {
		id := fmt.Sprintf("id-%d", i)
		f.put(t, "grant", id, "value of "+id, never)
		want[id] = "value of " + id
	}
	f.put(t, "grant", "soon", "v", f.clock.In(time.Minute))
	f.put(t, "other", "id-1", "v", never)
	t.Run("every record once, with its id and value", func(t *testing.T) {
		seen := map[string]string{}
		if err := f.List(t.Context(), "grant", func(id string, value []byte) error {
			if _, twice := seen[id]; twice {
				t.Errorf("%s listed twice", id)
			}
			seen[id] = string(value)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 101 || seen["soon"] != "v" {
			t.Errorf("listed %d records, want 101", len(seen))
		}
		for id, value := range want {
			if seen[id] != value {
				t.Errorf("%s: listed with %q", id, seen[id])
			}
		}
	})
	t.Run("expired records are left out", func(t *testing.T) {
		f.clock.Advance(time.Minute)
		if ids := f.ids(t, "grant"); len(ids) != 100 || slices.Contains(ids, "soon") {
			t.Errorf("listed %d records, want 100 and not the expired one", len(ids))
		}
	})
	t.Run("an error of f stops it and comes back", func(t *testing.T) {
		stop, calls := errors.New("enough"), 0
		err := f.List(t.Context(), "grant", func(string, []byte) error {
			if calls++; calls == 3 {
				return stop
			}
			return nil
		})
		if err != stop || calls != 3 {
			t.Errorf("List: %v after %d calls, want the error of the third", err, calls)
		}
	})
	t.Run("f may change what it is called for", func(t *testing.T) {
		if err := f.List(t.Context(), "grant", func(id string, value []byte) error {
			if len(id)%2 == 0 {
				return f.Delete(t.Context(), "grant", id)
			}
			f.update(t, "grant", id, value, []byte("changed"), never)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := f.ids(t, "grant"); len(got) != 90 {
			t.Errorf("%d records left, want the 90 with two digits, less those with one", len(got))
		}
		f.want(t, "grant", "id-42", "changed")
		f.absent(t, "grant", "id-4")
	})
}

func testSweep(t *testing.T, f fixture) {
	sweep := func(want int) {
		t.Helper()
		if removed, err := f.Sweep(t.Context()); removed != want || err != nil {
			t.Fatalf("Sweep removed %d records (%v), want %d", removed, err, want)
		}
	}
	sweep(0)
	for i := range 20 {
		f.put(t, "code", fmt.Sprint(i), "v", f.clock.In(time.Minute))
		f.put(t, "grant", fmt.Sprint(i), "v", f.clock.In(time.Hour))
		f.put(t, "key", fmt.Sprint(i), "v", never)
	}
	sweep(0)
	f.clock.Advance(time.Minute)
	sweep(20)
	sweep(0)
	f.absent(t, "code", "1")
	f.want(t, "grant", "1", "v")
	f.put(t, "grant", "1", "renewed", f.clock.In(2*time.Hour))
	f.put(t, "grant", "2", "for ever", never)
	f.clock.Advance(time.Hour)
	sweep(18)
	f.want(t, "grant", "1", "renewed")
	f.want(t, "grant", "2", "for ever")
	if got := len(f.ids(t, "key")); got != 20 {
		t.Errorf("%d keys left, want 20", got)
	}
}
