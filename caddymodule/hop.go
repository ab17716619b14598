package caddymodule

import (
	"errors"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
)

// noteHop tells the guard, for a request that may begin what only one of several servers knows, where it went. Caddy's
// retries come here each time, so the last one counts.
func (t *transport) noteHop(r *http.Request) {
	hop := guard.HopOf(r.Context())
	if hop == nil {
		return
	}
	if dial, ok := reverseproxy.GetDialInfo(r.Context()); ok && dial.Upstream != nil {
		hop.From = dial.Upstream.Dial
	}
	if r.Method != http.MethodGet {
		return
	}
	// A server of HTTP+SSE names the place for messages relative to this.
	asked := *r.URL
	asked.Scheme, asked.User = t.scheme, nil
	if r.Host != "" {
		asked.Host = r.Host
	}
	hop.Asked = &asked
}

// pinned is a selection policy that keeps what belongs to a session, or to a stream of HTTP+SSE, at the server that it
// began at, retries included. Everything else is for the policy inside.
type pinned struct{ reverseproxy.Selector }

// Select implements reverseproxy.Selector. No other server would know the session, so none stands in.
func (p pinned) Select(pool reverseproxy.UpstreamPool, r *http.Request, w http.ResponseWriter) *reverseproxy.Upstream {
	hop := guard.HopOf(r.Context())
	if hop == nil || hop.Upstream == "" {
		return p.Selector.Select(pool, r, w)
	}
	hop.Gone = !knows(pool, hop.Upstream)
	for _, server := range pool {
		if server.Dial == hop.Upstream && server.Available() {
			return server
		}
	}
	return nil
}

// knows reports whether one of the servers has this name, be it up or down.
func knows(pool reverseproxy.UpstreamPool, name string) bool {
	return slices.ContainsFunc(pool, func(server *reverseproxy.Upstream) bool { return server.Dial == name })
}

// errGone is why a request does not go on whose server has left the config.
var errGone = errors.New("the MCP server that it is for is no longer configured")

// gone reports whether a request is for a server that has left the config. Where servers come and go by themselves
// (dynamic), only the proxy knows, and waits for them as long as it is told to.
func (h *Handler) gone(hop *guard.Hop) bool {
	if hop == nil || hop.Upstream == "" || h.ReverseProxy.DynamicUpstreams != nil {
		return false
	}
	hop.Gone = !knows(h.ReverseProxy.Upstreams, hop.Upstream)
	return hop.Gone
}

// Interface guard.
var _ reverseproxy.Selector = pinned{}
