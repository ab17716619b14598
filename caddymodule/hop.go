package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
)

// noteHop tells the guard, for a request that may open a stream of the HTTP+SSE transport, where it went: the server
// names the place for messages relative to that, and only this one of several servers knows the place.
func (t *transport) noteHop(r *http.Request) {
	hop := guard.HopOf(r.Context())
	if hop == nil || hop.Target != nil {
		return
	}
	asked := *r.URL
	asked.Scheme, asked.User = t.scheme, nil
	if r.Host != "" {
		asked.Host = r.Host
	}
	hop.Asked = &asked
	if dial, ok := reverseproxy.GetDialInfo(r.Context()); ok && dial.Upstream != nil {
		hop.Upstream = dial.Upstream.Dial
	}
}

// pinned is a selection policy that keeps the messages of an HTTP+SSE stream at the server that opened it. Everything
// else is for the policy inside.
type pinned struct{ reverseproxy.Selector }

// Select implements reverseproxy.Selector. No other server would know the stream, so none stands in.
func (p pinned) Select(pool reverseproxy.UpstreamPool, r *http.Request, w http.ResponseWriter) *reverseproxy.Upstream {
	hop := guard.HopOf(r.Context())
	if hop == nil || hop.Target == nil {
		return p.Selector.Select(pool, r, w)
	}
	for _, server := range pool {
		if server.Dial == hop.Upstream && server.Available() {
			return server
		}
	}
	return nil
}

// Interface guard.
var _ reverseproxy.Selector = pinned{}
