package seal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
)

const (
	purpose = "session"
	alice   = "12:local:alice 6:agent /github"
)

func secret(n byte) (s [RootSize]byte) {
	for i := range s {
		s[i] = n
	}
	return s
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	s := New(secret(1))
	for _, plain := range [][]byte{nil, []byte("a"), []byte("6f1e-upstream-session"), bytes.Repeat([]byte{0, 255}, 10_000)} {
		text := s.Seal(purpose, alice, plain)
		got, err := s.Open(purpose, alice, text)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d bytes, %v", len(plain), len(got), err)
		}
		// Mcp-Session-Id has visible ASCII only, and a cursor may go into a URL.
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("not safe in a header or a URL: %s", text)
		}
		if most := 38 + (len(plain)*4+2)/3; len(text) > most {
			t.Errorf("%d bytes become %d characters, want at most %d", len(plain), len(text), most)
		}
	}
}

func TestOpenRefusesWhatIsNotTheHolders(t *testing.T) {
	s := New(secret(1))
	text := s.Seal(purpose, alice, []byte("upstream-session"))
	for name, open := range map[string]func() ([]byte, error){
		"another holder's":                func() ([]byte, error) { return s.Open(purpose, "10:local:bob 6:agent /github", text) },
		"another mount's":                 func() ([]byte, error) { return s.Open(purpose, alice+"2", text) },
		"no one's":                        func() ([]byte, error) { return s.Open(purpose, "", text) },
		"for another purpose":             func() ([]byte, error) { return s.Open("cursor", alice, text) },
		"purpose and holder run together": func() ([]byte, error) { return s.Open(purpose+alice[:1], alice[1:], text) },
		"under another root":              func() ([]byte, error) { return New(secret(2)).Open(purpose, alice, text) },
		"under several other roots":       func() ([]byte, error) { return New(secret(2), secret(3)).Open(purpose, alice, text) },
		"made up":                         func() ([]byte, error) { return s.Open(purpose, alice, strings.Repeat("A", len(text))) },
		"the upstream's own":              func() ([]byte, error) { return s.Open(purpose, alice, "upstream-session") },
		"empty":                           func() ([]byte, error) { return s.Open(purpose, alice, "") },
		"padded":                          func() ([]byte, error) { return s.Open(purpose, alice, text+"=") },
		"with a line end in it":           func() ([]byte, error) { return s.Open(purpose, alice, text[:9]+"\r\n"+text[9:]) },
		"with a line end after it":        func() ([]byte, error) { return s.Open(purpose, alice, text+"\n") },
		"with a space before it":          func() ([]byte, error) { return s.Open(purpose, alice, " "+text) },
		"twice":                           func() ([]byte, error) { return s.Open(purpose, alice, text+text) },
		"in the other base64 alphabet": func() ([]byte, error) {
			return s.Open(purpose, alice, strings.NewReplacer("-", "+", "_", "/").Replace(text)+"+")
		},
	} {
		t.Run(name, func(t *testing.T) {
			if plain, err := open(); err != ErrForeign || plain != nil {
				t.Errorf("opens to %q, %v", plain, err)
			}
		})
	}
}

func TestOpenRefusesEveryCutAndEveryAlteredBit(t *testing.T) {
	s := New(secret(1))
	for _, plain := range []string{"", "a", "ab", "abc"} { // every length that base64 tells apart
		text := s.Seal(purpose, alice, []byte(plain))
		for n := range len(text) {
			if _, err := s.Open(purpose, alice, text[:n]); err != ErrForeign {
				t.Errorf("cut to %d characters: %v", n, err)
			}
		}
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(raw) {
			raw[bit/8] ^= 1 << (bit % 8)
			if _, err := s.Open(purpose, alice, base64.RawURLEncoding.EncodeToString(raw)); err != ErrForeign {
				t.Errorf("bit %d altered: %v", bit, err)
			}
			raw[bit/8] ^= 1 << (bit % 8)
		}
		for i := range text {
			for c := range 256 {
				other := text[:i] + string([]byte{byte(c)}) + text[i+1:]
				if _, err := s.Open(purpose, alice, other); other != text && err != ErrForeign {
					t.Errorf("character %d replaced by %#x: %v", i, c, err)
				}
			}
		}
	}
}

func TestSealingTwiceGivesTwoTexts(t *testing.T) {
	s := New(secret(1))
	first := s.Seal(purpose, alice, []byte("a"))
	if again := s.Seal(purpose, alice, []byte("a")); again == first {
		t.Error("the same text twice tells that two handles are the same")
	}
}

func TestOlderRootsStillOpen(t *testing.T) {
	text := New(secret(1)).Seal(purpose, alice, []byte("a"))
	rotated := New(secret(2), secret(3), secret(1))
	if plain, err := rotated.Open(purpose, alice, text); err != nil || string(plain) != "a" {
		t.Errorf("%q, %v", plain, err)
	}
	if _, err := New(secret(2)).Open(purpose, alice, rotated.Seal(purpose, alice, nil)); err != nil {
		t.Errorf("not sealed under the first root: %v", err)
	}
}

// golden is "sealed long ago", sealed under secret(7).
const golden = "K_ZobE_iwhmgT-8qP4xKLW2e0BdZHg7xILXzCIhXgfSO-o9l006UzvCzbg"

// A text sealed by any earlier version has to open for ever: what is at rest is
// sealed too.
func TestWhatWasSealedBeforeOpens(t *testing.T) {
	plain, err := New(secret(7)).Open(purpose, alice, golden)
	if err != nil || string(plain) != "sealed long ago" {
		t.Errorf("%q, %v", plain, err)
	}
}

func TestHoldersAreSpreadOverAllKeys(t *testing.T) {
	var n [shards]int
	for i := range 100 * shards {
		n[shardOf(fmt.Sprintf("12:local:user%d 6:agent /github", i))]++
	}
	for shard, holders := range n {
		if holders < 40 || holders > 200 {
			t.Errorf("key %d has %d holders of about 100", shard, holders)
		}
	}
}

func TestSealerIsSafeForConcurrentUse(t *testing.T) {
	s := New(secret(1), secret(2))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				holder := fmt.Sprint(j)
				text := s.Seal(purpose, holder, []byte{byte(i)})
				if plain, err := s.Open(purpose, holder, text); err != nil || plain[0] != byte(i) {
					t.Errorf("%v, %v", plain, err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzOpen holds that only what was sealed opens, and that nothing panics.
func FuzzOpen(f *testing.F) {
	s := New(secret(1), secret(7))
	f.Add(golden, purpose, alice)
	f.Add("", "", "")
	f.Add("AAAA", purpose, alice)
	f.Add(strings.Repeat("_", 100), "cursor", alice)
	f.Add(golden+"\n", purpose, alice)
	f.Fuzz(func(t *testing.T, text, purpose, binding string) {
		plain, err := s.Open(purpose, binding, text)
		if err != nil && (err != ErrForeign || plain != nil) {
			t.Errorf("%q, %v", plain, err)
		}
		if err == nil && text != golden {
			t.Errorf("%q opens to %q", text, plain)
		}
		again, err := s.Open(purpose, binding, s.Seal(purpose, binding, []byte(text)))
		if err != nil || string(again) != text {
			t.Errorf("%q is opened as %q, %v", text, again, err)
		}
		if _, err := s.Open(purpose+"x", binding, s.Seal(purpose, binding, []byte(text))); err != ErrForeign {
			t.Errorf("opens for another purpose: %v", err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s := New(secret(1))
	plain := []byte("6f1e9f0e-1d33-4f0a-9a39-0e8e4b1f3c55")
	b.ReportAllocs()
	for b.Loop() {
		s.Seal(purpose, alice, plain)
	}
}

func BenchmarkOpen(b *testing.B) {
	s := New(secret(1))
	text := s.Seal(purpose, alice, []byte("6f1e9f0e-1d33-4f0a-9a39-0e8e4b1f3c55"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(purpose, alice, text); err != nil {
			b.Fatal(err)
		}
	}
}
