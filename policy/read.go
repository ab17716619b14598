package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The keys of the language.
var (
	documentKeys = []string{"roles", "permissions", "everyone", "methods", "mode"}
	blockKeys    = []string{"inherit", "allow", "ask", "deny"}
	ruleKeys     = []string{"server", "tools", "prompts", "resources", "templates", "org", "when", "annotations", "limit"}
)

// reader turns a tree of YAML nodes into a Document. The tree may come from JSON; then nodes have no line and positions are
// paths.
type reader struct {
	file string
	mistakes
}

// at returns where a node is written.
func (r *reader) at(n *yaml.Node, path string) Position {
	if n.Line == 0 {
		return Position{File: path}
	}
	return Position{File: r.file, Line: n.Line}
}

func (r *reader) document(n *yaml.Node) *Document {
	d := &Document{}
	r.mapping(n, "policy", "the policy", func(key string, k, v *yaml.Node, path string) {
		switch key {
		case "roles":
			d.Roles = r.blocks(v, path, key)
		case "permissions":
			d.Permissions = r.blocks(v, path, key)
		case "everyone":
			d.Everyone = r.block(v, path, key, r.at(k, path))
		case "methods":
			d.MethodsAt = r.at(k, path)
			d.Methods = r.words(v, path, key, slugFault)
		case "mode":
			d.ModeAt = r.at(k, path)
			d.Mode = r.text(v, path, key, modeFault)
		default:
			r.unknown(r.at(k, path), key, documentKeys)
		}
	})
	return d
}

// blocks reads roles or permissions.
func (r *reader) blocks(n *yaml.Node, path, what string) map[string]*Block {
	blocks := make(map[string]*Block)
	r.mapping(n, path, what, func(key string, k, v *yaml.Node, path string) {
		at := r.at(k, path)
		if fault := slugFault(key); fault != "" {
			r.add(at, "a key of %s %s", what, fault)
		}
		blocks[key] = r.block(v, path, key, at)
	})
	return blocks
}

func (r *reader) block(n *yaml.Node, path, what string, at Position) *Block {
	b := &Block{At: at}
	r.mapping(n, path, what, func(key string, k, v *yaml.Node, path string) {
		switch key {
		case "inherit":
			b.InheritAt = r.at(k, path)
			b.Inherit = r.words(v, path, key, slugFault)
		case "allow":
			b.Allow = r.rules(v, path, key)
		case "ask":
			b.Ask = r.rules(v, path, key)
		case "deny":
			b.Deny = r.rules(v, path, key)
		default:
			r.unknown(r.at(k, path), key, blockKeys)
		}
	})
	return b
}

func (r *reader) rules(n *yaml.Node, path, what string) []Rule {
	var rules []Rule
	r.list(n, path, what, "- tools: [get_*]", func(item *yaml.Node, path string) {
		rules = append(rules, r.rule(item, path))
	})
	return rules
}

func (r *reader) rule(n *yaml.Node, path string) Rule {
	rule := Rule{At: r.at(n, path)}
	r.mapping(n, path, "a rule", func(key string, k, v *yaml.Node, path string) {
		switch key {
		case "server":
			rule.Server = r.text(v, path, key, serverFault)
		case "org":
			rule.Org = r.text(v, path, key, slugFault)
		case "when":
			if rule.WhenAt = r.at(v, path); v.Line > 0 && v.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
				rule.WhenAt.Line++ // its text begins on the next line
			}
			rule.When = r.text(v, path, key, whenFault)
		case "annotations":
			rule.Annotations = r.hints(v, path, key)
		case "limit":
			rule.Limit = r.text(v, path, key, limitFault)
		default:
			kind, ok := kindOf(key)
			if !ok {
				r.unknown(r.at(k, path), key, ruleKeys)
				return
			}
			*rule.list(kind) = r.words(v, path, key, func(s string) string { return patternFault(kind, s) })
			if v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
				r.add(r.at(v, path), emptyList, key)
			}
		}
	})
	return rule
}

// hints reads what a tool's annotations have to say.
func (r *reader) hints(n *yaml.Node, path, what string) map[string]bool {
	hints := make(map[string]bool)
	r.mapping(n, path, what, func(key string, k, v *yaml.Node, path string) {
		if fault := hintFault(key); fault != "" {
			r.add(r.at(k, path), "annotations: %q %s", key, fault)
			return
		}
		if v.Kind != yaml.ScalarNode || v.ShortTag() != "!!bool" {
			r.add(r.at(v, path), "%s must be true or false, not %s", key, describeNode(v))
			return
		}
		hints[key] = strings.EqualFold(v.Value, "true")
	})
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.add(r.at(n, path), emptyHints)
	}
	return hints
}

// emptyHints is said of annotations that say nothing.
const emptyHints = "annotations says nothing; name a hint such as readOnlyHint: true, or leave the key out"

// emptyList is said of a rule's list without entries: it must never be read as "all".
const emptyList = `%s is an empty list and names nothing; write ["*"] to name all, or leave the key out`

// unknown reports a key that is not one of known.
func (r *reader) unknown(at Position, key string, known []string) {
	r.add(at, "%s", unknownKey(key, known))
}

func unknownKey(key string, known []string) string {
	return fmt.Sprintf("unknown key %q%s", key, didYouMean(key, known, "; known here: "+strings.Join(known, ", ")))
}

// mapping calls each for the entries of a mapping, in the order they are written.
func (r *reader) mapping(n *yaml.Node, path, what string, each func(key string, k, v *yaml.Node, path string)) {
	if !r.plain(n, path) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.add(r.at(n, path), "%s must be a mapping of keys to values, not %s%s", what, describeNode(n), ifNull(n, "; write {} for none"))
		return
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !r.plain(k, path) {
			continue
		}
		if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" {
			r.add(r.at(k, path), "a key must be text, not %s; put it in quotes", describeNode(k))
			continue
		}
		path := path + "." + k.Value
		if seen[k.Value] {
			r.add(r.at(k, path), "%q is written twice in %s", k.Value, what)
			continue
		}
		seen[k.Value] = true
		each(k.Value, k, v, path)
	}
}

// list calls each for the entries of a list.
func (r *reader) list(n *yaml.Node, path, what, example string, each func(item *yaml.Node, path string)) {
	if !r.plain(n, path) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.add(r.at(n, path), "%s must be a list, not %s; for example %s", what, describeNode(n), example)
		return
	}
	for i, item := range n.Content {
		each(item, fmt.Sprintf("%s[%d]", path, i))
	}
}

// words reads a list of texts. It returns a list, even if an empty one, wherever one is written.
func (r *reader) words(n *yaml.Node, path, what string, fault func(string) string) []string {
	words := []string{}
	r.list(n, path, what, "["+exampleWord(n)+"]", func(item *yaml.Node, path string) {
		words = append(words, r.text(item, path, what, fault))
	})
	return words
}

// text reads a text and reports the fault it has, if any.
func (r *reader) text(n *yaml.Node, path, what string, fault func(string) string) string {
	if !r.plain(n, path) {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.Value != "" && n.ShortTag() != "!!null" {
			hint = fmt.Sprintf("; if it is meant as a name, put it in quotes: %q", n.Value)
		}
		r.add(r.at(n, path), "%s must be text, not %s%s", what, describeNode(n), hint)
		return ""
	}
	if f := fault(n.Value); f != "" {
		r.add(r.at(n, path), "%s: %q %s", what, n.Value, f)
	}
	return n.Value
}

// plain reports whether a node is free of YAML's means of referring to other nodes, which could make a small file mean a
// very large policy, and which hide from a reader of the file what a rule says.
func (r *reader) plain(n *yaml.Node, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		r.add(r.at(n, path), "aliases are not supported; if *%s is meant as a glob, put it in quotes: %q", n.Value, "*"+n.Value)
		return false
	case n.Anchor != "":
		r.add(r.at(n, path), "anchors are not supported; write the value out, or use inherit")
		return false
	case n.Kind == yaml.MappingNode && n.ShortTag() != "!!map", n.Kind == yaml.SequenceNode && n.ShortTag() != "!!seq":
		r.add(r.at(n, path), "tags such as %s are not supported", n.Tag)
		return false
	}
	return true
}

// describeNode names what a node is.
func describeNode(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	case "!!timestamp":
		return "a date"
	case "!!merge":
		return "a merge"
	}
	return "a value tagged " + n.Tag
}

func ifNull(n *yaml.Node, s string) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return s
	}
	return ""
}

// exampleWord is what to put between brackets where a list is written as a single text.
func exampleWord(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && len(n.Value) <= maxSuggest {
		return n.Value
	}
	return "name"
}
