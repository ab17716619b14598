package seal

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// memory is a Keeper of one record.
type memory struct {
	kind, id string
	value    []byte
	expires  time.Time
	writes   int
	err      error // of Update
}

func (m *memory) Update(_ context.Context, kind, id string, f func([]byte) ([]byte, time.Time, error)) error {
	if m.err != nil {
		return m.err
	}
	m.kind, m.id = kind, id
	next, expires, err := f(m.value)
	if err != nil {
		return err
	}
	m.value, m.expires = next, expires
	m.writes++
	return nil
}

func TestLoadMakesTheRootOnceAndFindsItAgain(t *testing.T) {
	k := new(memory)
	first, err := Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if k.kind != "key" || k.id != "seal" || !k.expires.IsZero() {
		t.Errorf("kept as %s %s until %v", k.kind, k.id, k.expires)
	}
	again, err := Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if k.writes != 1 {
		t.Errorf("written %d times", k.writes)
	}
	if plain, err := again.Open(purpose, alice, first.Seal(purpose, alice, []byte("a"))); err != nil || string(plain) != "a" {
		t.Errorf("after a restart: %q, %v", plain, err)
	}
	other, err := Load(t.Context(), new(memory))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(purpose, alice, first.Seal(purpose, alice, nil)); err != ErrForeign {
		t.Errorf("another installation opens it: %v", err)
	}
}

func TestLoadTakesSeveralRoots(t *testing.T) {
	value, err := encode([][RootSize]byte{secret(2), secret(1)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Load(t.Context(), &memory{value: value})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(purpose, alice, New(secret(1)).Seal(purpose, alice, nil)); err != nil {
		t.Errorf("the older one: %v", err)
	}
	if _, err := New(secret(2)).Open(purpose, alice, s.Seal(purpose, alice, nil)); err != nil {
		t.Errorf("the newer one: %v", err)
	}
}

// With the root everything would be lost that was sealed under it.
func TestLoadLeavesARecordAloneThatItCannotRead(t *testing.T) {
	short, err := json.Marshal(record{Roots: [][]byte{[]byte("too-short-but-secret")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"empty":         "",
		"not JSON":      "secret",
		"without roots": `{}`,
		"a short root":  string(short),
		"cut short":     string(short[:len(short)-4]),
	} {
		t.Run(name, func(t *testing.T) {
			k := &memory{value: []byte(value)}
			s, err := Load(t.Context(), k)
			if err == nil || s != nil {
				t.Fatal("loaded")
			}
			if strings.Contains(err.Error(), "secret") && strings.Contains(err.Error(), "too-short") {
				t.Errorf("the error has the secret in it: %v", err)
			}
			if k.writes != 0 || string(k.value) != value {
				t.Errorf("the record is %q now", k.value)
			}
		})
	}
}

func TestLoadReturnsTheKeepersError(t *testing.T) {
	down := errors.New("storage is down")
	if s, err := Load(t.Context(), &memory{err: down}); s != nil || !errors.Is(err, down) {
		t.Errorf("%v, %v", s, err)
	}
}

// Storage that is emptied under a running program gets the secrets back; that of another installation is left alone.
func TestKeepPutsTheRootBack(t *testing.T) {
	k := new(memory)
	s, err := Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), k); err != nil || k.writes != 1 {
		t.Errorf("with nothing lost: %v, %d writes", err, k.writes)
	}
	k.value = nil
	if err := s.Keep(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	again, err := Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(purpose, alice, s.Seal(purpose, alice, []byte("a"))); err != nil || string(plain) != "a" {
		t.Errorf("after a restart: %q, %v", plain, err)
	}
	other := new(memory)
	if _, err := Load(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	before := string(other.value)
	if err := s.Keep(t.Context(), other); !errors.Is(err, ErrForeign) || string(other.value) != before {
		t.Errorf("another installation's: %v, now %s", err, other.value)
	}
	if err := s.Keep(t.Context(), &memory{err: errors.New("down")}); err == nil || errors.Is(err, ErrForeign) {
		t.Errorf("no storage: %v", err)
	}
}
