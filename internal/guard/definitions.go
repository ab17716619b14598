package guard

import (
	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// annotations returns what rules may go by of what the server says of a tool: nothing, unless its word is trusted. tool is
// nil if the definition is not known. While a list is made, that is the entry's own; when a tool is called, the one that
// definition returns.
func (g *Guard) annotations(tool *catalog.Tool) policy.Annotations {
	if tool == nil || !g.cfg.TrustAnnotations {
		return policy.Annotations{}
	}
	return tool.Annotations
}

// definition returns a tool as the server was last seen to offer it to those with the caller's credential, nil if it was
// not.
func (x *exchange) definition(name string) *catalog.Tool { return x.shelf().Tool(name) }
