package guard

import (
	"bytes"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// markParam is the mark of a tool of which headers repeat arguments, without its first letter, which is less rare. A server
// that writes it otherwise, with escapes, is not understood, and then less passes, not more.
var markParam = []byte("-mcp-header")

// define reads the definition of a tool that a server lists, whether the caller may see it or not. It returns nil if there
// is nothing worth remembering: what names a user interface stands in _meta.
func (f *filter) define(kind policy.Kind, name string, entry []byte) *catalog.Tool {
	if kind != policy.Tool || name == "" || f.names.usual&nameMeta == 0 && !bytes.Contains(entry, markParam) {
		return nil
	}
	return catalog.Read(entry)
}

// offer notes a tool that the server lists, tool being nil if there is nothing to remember of it but that.
func (f *filter) offer(kind policy.Kind, name string, tool *catalog.Tool) {
	if kind != policy.Tool || name == "" {
		return
	}
	if was := f.shelf.Tool(name); was != tool {
		f.offered = append(f.offered, catalog.Offer{Name: name, Tool: tool})
	}
}

// shows asks the policy whether an entry that was met before may be shown.
func (f *filter) shows(e *knownEntry) bool {
	if e.kind == policy.Resource && strings.HasPrefix(e.name, uiScheme) {
		return f.allows(e.kind, e.name) // which tools there are may have changed
	}
	return e.shows(f.view)
}

// allows asks the policy whether an entry may be shown.
func (f *filter) allows(kind policy.Kind, name string) bool {
	if kind == policy.Resource && strings.HasPrefix(name, uiScheme) {
		return f.caller.sees(f.view, kind, name).Allowed
	}
	return f.view.Decide(kind, name).Allowed
}
