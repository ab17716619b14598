package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/wire"
)

// shortcut is a shorter way to an MCP server for what nearly all requests are: short messages over plain HTTP/1.1. It makes
// connections as the proxy's own transport does.
type shortcut struct {
	*wire.Transport
	proxy *reverseproxy.HTTPTransport
}

// maxHead is the longest head of an answer where nothing else is set, in bytes: that of net/http.
const maxHead = 10 << 20

// newShortcut makes a shortcut for a transport, or nil if that is set to anything that only it can do.
func newShortcut(inner http.RoundTripper) *shortcut {
	own, ok := inner.(*reverseproxy.HTTPTransport)
	if !ok || own.Transport == nil || own.TLS != nil || !slices.Contains(own.Versions, "1.1") || slices.Contains(own.Versions, "h2c") ||
		own.ProxyProtocol != "" || own.ReadTimeout != 0 || own.WriteTimeout != 0 {
		return nil
	}
	set := own.Transport
	if set.DialContext == nil || set.MaxConnsPerHost != 0 || set.MaxIdleConns != 0 || set.DisableKeepAlives || set.ResponseHeaderTimeout != 0 ||
		set.WriteBufferSize != 0 || set.ReadBufferSize != 0 {
		return nil
	}
	most := set.MaxResponseHeaderBytes
	if most <= 0 {
		most = maxHead
	}
	return &shortcut{
		Transport: &wire.Transport{Dial: set.DialContext, MaxIdle: set.MaxIdleConnsPerHost, IdleTimeout: set.IdleConnTimeout, MaxHead: most},
		proxy:     own,
	}
}

// suits reports whether a request may take the shortcut.
func (s *shortcut) suits(r *http.Request) bool {
	if s == nil || !wire.Suits(r) {
		return false
	}
	s.proxy.SetScheme(r)
	if s.proxy.Transport.Proxy == nil {
		return true
	}
	// One that the environment or the config names stands between us and the server.
	between, err := s.proxy.Transport.Proxy(r)
	return between == nil && err == nil
}
