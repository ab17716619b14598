package catalog

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// paramHeader is what the names of header fields begin with that repeat arguments.
const paramHeader = "Mcp-Param-"

// maxDepth bounds how deep below the schema's root an argument may stand that is repeated in a header field.
const maxDepth = 32

// maxEntry bounds the entry of a list that is read, in bytes. Each level of a schema is read once more for every level above
// it, so that a server could have a long and deep one keep the gateway busy.
const maxEntry = 64 << 10

// Param is an argument of a tool that a client repeats in a header field (revision 2026-07-28, "Custom Headers from Tool
// Parameters").
type Param struct {
	Header string   // the field's name, in the form that net/http keeps
	Path   []string // names of the members that lead to the argument
}

// definition is what is read of a tool as a server lists it.
type definition struct {
	Schema schema `json:"inputSchema"`
	Meta   struct {
		UI   jsontext.Value `json:"ui"`
		Flat jsontext.Value `json:"ui/resourceUri"` // how MCP Apps wrote it at first
	} `json:"_meta"`
}

// schema is what is read of a JSON Schema. Where a boolean or anything else stands in the place of one, there is nothing
// to read.
type schema struct {
	Properties map[string]jsontext.Value `json:"properties"`
	Header     *string                   `json:"x-mcp-header"`
}

// Read reads the definition of a tool, one entry of a server's list. It returns nil if there is nothing to remember, or
// the definition is too long or can't be read for certain.
func Read(entry []byte) *Tool {
	if len(entry) > maxEntry {
		return nil
	}
	var d definition
	if json.Unmarshal(entry, &d) != nil {
		return nil
	}
	t := new(Tool)
	var ui struct {
		ResourceURI string `json:"resourceUri"`
	}
	if json.Unmarshal(d.Meta.UI, &ui) == nil {
		t.UI = ui.ResourceURI
	}
	if t.UI == "" {
		_ = json.Unmarshal(d.Meta.Flat, &t.UI) // what is no text names nothing
	}
	if !strings.HasPrefix(t.UI, "ui://") {
		t.UI = ""
	}
	if params, ok := d.Schema.params(nil, nil); ok && unique(params) {
		t.Params = params
	}
	if t.UI == "" && len(t.Params) == 0 {
		return nil
	}
	return t
}

// params appends the arguments below s that are repeated in header fields. They are those that properties alone lead
// to. It reports whether all fields have usable names; clients leave out a tool of which one has not.
func (s *schema) params(to []Param, path []string) ([]Param, bool) {
	if s.Header != nil {
		if !isToken(*s.Header) || len(path) == 0 {
			return nil, false
		}
		to = append(to, Param{http.CanonicalHeaderKey(paramHeader + *s.Header), path})
	}
	if len(path) == maxDepth {
		return to, true
	}
	for name, raw := range s.Properties {
		var below schema
		if json.Unmarshal(raw, &below) != nil {
			continue
		}
		var ok bool
		if to, ok = below.params(to, append(path[:len(path):len(path)], name)); !ok {
			return nil, false
		}
	}
	return to, true
}

// unique sorts params, and reports whether no two have the same field.
func unique(params []Param) bool {
	slices.SortFunc(params, func(a, b Param) int { return strings.Compare(a.Header, b.Header) })
	return len(slices.CompactFunc(slices.Clone(params), func(a, b Param) bool { return a.Header == b.Header })) == len(params)
}

// isToken reports whether a text is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
