package policy

import (
	"strings"
	"unicode"
)

// foldName returns what a name has in common with all that some reader takes for it: readers in use fold case (by different
// tables, some a character at a time and some by Unicode's simple folding), leave out `_` and `-`, and end at a NUL.
func foldName(name string) string {
	name, _, _ = strings.Cut(name, "\x00")
	plain := true
	for i := range len(name) {
		if c := name[i]; c == '_' || c == '-' || 'A' <= c && c <= 'Z' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	var b strings.Builder
	b.Grow(len(name))
	for _, r := range name {
		switch r {
		case '_', '-':
		case 'ı', 'İ':
			b.WriteByte('i')
		case 'ß', 'ẞ':
			b.WriteString("ss")
		case '\ufb00':
			b.WriteString("ff")
		case '\ufb01':
			b.WriteString("fi")
		case '\ufb02':
			b.WriteString("fl")
		case '\ufb03':
			b.WriteString("ffi")
		case '\ufb04':
			b.WriteString("ffl")
		case '\ufb05', '\ufb06':
			b.WriteString("st")
		default:
			b.WriteRune(foldRune(r))
		}
	}
	return b.String()
}

// foldRune returns one letter for all that Unicode's simple case folding takes for each other: the small ASCII letter if
// there is one among them.
func foldRune(r rune) rune {
	first := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		first = min(first, next)
	}
	if 'A' <= first && first <= 'Z' {
		return first | 0x20
	}
	return first
}
