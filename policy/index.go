package policy

import (
	"cmp"
	"slices"
	"strings"
)

// pattern is one entry of a rule's list, compiled.
type pattern struct {
	text  string
	kind  Kind
	glob  glob
	plain glob // for kinds with URIs; see plainURI
	rule  string
}

// index finds a pattern that matches a text, among many. Exact names are hashed. A glob is looked up by what its matches
// begin or end with, whichever is longer, or else by what they contain, so that few have to be tried.
type index struct {
	exact  map[string]string // name → rule
	starts affixes
	ends   affixes
	inner  affixes
}

// newIndex builds an index of the patterns, or with plain of their plain forms. Among equal ones the first counts. It
// returns nil, which matches nothing, if there are none.
func newIndex(patterns []*pattern, plain bool) *index {
	if len(patterns) == 0 {
		return nil
	}
	x := &index{exact: make(map[string]string)}
	x.ends.backwards = true
	for _, p := range patterns {
		g := p.glob
		if plain {
			g = p.plain
		}
		if g.literal() {
			if _, ok := x.exact[g[0][0]]; !ok {
				x.exact[g[0][0]] = p.rule
			}
			continue
		}
		to, key := &x.starts, g.prefix()
		if suffix := g.suffix(); len(suffix) > len(key) {
			to, key = &x.ends, suffix
		}
		if inner := g.inner(); key == "" && inner != "" {
			to, key = &x.inner, inner
		}
		to.list = append(to.list, affix{key: key, glob: g, rule: p.rule})
	}
	x.starts.link()
	x.ends.link()
	x.inner.link()
	return x
}

// match returns the rule of a pattern that matches the whole text: the exact one if there is one, else one of the globs,
// always the same. A nil index matches nothing.
func (x *index) match(text string) (rule string, ok bool) {
	if x == nil {
		return "", false
	}
	if rule, ok = x.exact[text]; ok {
		return rule, true
	}
	if rule, ok = x.starts.match(text, text); ok {
		return rule, true
	}
	if rule, ok = x.ends.match(text, text); ok {
		return rule, true
	}
	if len(x.inner.list) == 0 {
		return "", false
	}
	for i := range len(text) {
		if rule, ok = x.inner.match(text[i:], text); ok {
			return rule, true
		}
	}
	return "", false
}

// affix is a glob, and the literal that the texts it matches have at an end or inside.
type affix struct {
	key  string
	glob glob
	rule string
	up   int32 // the last entry whose key is a shorter affix of this one's, or -1
}

// affixes finds the globs whose key a text begins with (or, backwards, ends with). The list is sorted by key. Every key
// that a text begins with is at or before the place where the text itself would be sorted in, and whatever stands between
// begins with it too. So all such keys are on the way up from the entry before that place.
type affixes struct {
	list      []affix
	backwards bool
	first     [256]bool // whether a key begins (or ends) with this byte
	always    bool      // whether a key is empty
}

// link sorts the list and connects it.
func (a *affixes) link() {
	slices.SortStableFunc(a.list, func(x, y affix) int { return a.compare(x.key, y.key) })
	// Of equal keys the first is to be met first on the way up.
	for i := 0; i < len(a.list); {
		j := i + 1
		for j < len(a.list) && a.list[j].key == a.list[i].key {
			j++
		}
		slices.Reverse(a.list[i:j])
		i = j
	}
	for i := range a.list {
		key := a.list[i].key
		up := int32(i) - 1
		for up >= 0 && !a.begins(key, a.list[up].key) {
			up = a.list[up].up
		}
		a.list[i].up = up
		if key == "" {
			a.always = true
		} else {
			a.first[a.edge(key)] = true
		}
	}
}

// match tries the globs whose key the text begins (or ends) with on the whole text, of which text is all or the rest.
func (a *affixes) match(text, whole string) (rule string, ok bool) {
	if len(a.list) == 0 || !a.always && (text == "" || !a.first[a.edge(text)]) {
		return "", false
	}
	low, high := 0, len(a.list)
	for low < high {
		if middle := int(uint(low+high) >> 1); a.compare(a.list[middle].key, text) <= 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for i := int32(low) - 1; i >= 0; i = a.list[i].up {
		e := &a.list[i]
		if !a.begins(text, e.key) {
			continue
		}
		// A glob is tried where its key is first met; further on it would only fail again.
		if len(text) < len(whole) && strings.Index(whole, e.key) < len(whole)-len(text) {
			continue
		}
		if e.glob.match(whole) {
			return e.rule, true
		}
	}
	return "", false
}

func (a *affixes) edge(text string) byte {
	if a.backwards {
		return text[len(text)-1]
	}
	return text[0]
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
		return cmp.Compare(x, y)
	}
	for i, j := len(x)-1, len(y)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if x[i] != y[j] {
			return cmp.Compare(x[i], y[j])
		}
	}
	return cmp.Compare(len(x), len(y))
}
