package policy

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	tests := []struct {
		kind    Kind
		pattern string
		yes, no string // texts, separated by spaces; _ is the empty one
	}{
		{Tool, "abc", "abc", "ab abcd xabc ABC _"},
		{Tool, "*", "_ a a/b *", ""},
		{Tool, "**", "_ a a/b", ""},
		{Tool, "a*", "a ab a/b a*", "_ ba"},
		{Tool, "*a", "a ba b/a", "_ ab"},
		{Tool, "*a*", "a bab /a/ aa", "_ b"},
		{Tool, "a*b", "ab a/b abb aab a*b", "a b ba abc"},
		{Tool, "aa*aa", "aaaa aaaaa aaxaa", "aa aaa"},
		{Tool, "a*b*c", "abc axbxc abcc abcbc ac/b/c", "acb ab abd"},
		{Tool, "a*ab*b", "aabb axabxb aab_abb", "ab aab abb"},
		{Tool, "*ab*ab", "abab xababab", "ab aab"},
		{Tool, "a.b", "a.b", "axb"},
		{Tool, "日*語", "日語 日本語", "日本 語"},

		{Resource, "*", "_ a ab", "/ a/b"},
		{Resource, "**", "_ a a/b //", ""},
		{Resource, "a/*", "a/ a/b", "a a/b/ a/b/c"},
		{Resource, "a/**", "a/ a/b a/b/c", "a b/a/"},
		{Resource, "*/b", "/b a/b", "b a/a/b"},
		{Resource, "**/b", "/b a/b a/a/b", "b a/c"},
		{Resource, "a/*/c", "a/b/c a//c", "a/c a/b/b/c"},
		{Resource, "a/**/c", "a/b/c a//c a/b/b/c a/c/c", "a/c a/cc"},
		{Resource, "a*b*c", "abc axbxc axbbc", "a/bc ab/c"},
		{Resource, "a*/b", "a/b ax/b", "a/a/b ax/bb"},
		{Resource, "a*b/c*d", "ab/cd axb/cxd abb/cdd", "a/b/cd ab/c/d ab/d"},
		{Resource, "**a*b", "ab xab x/a/ab a/axb aab", "a/b ab/ aba"},
		{Resource, "a*b**", "ab abx axb/c ab//", "a/b b"},
		{Resource, "**a*b**", "ab x/axb/y a/ab", "a/b ba"},
		{Resource, "**/a*/b**c", "/a/bc x/ax/b/c /a/x/a/bxc", "a/bc /ab/c /a/x/bc"},
		{Resource, "**a*b*c**", "abc a/abc a/b/axbxcx aab/abc", "a/b/c ab/c a/bc"},
		{Resource, "**x*/y**", "x/y xx/y x/xz/y", "x/x y/x/z"},
	}
	for _, tt := range tests {
		g := parseGlob(tt.kind, tt.pattern)
		for want, texts := range map[bool]string{true: tt.yes, false: tt.no} {
			for _, text := range strings.Fields(texts) {
				text = strings.TrimPrefix(text, "_")
				if g.match(text) != want {
					t.Errorf("%v %s on %q is not %v", tt.kind, tt.pattern, text, want)
				}
				if wildMatch(tt.kind, tt.pattern, text) != want {
					t.Errorf("%v %s on %q is not %v by the reference", tt.kind, tt.pattern, text, want)
				}
			}
		}
	}
}

// wildMatch is the reference: a table of which first parts of the pattern match which first parts of the text, filled
// straight from the definition of the wildcards.
func wildMatch(k Kind, pattern, text string) bool { return wildMatchUpTo("", k, pattern, text) }

// wildMatchAllowed is the reference for allow rules, in which no wildcard of a URI but one at the end takes a ? or #.
func wildMatchAllowed(k Kind, pattern, text string) bool {
	if k.uri() {
		return wildMatchUpTo("?#", k, pattern, text)
	}
	return wildMatch(k, pattern, text)
}

// wildMatchUpTo takes the characters at which wildcards stop that do not end the pattern.
func wildMatchUpTo(stops string, k Kind, pattern, text string) bool {
	const any, segment = '\x01', '\x02'
	var tokens []byte
	for rest := pattern; rest != ""; {
		stars := len(rest) - len(strings.TrimLeft(rest, "*"))
		switch {
		case stars == 0:
			tokens, rest = append(tokens, rest[0]), rest[1:]
		case stars == 1 && k.uri():
			tokens, rest = append(tokens, segment), rest[1:]
		default:
			tokens, rest = append(tokens, any), rest[stars:]
		}
	}
	matches := make([]bool, len(text)+1)
	matches[0] = true
	for t, token := range tokens {
		if t == len(tokens)-1 {
			stops = ""
		}
		next := make([]bool, len(text)+1)
		for i := range next {
			switch {
			case token == any || token == segment:
				next[i] = matches[i] || i > 0 && next[i-1] && (token == any || text[i-1] != '/') && !strings.Contains(stops, text[i-1:i])
			case i > 0:
				next[i] = matches[i-1] && text[i-1] == token
			}
		}
		matches = next
	}
	return matches[len(text)]
}

// Patterns and texts made to send a backtracking matcher round for ever are decided in no time.
func TestGlobIsLinear(t *testing.T) {
	start := time.Now()
	for _, k := range []Kind{Tool, Resource} {
		for _, pattern := range []string{
			strings.Repeat("a*", 500) + "b",
			strings.Repeat("**a", 300) + "b",
			"**" + strings.Repeat("a*", 500) + "b**",
			"**" + strings.Repeat("*/", 500) + "b**",
			strings.Repeat("a*/**", 200) + "b",
		} {
			for _, text := range []string{strings.Repeat("a", MaxURI), strings.Repeat("a/", MaxURI/2), strings.Repeat("aaaaaaa/", MaxURI/8)} {
				if parseGlob(k, pattern).match(text) {
					t.Errorf("%.20s... matches %.20s...", pattern, text)
				}
			}
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"a*b*c", "axbxc"}, {"**/a*/b**c", "x/ax/b/c"}, {"*", ""}, {"**a*b*c**", "a/b/axbxcx"}, {"aa*aa", "aaa"}, {"x*/y*/*", "x/y/"},
		{"docs://**", "docs://a/b"}, {"***", "/"}, {"a/**/*b", "a/b/b"}, {"a/**/*.b?*#*", "a/b/c.b?d#e"}, {"**.b", "a?.b"}, {"**a*/b*c/**", "a/a/bc/bc/"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, glob, text string) {
		if len(glob) > 64 || len(text) > 256 || strings.ContainsAny(glob, "\x01\x02") {
			return
		}
		parts := newPattern(Resource, glob, new(rule))
		want := wildMatchAllowed(Resource, glob, text)
		if parts.parts.match(text) != want {
			t.Fatalf("%q on %q is not %v in an allow rule", glob, text, want)
		}
		if got := newIndex([]*pattern{parts}, bounded, false).first(text) != nil; got != want {
			t.Fatalf("%q on %q is not %v in an allow rule by the index", glob, text, want)
		}
		for _, k := range []Kind{Tool, Resource} {
			want := wildMatch(k, glob, text)
			g := parseGlob(k, glob)
			if g.match(text) != want {
				t.Fatalf("%v %q on %q is not %v", k, glob, text, want)
			}
			x := newIndex([]*pattern{{text: glob, kind: k, glob: g, rule: new(rule)}}, written, false)
			if got := x.first(text) != nil; got != want {
				t.Fatalf("%v %q on %q is not %v by the index", k, glob, text, want)
			}
		}
	})
}

// Random patterns and texts of few letters, in which most things nearly match, agree with the reference.
func TestGlobAgreesWithItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(letters string, n int) string {
		b := make([]byte, r.IntN(n+1))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	matched := 0
	for range 100_000 {
		pattern, text := word("ab/***", 12), word("aab//", 16)
		for _, k := range []Kind{Tool, Resource} {
			want := wildMatch(k, pattern, text)
			if got := parseGlob(k, pattern).match(text); got != want {
				t.Fatalf("%v %q on %q is not %v", k, pattern, text, want)
			}
			if want {
				matched++
			}
		}
	}
	if matched < 10_000 {
		t.Errorf("only %d of 200,000 matched: the test shows little", matched)
	}
}
