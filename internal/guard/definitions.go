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

// definition returns a tool as the server offers it to those with the caller's credential, nil if it does not. The server is
// asked if nobody has seen the tool yet, or it has changed its tools since; and from time to time, without waiting for it, since
// it may have changed them without a word. The error says why it could not be asked.
func (x *exchange) definition(name string) (*catalog.Tool, error) {
	shelf := x.shelf()
	if tool := shelf.Tool(name); tool != nil && !shelf.Outdated() || x.own != nil {
		if x.own == nil && x.g.cfg.Ask != nil && shelf.Old() {
			x.g.refreshSoon(shelf, x.caller.Credential)
		}
		return tool, nil
	}
	if err := x.g.refresh(x.r.Context(), shelf, x.caller.Credential); err != nil {
		return nil, err
	}
	return shelf.Tool(name), nil
}
