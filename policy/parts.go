package policy

import "strings"

// parts is a pattern of URIs as allow rules match it: cut before every ? and #. Whoever opens a file or calls a host looks
// neither at the query nor at the fragment. So no wildcard may take a ? or #, for then what follows it in the pattern would
// be found where it says nothing (`file:///srv/**/*.md` in `file:///srv/key?.md`). The wildcard that ends a pattern may:
// it would have matched without them too.
type parts []glob

// parseParts compiles a pattern whose glob is g.
func parseParts(k Kind, pattern string, g glob) parts {
	end := partEnd(pattern, 0)
	if end == len(pattern) {
		return parts{g}
	}
	p := parts{parseGlob(k, pattern[:end])}
	for pattern = pattern[end:]; pattern != ""; pattern = pattern[end:] {
		end = partEnd(pattern, 1)
		p = append(p, parseGlob(k, pattern[:end]))
	}
	return p
}

// match reports whether the whole text matches.
func (p parts) match(text string) bool {
	last := len(p) - 1
	end := partEnd(text, 0)
	for _, g := range p[:last] {
		if end == len(text) || !g.match(text[:end]) {
			return false
		}
		text = text[end:]
		end = partEnd(text, 1)
	}
	return p[last].match(text[:end]) && p[last].takes(text[end:])
}

// partEnd returns where the first ? or # stands, from an index on, or else where the text ends.
func partEnd(text string, from int) int {
	if end := strings.IndexAny(text[from:], "?#"); end >= 0 {
		return from + end
	}
	return len(text)
}

// takes reports whether a wildcard that ends the pattern, which has matched, can stand for the rest of the text as well.
func (g glob) takes(rest string) bool {
	switch {
	case rest == "":
		return true
	case g.literal() || g.suffix() != "":
		return false
	}
	return len(g[len(g)-1]) == 1 || strings.IndexByte(rest, '/') < 0
}
