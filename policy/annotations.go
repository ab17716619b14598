package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Annotations are what a server says of a tool of its own (MCP, schema, ToolAnnotations). They are hints: a server that
// lies is not found out by them, so they count only where the operator trusts the server's word. The zero Annotations are
// those of a tool of which nothing is known.
type Annotations struct {
	// Known is set if the tool's definition was seen and its server is trusted. The others mean nothing without it, and
	// have the specification's defaults where the server says nothing.
	Known bool

	ReadOnly, Destructive, Idempotent, OpenWorld bool
}

// hintOf gets the hint of each name that a rule can use.
var hintOf = map[string]func(Annotations) bool{
	"readOnlyHint":    func(a Annotations) bool { return a.ReadOnly },
	"destructiveHint": func(a Annotations) bool { return a.Destructive },
	"idempotentHint":  func(a Annotations) bool { return a.Idempotent },
	"openWorldHint":   func(a Annotations) bool { return a.OpenWorld },
}

// hintNames are the names of hints, sorted.
var hintNames = slices.Sorted(maps.Keys(hintOf))

// hintFault says what is wrong with the name of a hint.
func hintFault(name string) string {
	if _, ok := hintOf[name]; ok {
		return ""
	}
	return "is no annotation of a tool" + didYouMean(name, hintNames, "; there are: "+strings.Join(hintNames, ", "))
}

// hint is one thing that annotations have to say for a rule to apply.
type hint struct {
	name string
	of   func(Annotations) bool
	says bool
}

// newHints compiles what a rule wants of annotations, in the order of their names.
func newHints(wanted map[string]bool) []hint {
	var hints []hint
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		hints = append(hints, hint{name, hintOf[name], wanted[name]})
	}
	return hints
}

// holds reports whether annotations say what all the hints want.
func holds(hints []hint, a Annotations) bool {
	for _, h := range hints {
		if h.of(a) != h.says {
			return false
		}
	}
	return true
}

// NeedsAnnotations returns an error for every rule that asks for annotations of the tools of a server, nil if there is none.
// It is for servers whose word is not trusted: what such a rule says of them can never be known. Errors are joined, each
// an [*Error].
func (p *Policy) NeedsAnnotations(server string) error {
	var m mistakes
	for _, b := range p.blocks {
		if b == nil {
			continue
		}
		for _, r := range b.rules {
			if (r.hints != nil || r.when != nil && r.when.uses&usesAnnotations != 0) && r.servers.match(server) {
				m.add(r.at, "the rule asks for annotations of tools, which are the word of their server, and that of %s is not trusted; write trust annotations there, or name other servers", server)
			}
		}
	}
	return m.err()
}

// NewAnnotations makes annotations of what a server says of a tool, by the names of the specification; it has the
// specification's defaults for what the server does not say.
func NewAnnotations(said map[string]bool) (Annotations, error) {
	a := Annotations{Known: true, Destructive: true, OpenWorld: true}
	for name, value := range said {
		if fault := hintFault(name); fault != "" {
			return Annotations{}, fmt.Errorf("%s %s", name, fault)
		}
		switch name {
		case "readOnlyHint":
			a.ReadOnly = value
		case "destructiveHint":
			a.Destructive = value
		case "idempotentHint":
			a.Idempotent = value
		case "openWorldHint":
			a.OpenWorld = value
		}
	}
	return a, nil
}
