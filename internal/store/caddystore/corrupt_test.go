package caddystore

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// recordFile is where a record lies on disk.
func recordFile(s *Store, kind, id string) string { return s.files.Filename(s.address(kind, id).key) }

func TestCorruptRecords(t *testing.T) {
	t.Parallel()
	whole, err := record{kind: "grant", id: "bad", value: []byte("secret value")}.encode()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := record{kind: "grant", id: "other", value: []byte("v")}.encode()
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	cases := map[string][]byte{
		"empty": {}, "zeros": make([]byte, 300), "no line": []byte(`{"v":1`), "not JSON": []byte("hello\nworld"), "JSON of another shape": []byte("[]\n"),
		"a bit flipped": flipped, "more behind": append(bytes.Clone(whole), 'x'), "another record's bytes": foreign,
		"id changed":    bytes.Replace(whole, []byte(`"id":"YmFk"`), []byte(`"id":"YmFl"`), 1),
		"kind changed":  bytes.Replace(whole, []byte(`"grant"`), []byte(`"other"`), 1),
		"expiry made":   bytes.Replace(whole, []byte(`,"size"`), []byte(`,"expires":"2999-01-01T00:00:00Z","size"`), 1),
		"huge size":     bytes.Replace(whole, []byte(`"size":12`), []byte(`"size":1000000000000`), 1),
		"version zero":  bytes.Replace(whole, []byte(`"v":1`), []byte(`"v":0`), 1),
		"cut in a line": whole[:20],
	}
	for i := range whole {
		if i%16 == 0 {
			cases["cut after "+strings.Repeat("|", i/16)] = whole[:i]
		}
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := open(t.TempDir(), Logger(slog.New(slog.NewTextHandler(&log, nil))))
			for _, id := range []string{"bad", "good"} {
				if err := s.Put(t.Context(), "grant", id, []byte("v"), time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(recordFile(s, "grant", "bad"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(t.Context(), "grant", "bad"); !errors.Is(err, store.ErrCorrupt) || got != nil {
				t.Errorf("Get: %q, %v, want ErrCorrupt", got, err)
			}
			if err := s.Update(t.Context(), "grant", "bad", func([]byte) ([]byte, time.Time, error) {
				t.Error("Update called f")
				return nil, time.Time{}, nil
			}); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("Update: %v, want ErrCorrupt", err)
			}
			var listed []string
			if err := s.List(t.Context(), "grant", func(id string, _ []byte) error {
				listed = append(listed, id)
				return nil
			}); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("List: %v, want ErrCorrupt", err)
			}
			if len(listed) != 1 || listed[0] != "good" {
				t.Errorf("List gave %q, want the good one", listed)
			}
			if removed, err := s.Sweep(t.Context()); removed != 1 || err != nil {
				t.Errorf("Sweep: %d, %v, want 1", removed, err)
			}
			if !strings.Contains(log.String(), "corrupt") || strings.Contains(log.String(), "secret value") {
				t.Errorf("the log says\n%s", log.String())
			}
			if _, err := s.Get(t.Context(), "grant", "bad"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Get after Sweep: %v, want ErrNotFound", err)
			}
			if _, err := s.Get(t.Context(), "grant", "good"); err != nil {
				t.Errorf("Sweep took the good one: %v", err)
			}
		})
	}
}

func TestACorruptRecordCanBeReplacedAndDeleted(t *testing.T) {
	t.Parallel()
	s := open(t.TempDir())
	for _, write := range []func() error{
		func() error { return s.Put(t.Context(), "grant", "bad", []byte("new"), time.Time{}) },
		func() error { return s.Delete(t.Context(), "grant", "bad") },
	} {
		if err := s.Put(t.Context(), "grant", "bad", []byte("v"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(recordFile(s, "grant", "bad"), 10); err != nil {
			t.Fatal(err)
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "grant", "bad"); errors.Is(err, store.ErrCorrupt) {
			t.Error(err)
		}
	}
}

func TestARecordOfANewerVersionIsNotSwept(t *testing.T) {
	t.Parallel()
	s := open(t.TempDir())
	if err := s.Put(t.Context(), "grant", "a", []byte("v"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	file := recordFile(s, "grant", "a")
	if err := os.WriteFile(file, []byte(`{"v":2,"how":"unknown"}`+"\n\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "grant", "a"); !errors.Is(err, errNewer) {
		t.Errorf("Get: %v", err)
	}
	if removed, err := s.Sweep(t.Context()); removed != 0 || err != nil {
		t.Errorf("Sweep: %d, %v", removed, err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestTemporaryFilesOfACrashAreSweptWhenOld(t *testing.T) {
	t.Parallel()
	s := open(t.TempDir())
	if err := s.Put(t.Context(), "grant", "a", []byte("v"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(recordFile(s, "grant", "a"))
	old, young := filepath.Join(folder, "123456"), filepath.Join(folder, "987654")
	for _, file := range []string{old, young} {
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-2 * strayAge)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	if removed, err := s.Sweep(t.Context()); removed != 0 || err != nil {
		t.Errorf("Sweep: %d, %v", removed, err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old one: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one, which may be in the making: %v", err)
	}
	count := 0
	if err := s.List(t.Context(), "grant", func(string, []byte) error { count++; return nil }); err != nil || count != 1 {
		t.Errorf("List gave %d, %v", count, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range []record{
		{},
		{kind: "grant", id: "a", value: []byte("v")},
		{kind: "k", id: "\xff\n", expires: time.Unix(1e9, 5), value: []byte("a\nb")},
	} {
		data, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		again, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(again)
		if err != nil || back.kind != r.kind || back.id != r.id || !back.expires.Equal(r.expires) || !bytes.Equal(back.value, r.value) {
			t.Fatalf("%+v came back as %+v, %v", r, back, err)
		}
	})
}
