package policy

import (
	"maps"
	"slices"
	"strings"
)

// Ability is what a view allows of one kind, for people to read.
type Ability struct {
	Kind    Kind
	Allowed []string // names, URIs and globs, sorted; never empty
	Denied  []string // those that are excepted, sorted

	// Asked are those of which each use has to be approved by a person, sorted.
	Asked []string

	// ReadOnly leaves of them the tools that only read.
	ReadOnly bool
}

// All reports whether everything of the kind is allowed, but for what is denied.
func (a Ability) All() bool { return universal(a.Kind, a.Allowed[0]) }

// String says the ability in plain words, such as "the tools add and get_*, but not get_secret".
func (a Ability) String() string {
	what, but := "every "+a.Kind.label(), ", except "
	if !a.All() {
		what, but = "the "+a.Kind.label(), ", but not "
		if len(a.Allowed) > 1 || strings.Contains(a.Allowed[0], "*") {
			what += "s"
		}
		what += " " + enumerate(a.Allowed, "and")
	}
	if len(a.Denied) > 0 {
		what += but + enumerate(a.Denied, "or")
	}
	if a.ReadOnly {
		what += ", as far as they only read"
	}
	if len(a.Asked) > 0 {
		what += "; each use of " + enumerate(a.Asked, "or") + " has to be approved"
	}
	return what
}

func (k Kind) label() string {
	if k == Template {
		return "resource template"
	}
	return k.String()
}

// enumerate writes "a", "a and b", "a, b and c".
func enumerate(items []string, conjunction string) string {
	last := len(items) - 1
	if last == 0 {
		return items[0]
	}
	return strings.Join(items[:last], ", ") + " " + conjunction + " " + items[last]
}

// Describe returns the abilities of the view in the order of kinds, without the kinds of which nothing is allowed. What only
// some calls are allowed, or denied, is told as if all were allowed. What is
// allowed by one rule and wholly denied by another is left out, as are denials that take nothing away.
func (v *View) Describe() []Ability {
	var abilities []Ability
	for k := range kinds {
		d := &v.kinds[k]
		allowed := v.grants(k)
		if len(allowed) == 0 {
			continue
		}
		a := Ability{Kind: k, Allowed: texts(allowed)}
		if i := slices.IndexFunc(a.Allowed, func(text string) bool { return universal(k, text) }); i >= 0 {
			a.Allowed = a.Allowed[i : i+1]
		}
		remaining := newIndex(allowed, written, false)
		matters := func(p *pattern) bool { return takesSome(p, allowed, remaining) }
		denied, _ := split(d.denied, matters)
		asked, _ := split(d.asked, matters)
		a.Denied, a.Asked = texts(denied), texts(asked)
		a.ReadOnly = v.narrow != nil && v.narrow.readOnly && k == Tool
		abilities = append(abilities, a)
	}
	return abilities
}

// Empty reports whether the view allows nothing at all: there are no allow rules, or each is undone by a deny rule.
func (v *View) Empty() bool {
	for k := range kinds {
		if len(v.grants(k)) > 0 {
			return false
		}
	}
	return true
}

// grants returns the patterns of allow rules that no deny rule undoes; where a person has chosen tools, what that leaves.
func (v *View) grants(k Kind) []*pattern {
	d := &v.kinds[k]
	if k == Tool && v.narrow != nil && v.narrow.tools != nil {
		var left []*pattern
		for _, name := range v.narrow.tools {
			any := func(*rule) bool { return true }
			if nameTrap(k, name) == "" && strings.IndexByte(name, '*') < 0 && d.deny.first(name) == nil && (d.allow.each(name, any) || d.allowIf.each(name, any)) {
				left = append(left, newPattern(k, name, new(rule)))
			}
		}
		return left
	}
	left, _ := split(d.allowed, func(p *pattern) bool { return !d.takesAll(p) })
	return left
}

// manySlashes stands in for ** in a pattern that is itself matched: more slashes than the stars of a deny rule stand for.
var manySlashes = strings.Repeat("*/", 64) + "*"

// takesAll reports whether a single deny rule denies everything that the allowed pattern stands for. The pattern's text is
// matched like a name: no literal of a rule contains a star, so only a wildcard that stands for as much can take it.
func (d *verdicts) takesAll(p *pattern) bool {
	taken := d.deny.first(p.text) != nil
	if taken && p.kind.uri() {
		taken = d.deny.first(strings.ReplaceAll(p.text, "**", manySlashes)) != nil
	}
	return taken
}

// manyGlobs is how many allowed globs are compared with a denied one before it is taken to matter.
const manyGlobs = 1000

// takesSome reports whether a denied pattern may take something away from those allowed, which are indexed too.
func takesSome(denied *pattern, allowed []*pattern, index *index) bool {
	if index.first(denied.text) != nil {
		return true
	}
	if denied.glob.literal() && !denied.kind.uri() {
		return false
	}
	for i, p := range allowed {
		if p.glob.literal() {
			continue
		}
		// What is denied of a file is denied with a query too, so that only what stands before it tells.
		if i >= manyGlobs || mayMeet(p.glob, denied.glob) || p.kind.uri() && mayMeet(p.parts[0], denied.glob) {
			return true
		}
	}
	return false
}

// mayMeet reports whether, as far as their ends tell, a text could match both globs.
func mayMeet(a, b glob) bool {
	return (strings.HasPrefix(a.prefix(), b.prefix()) || strings.HasPrefix(b.prefix(), a.prefix())) &&
		(strings.HasSuffix(a.suffix(), b.suffix()) || strings.HasSuffix(b.suffix(), a.suffix()))
}

// universal reports whether the pattern stands for everything of the kind.
func universal(k Kind, text string) bool {
	return strings.Trim(text, "*") == "" && (!k.uri() || len(text) > 1)
}

// texts returns the texts of patterns, sorted and each once.
func texts(patterns []*pattern) []string {
	set := make(map[string]struct{}, len(patterns))
	for _, p := range patterns {
		set[p.text] = struct{}{}
	}
	return slices.Sorted(maps.Keys(set))
}
