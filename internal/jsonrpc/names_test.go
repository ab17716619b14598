package jsonrpc

import (
	"strings"
	"testing"
	"unicode"
)

func TestNamesMatch(t *testing.T) {
	names := NewNames("name", "nextCursor", "_meta", "tasks", "io.modelcontextprotocol/protocolVersion")
	for name, want := range map[string]struct{ known, variant bool }{
		"name":        {known: true},
		"_meta":       {known: true},
		"Name":        {variant: true},
		"NAME":        {variant: true},
		"meta":        {variant: true},
		"_Meta":       {variant: true},
		"next_cursor": {variant: true},
		"next-cursor": {variant: true},
		"nextcursor":  {variant: true},
		"ta\u017fks":  {variant: true},
		"tas\u212as":  {variant: true},
		"IO.MODELCONTEXTPROTOCOL/protocolVersion": {variant: true},
		"":                                {},
		"_":                               {},
		"names":                           {},
		"nam":                             {},
		"n\u00e4me":                       {},
		"name\x00":                        {},
		"name\xff":                        {},
		strings.Repeat("n", 500):          {},
		strings.Repeat("_", 500) + "name": {variant: true},
	} {
		known, variant := names.Match([]byte(name))
		if known != want.known || variant != want.variant {
			t.Errorf("%q: known %v, variant %v, want %v", name, known, variant, want)
		}
	}
}

// What some case conversion turns into ASCII letters must be in the table.
func TestFoldKnowsAllOfUnicodesWaysToASCII(t *testing.T) {
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		for _, to := range []rune{unicode.ToLower(r), unicode.ToUpper(r), unicode.ToTitle(r), unicode.SimpleFold(r)} {
			if to >= 0x80 || foldsToASCII[r] == string(unicode.ToLower(to)) {
				continue
			}
			t.Errorf("%U becomes %q", r, to)
		}
		if upper := strings.ToUpper(string(r)); upper != string(r) && isASCII(upper) && foldsToASCII[r] != strings.ToLower(upper) {
			t.Errorf("%U becomes %q", r, upper)
		}
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func TestNewNamesPanicsForANameTooLong(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewNames(strings.Repeat("a", longestName+1))
}
