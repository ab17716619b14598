package policy

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A wildcard in the path or host of an allow rule does not reach into query and fragment, where those who open a file or
// call a host do not look.
func TestAllowWildcardsStopAtQueryAndFragment(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no string // URIs, separated by spaces
	}{
		{
			"file:///srv/**/*.md",
			"file:///srv/a/b.md file:///srv/a/b/c.md",
			"file:///srv/keys/id_rsa?.md file:///srv/keys/id_rsa#.md file:///srv/keys/a.md?.md file:///srv/a/b.md?x",
		},
		{"file:///home/*/public/**", "file:///home/bob/public/x file:///home/bob/public/x?y", "file:///home/bob?/public/x file:///home/bob#/public/x"},
		{
			"https://*.example.com/**",
			"https://a.example.com/a https://a.example.com/a?b=c/d#e https://a.example.com/?x",
			"https://evil.test?.example.com/a https://evil.test#.example.com/a",
		},
		{"https://**.example.com/**", "https://a.b.example.com/a", "https://10.0.0.1:8080?.example.com/a https://10.0.0.1:8080/?.example.com/a"},
		{"db://*/public/**", "db://x/public/y", "db://secret#/public/x db://secret?/public/x"},
		{"docs://*", "docs://a docs://a?b docs://a#b docs://?b", "docs://a?b/c docs://a#/"},
		{"docs://**", "docs://a/b?c/d#e/f docs://#", ""},
		{"docs://*?q=*", "docs://a?q=1 docs://a?q= docs://a?q=1#f docs://a?q=1?2", "docs://a docs://a?x?q=1 docs://a#?q=1 docs://a?q=1/2"},
		{"docs://*?q=*&public", "docs://a?q=1&public", "docs://a?q=1#&public docs://a?q=1?&public docs://a?x?q=1&public"},
		{"docs://**#part", "docs://a/b#part", "docs://a/b docs://a?x#part docs://a#x#part docs://a#part#"},
		{"docs://a?*#*", "docs://a?#  docs://a?x#y docs://a?x#y#z", "docs://a#y docs://a?x docs://a?x?y#z"},
		{"docs://a?b#c", "docs://a?b#c", "docs://a?b docs://a?b#c#"},
	}
	for _, tt := range tests {
		v := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["`+tt.pattern+`"]}]}`), &Subject{})
		for _, uri := range strings.Fields(tt.yes) {
			if d := v.Decide(Resource, uri); !d.Allowed {
				t.Errorf("%s on %q: %+v", tt.pattern, uri, d)
			}
		}
		for _, uri := range strings.Fields(tt.no) {
			if d := v.Decide(Resource, uri); d.Allowed || d.Rule != NoRule {
				t.Errorf("%s on %q: %+v", tt.pattern, uri, d)
			}
		}
	}
}

// A deny rule's wildcards stop nowhere.
func TestDenyWildcardsTakeQueryAndFragment(t *testing.T) {
	v := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["**"]}], deny: [{resources: ["docs://**.md"]}]}`), &Subject{})
	for _, uri := range []string{"docs://a.md", "docs://a?.md", "docs://a#.md"} {
		if d := v.Decide(Resource, uri); d.Allowed {
			t.Errorf("%q: %+v", uri, d)
		}
	}
}

// A file is the same with any query or fragment, so a deny rule that covers it covers it with them; a query of another
// scheme may name something else.
func TestDenyOfAFileHoldsWithQueryAndFragment(t *testing.T) {
	v := mustView(t, mustParse(t, `
everyone:
  allow: [{resources: ["**"]}]
  deny: [{resources: ["file:///secret/plan.txt", "file:///**/*.pem", "docs://one"]}]
`), &Subject{})
	tests := map[string]bool{ // whether it is allowed
		"file:///secret/plan.txt":      false,
		"file:///secret/plan.txt?x":    false,
		"file:///secret/plan.txt?":     false,
		"file:///secret/plan.txt#x":    false,
		"file:///secret/plan.txt?x#y":  false,
		"file:///secret/pl%61n.txt?x":  false,
		"file:///etc/key.pem?x":        false,
		"file:///etc/key.pem?":         false,
		"file:///etc/key.pem#":         false,
		"file:///etc/key.pe%6d":        false,
		"file:///etc/key.pe%6d?x":      false,
		"file:////etc/key.pem?x":       false,
		"file:/etc/key.pem?x":          false,
		"file:///etc/key.txt?x=/a.pem": false,
		"file:///etc/key.txt?x":        true,
		"docs://one?x":                 true,
	}
	for uri, want := range tests {
		if d := v.Decide(Resource, uri); d.Allowed != want {
			t.Errorf("%q: %+v", uri, d)
		}
	}
}

// Random patterns and texts of few letters agree with the reference.
func TestPartsAgreeWithTheirDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	word := func(letters string, n int) string {
		b := make([]byte, r.IntN(n+1))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	matched := 0
	for range 200_000 {
		pattern, text := word("a/?#****", 10), word("aa/?#", 12)
		want := wildMatchAllowed(Resource, pattern, text)
		if got := newPattern(Resource, pattern, new(rule)).parts.match(text); got != want {
			t.Fatalf("%q on %q is not %v", pattern, text, want)
		}
		if want {
			matched++
		}
	}
	if matched < 10_000 {
		t.Errorf("only %d of 200,000 matched: the test shows little", matched)
	}
}
