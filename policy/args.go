package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"

	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v3"
)

// ParseArgs checks that a text is what a call can have as arguments: a JSON object, no name in it twice.
func ParseArgs(text string) ([]byte, error) {
	if value := readArgs([]byte(text), new(reading)); types.IsError(value) {
		return nil, fmt.Errorf("%v", value)
	}
	return []byte(text), nil
}

// object reads a mapping as a JSON object.
func (r *reader) object(n *yaml.Node, path, what string) []byte {
	if r.plain(n, path) && n.Kind != yaml.MappingNode {
		r.add(r.at(n, path), "%s must be a mapping of names to values, not %s", what, describeNode(n))
		return nil
	}
	before := len(r.found) + r.more
	text := r.appendJSON(nil, n, path, what, 0)
	if len(r.found)+r.more > before {
		return nil
	}
	return text
}

// jsonNumber is a number as JSON writes it; in YAML it means the same.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// appendJSON appends the JSON value of the same meaning.
func (r *reader) appendJSON(b []byte, n *yaml.Node, path, what string, depth int) []byte {
	if depth > maxArgsDepth {
		r.add(r.at(n, path), "%s is nested too deeply", what)
		return b
	}
	if !r.plain(n, path) {
		return b
	}
	switch n.Kind {
	case yaml.MappingNode:
		b = append(b, '{')
		first := true
		r.mapping(n, path, what, func(key string, _, v *yaml.Node, path string) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(appendJSONText(b, key), ':')
			b = r.appendJSON(b, v, path, what, depth+1)
		})
		return append(b, '}')
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, item := range n.Content {
			if i > 0 {
				b = append(b, ',')
			}
			b = r.appendJSON(b, item, fmt.Sprintf("%s[%d]", path, i), what, depth+1)
		}
		return append(b, ']')
	}
	switch n.ShortTag() {
	case "!!null":
		return append(b, "null"...)
	case "!!str", "!!timestamp":
		return appendJSONText(b, n.Value)
	case "!!bool":
		return fmt.Append(b, r.truth(n, path, what))
	case "!!int", "!!float":
		return r.appendNumber(b, n, path, what)
	}
	r.add(r.at(n, path), "%s has %s, which JSON does not have", what, describeNode(n))
	return b
}

// appendNumber appends a number. What JSON writes otherwise than YAML is written anew.
func (r *reader) appendNumber(b []byte, n *yaml.Node, path, what string) []byte {
	if jsonNumber.MatchString(n.Value) {
		return append(b, n.Value...)
	}
	var whole int64
	if n.Decode(&whole) == nil {
		return fmt.Append(b, whole)
	}
	var number float64
	if n.Decode(&number) != nil || math.IsInf(number, 0) || math.IsNaN(number) {
		r.add(r.at(n, path), "%s has the number %s, which JSON does not have", what, n.Value)
		return b
	}
	text, _ := json.Marshal(number)
	return append(b, text...)
}

// appendJSONText appends a text as JSON. It is UTF-8, as all of the document is.
func appendJSONText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(text)
	return append(b, quoted...)
}
