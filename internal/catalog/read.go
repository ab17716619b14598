package catalog

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// paramHeader is what the names of header fields begin with that repeat arguments.
const paramHeader = "Mcp-Param-"

// markParam is the mark of such an argument in a schema, without its first letter, which is less rare. A server that writes
// it otherwise, with escapes, is not understood, and then less passes, not more.
var markParam = []byte("-mcp-header")

// maxDepth bounds how deep below the schema's root an argument may stand that is repeated in a header field.
const maxDepth = 32

// maxEntry bounds the entry of a list that is read, in bytes. Each level of a schema is read once more for every level above
// it, so that a server could have a long and deep one keep the gateway busy.
const maxEntry = 64 << 10

// maxTitle bounds the title that is remembered of a tool, in bytes.
const maxTitle = 256

// Param is an argument of a tool that a client repeats in a header field (revision 2026-07-28, "Custom Headers from Tool
// Parameters").
type Param struct {
	Header string   // the field's name, in the form that net/http keeps
	Path   []string // names of the members that lead to the argument
}

// schema is what is read of a JSON Schema. Where a boolean or anything else stands in the place of one, there is nothing
// to read.
type schema struct {
	Properties map[string]jsontext.Value `json:"properties"`
	Header     *string                   `json:"x-mcp-header"`
}

// Mentions reports whether an entry of a list of tools may have arguments that are repeated in header fields.
func Mentions(entry []byte) bool { return bytes.Contains(entry, markParam) }

// Read reads the definition of a tool, one entry of a server's list. It returns nil if the definition is too long or can't
// be read for certain. It does not keep entry.
func Read(entry []byte) *Tool {
	d, ok := readDefinition(entry)
	if !ok {
		return nil
	}
	t := &Tool{UI: ui(d.meta), Annotations: annotations(d.parts[partAnnotations]), Title: title(&d)}
	text := d.canonical()
	t.Digest, t.Concealed = digestOf(text), Conceals(text)
	if Mentions(d.parts[partInput]) {
		t.Params = params(d.parts[partInput])
	}
	return t
}

// ui returns the URI of the resource that shows a tool's results, empty if _meta names none.
func ui(meta jsontext.Value) (uri string) {
	var m struct {
		UI   jsontext.Value `json:"ui"`
		Flat jsontext.Value `json:"ui/resourceUri"` // how MCP Apps wrote it at first
	}
	if meta == nil || json.Unmarshal(meta, &m) != nil {
		return ""
	}
	var ui struct {
		ResourceURI string `json:"resourceUri"`
	}
	if json.Unmarshal(m.UI, &ui) == nil {
		uri = ui.ResourceURI
	}
	if uri == "" {
		_ = json.Unmarshal(m.Flat, &uri) // what is no text names nothing
	}
	if !strings.HasPrefix(uri, "ui://") {
		return ""
	}
	return uri
}

// annotations reads what the server says of the tool, with the specification's defaults where it says nothing (MCP, schema,
// ToolAnnotations). If any of it is not what it has to be, nothing is known.
func annotations(raw jsontext.Value) policy.Annotations {
	var hints struct {
		ReadOnly    *bool `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
		Idempotent  *bool `json:"idempotentHint"`
		OpenWorld   *bool `json:"openWorldHint"`
	}
	if raw != nil && json.Unmarshal(raw, &hints) != nil {
		return policy.Annotations{}
	}
	or := func(hint *bool, otherwise bool) bool {
		if hint == nil {
			return otherwise
		}
		return *hint
	}
	return policy.Annotations{
		Known:       true,
		ReadOnly:    or(hints.ReadOnly, false),
		Destructive: or(hints.Destructive, true),
		Idempotent:  or(hints.Idempotent, false),
		OpenWorld:   or(hints.OpenWorld, true),
	}
}

// title returns what the tool is called to people: its title, or the one in its annotations, which came first (revision
// 2025-06-18, "Tool").
func title(d *definition) string {
	var text string
	if json.Unmarshal(d.parts[partTitle], &text) != nil || text == "" {
		var older struct {
			Title string `json:"title"`
		}
		if json.Unmarshal(d.parts[partAnnotations], &older) == nil {
			text = older.Title
		}
	}
	if len(text) > maxTitle {
		text = strings.ToValidUTF8(text[:maxTitle], "")
	}
	return strings.Clone(text)
}

// params returns the arguments that are repeated in header fields, nil if there are none or clients could not tell.
func params(raw jsontext.Value) []Param {
	var s schema
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	if found, ok := s.params(nil, nil); ok && unique(found) {
		return found
	}
	return nil
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
