package policy

import (
	"maps"
	"slices"
	"strings"
)

// pattern is one entry of a rule's list, compiled.
type pattern struct {
	text  string
	kind  Kind
	glob  glob
	parts parts  // for kinds with URIs
	plain []glob // for kinds with URIs; see plainGlobs
	rule  *rule
}

// form says what an index has of its patterns.
type form uint8

const (
	written form = iota // their globs: for names, and for deny rules
	plain               // the globs of their plain forms; see plainURI
	bounded             // their parts: for allow rules of kinds with URIs
)

// index finds a pattern that matches a text, among many. Exact names are hashed. A glob is looked up by its longest
// literal: what its matches begin with, end with, or contain. So few have to be tried.
type index struct {
	exact  map[string]*rule   // by name
	others map[string][]*rule // that have the same exact name, where all are wanted
	starts affixes
	ends   affixes
	inner  affixes
}

// newIndex builds an index of the patterns in one of their forms. Among exact names that are equal the first counts, unless
// every one is wanted. It returns nil, which matches nothing, if there are none.
func newIndex(patterns []*pattern, f form, every bool) *index {
	if len(patterns) == 0 {
		return nil
	}
	x := &index{exact: make(map[string]*rule)}
	if every {
		x.others = make(map[string][]*rule)
	}
	x.ends.backwards = true
	for _, p := range patterns {
		switch f {
		case written:
			x.add(p.glob, ruledGlob{glob: p.glob, rule: p.rule})
		case bounded:
			x.add(p.glob, ruledGlob{parts: p.parts, rule: p.rule})
		case plain:
			for _, g := range p.plain {
				x.add(g, ruledGlob{glob: g, rule: p.rule})
			}
		}
	}
	x.starts.link()
	x.ends.link()
	x.inner.link()
	return x
}

// add adds what matches no more than g does.
func (x *index) add(g glob, ruled ruledGlob) {
	if g.literal() {
		switch name := g[0][0]; {
		case x.exact[name] == nil:
			x.exact[name] = ruled.rule
		case x.others != nil:
			x.others[name] = append(x.others[name], ruled.rule)
		}
		return
	}
	to, key := &x.starts, g.prefix()
	if suffix := g.suffix(); len(suffix) > len(key) {
		to, key = &x.ends, suffix
	}
	if longest := g.longest(); len(longest) > len(key) {
		to, key = &x.inner, longest
	}
	to.add(key, ruled)
}

// first returns the rule of a pattern that matches the whole text: the exact one if there is one, else one of the globs,
// always the same; nil if there is none. A nil index matches nothing.
func (x *index) first(text string) (found *rule) {
	x.each(text, func(r *rule) bool {
		found = r
		return true
	})
	return found
}

// each calls visit for the rules of patterns that match the whole text, exact ones first, until it returns true, and
// reports whether it did. A rule may be met more than once.
func (x *index) each(text string, visit func(*rule) (stop bool)) bool {
	if x == nil {
		return false
	}
	if r := x.exact[text]; r != nil && visit(r) {
		return true
	}
	for _, r := range x.others[text] {
		if visit(r) {
			return true
		}
	}
	if x.starts.each(text, text, visit) || x.ends.each(text, text, visit) {
		return true
	}
	if len(x.inner.keys) == 0 {
		return false
	}
	for i := range len(text) {
		if x.inner.each(text[i:], text, visit) {
			return true
		}
	}
	return false
}

// affixes finds the globs whose key a text begins with (or, backwards, ends with). The keys are sorted. Every key that a
// text begins with stands before the place where the text itself would be sorted in, and whatever stands between begins
// with it too. So from the key before that place all of them are found by going up to ever shorter ones.
type affixes struct {
	backwards bool
	keys      []string
	up        []int32 // of each key, the longest other that it begins with, or -1
	globs     [][]ruledGlob
	pairs     [64]uint64 // the hashes of the first two bytes of the keys
	short     bool       // whether there is a key of fewer bytes

	added map[string][]ruledGlob // until they are linked
}

// ruledGlob is a glob, or one in parts, and the rule it is of.
type ruledGlob struct {
	glob  glob
	parts parts
	rule  *rule
}

func (g *ruledGlob) match(text string) bool {
	if g.parts != nil {
		return g.parts.match(text)
	}
	return g.glob.match(text)
}

func (a *affixes) add(key string, g ruledGlob) {
	if a.added == nil {
		a.added = make(map[string][]ruledGlob)
	}
	a.added[key] = append(a.added[key], g)
}

// link makes what was added ready for match.
func (a *affixes) link() {
	a.keys = slices.SortedFunc(maps.Keys(a.added), a.compare)
	a.up = make([]int32, len(a.keys))
	a.globs = make([][]ruledGlob, len(a.keys))
	for i, key := range a.keys {
		a.globs[i] = a.added[key]
		up := int32(i) - 1
		for up >= 0 && !a.begins(key, a.keys[up]) {
			up = a.up[up]
		}
		a.up[i] = up
		if len(key) < 2 {
			a.short = true
		} else {
			word, bit := a.pair(key)
			a.pairs[word] |= bit
		}
	}
	a.added = nil
}

// each tries the globs whose key the text begins (or ends) with on the whole text, of which text is all or the rest.
func (a *affixes) each(text, whole string, visit func(*rule) (stop bool)) bool {
	if len(a.keys) == 0 {
		return false
	}
	if !a.short {
		if len(text) < 2 {
			return false
		}
		if word, bit := a.pair(text); a.pairs[word]&bit == 0 {
			return false
		}
	}
	low, high := 0, len(a.keys)
	for low < high {
		if middle := int(uint(low+high) >> 1); a.compare(a.keys[middle], text) <= 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for i := int32(low) - 1; i >= 0; i = a.up[i] {
		key := a.keys[i]
		if !a.begins(text, key) {
			continue
		}
		// A glob is tried where its key is first met; further on it would only fail again.
		if len(text) < len(whole) && strings.Index(whole, key) < len(whole)-len(text) {
			continue
		}
		for j := range a.globs[i] {
			if g := &a.globs[i][j]; g.match(whole) && visit(g.rule) {
				return true
			}
		}
	}
	return false
}

// pair hashes the first (or last) two bytes of a text to a bit of pairs.
func (a *affixes) pair(text string) (word int, bit uint64) {
	first, second := text[0], text[1]
	if a.backwards {
		first, second = text[len(text)-1], text[len(text)-2]
	}
	return int(first & 63), 1 << (second & 63)
}

func (a *affixes) begins(text, key string) bool {
	if a.backwards {
		return strings.HasSuffix(text, key)
	}
	return strings.HasPrefix(text, key)
}

// compare orders texts by their bytes, backwards from the end.
func (a *affixes) compare(x, y string) int {
	if !a.backwards {
		return strings.Compare(x, y)
	}
	for i, j := len(x)-1, len(y)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if x[i] != y[j] {
			return int(x[i]) - int(y[j])
		}
	}
	return len(x) - len(y)
}
