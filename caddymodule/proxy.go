package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap/zapcore"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/upstream"
)

// target is where on the upstream the MCP endpoint is.
type target struct{ path, rawPath, query string }

// parseTarget reads an endpoint: a path, and maybe a query.
func parseTarget(endpoint string) (target, error) {
	u, err := url.ParseRequestURI(endpoint)
	if err != nil || !strings.HasPrefix(endpoint, "/") || strings.HasPrefix(endpoint, "//") || strings.ContainsAny(endpoint, "{}#\\ ") {
		return target{}, fmt.Errorf("endpoint %q must be the path of the MCP endpoint on the upstream, such as /mcp", endpoint)
	}
	return target{u.Path, u.RawPath, u.RawQuery}, nil
}

// provisionProxy sets up the reverse proxy and puts ours around its transport.
func (h *Handler) provisionProxy(ctx caddy.Context) error {
	proxy := h.ReverseProxy
	if proxy == nil || len(proxy.Upstreams) == 0 && proxy.DynamicUpstreamsRaw == nil {
		return fmt.Errorf("mount %s has no upstream: say where the MCP server is, such as 127.0.0.1:9000 or https://mcp.example.net", h.Mount)
	}
	if proxy.Rewrite != nil {
		return errors.New("reverse_proxy: rewrite and method would change a request after it was judged; use endpoint for the path")
	}
	for _, handler := range proxy.HandleResponse {
		if len(handler.Routes) > 0 || handler.StatusCode == "" {
			return errors.New("reverse_proxy: handle_response would hand a judged request, with our credentials, to other handlers; it can't be used here")
		}
	}
	for _, upstream := range proxy.Upstreams {
		if err := checkDial(upstream.Dial); err != nil {
			return err
		}
	}
	if err := h.checkHeaderUp(); err != nil {
		return err
	}
	inner, err := h.loadTransport(ctx)
	if err != nil {
		return err
	}
	// The proxy takes a transport that it finds, and begins its health checks with it right away.
	own := wrapTransport(inner, h.headersUp(), h.credentials)
	own.brief = !h.logger.Core().Enabled(zapcore.DebugLevel) && !proxy.VerboseLogs && (proxy.LoadBalancing == nil || proxy.LoadBalancing.RetryMatchRaw == nil)
	proxy.Transport = own
	if err := proxy.Provision(ctx); err != nil {
		return err
	}
	h.proxying = true
	proxy.LoadBalancing.SelectionPolicy = pinned{proxy.LoadBalancing.SelectionPolicy}
	return nil
}

// loadTransport loads the transport of the reverse proxy, as that would do it.
func (h *Handler) loadTransport(ctx caddy.Context) (http.RoundTripper, error) {
	if h.ReverseProxy.TransportRaw == nil {
		plain := new(reverseproxy.HTTPTransport)
		return plain, plain.Provision(ctx)
	}
	module, err := ctx.LoadModule(h.ReverseProxy, "TransportRaw")
	if err != nil {
		return nil, err
	}
	inner, ok := module.(http.RoundTripper)
	if !ok {
		return nil, fmt.Errorf("module %T is no transport", module)
	}
	return inner, nil
}

// headersUp lists the fields that header_up touches.
func (h *Handler) headersUp() map[string]bool {
	touched := make(map[string]bool)
	if h.ReverseProxy.Headers == nil || h.ReverseProxy.Headers.Request == nil {
		return touched
	}
	ops := h.ReverseProxy.Headers.Request
	for _, fields := range []http.Header{ops.Set, ops.Add} {
		for name := range fields {
			touched[http.CanonicalHeaderKey(name)] = true
		}
	}
	for name := range ops.Replace {
		touched[http.CanonicalHeaderKey(name)] = true
	}
	return touched
}

// secretPlaceholders are what the agent proves itself with to us; it must not reach an MCP server (the MCP specification
// calls that token passthrough).
var secretPlaceholders = []string{
	"{http.request.header.authorization}", "{http.request.header.cookie}", "{http.request.header.proxy-authorization}",
	"{http.request.cookie.",
}

// checkHeaderUp makes sure that header_up doesn't bring back what was taken off.
func (h *Handler) checkHeaderUp() error {
	if h.ReverseProxy.Headers == nil || h.ReverseProxy.Headers.Request == nil {
		return nil
	}
	ops := h.ReverseProxy.Headers.Request
	var values []string
	for _, fields := range []http.Header{ops.Set, ops.Add} {
		for _, some := range fields {
			values = append(values, some...)
		}
	}
	for _, replacements := range ops.Replace {
		for _, replacement := range replacements {
			values = append(values, replacement.Replace)
		}
	}
	for _, value := range values {
		for _, secret := range secretPlaceholders {
			if strings.Contains(strings.ToLower(value), secret) {
				return fmt.Errorf("header_up would pass what the agent signed in with on to the MCP server (%s); use credentials", value)
			}
		}
	}
	return nil
}

// forwarded are the fields in which a reverse proxy tells who asked. A field that is there without a value keeps
// reverse_proxy from adding one of its own; header_up can still set them.
var forwarded = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}

// proxy sends a judged request to the MCP server: without anything of the agent's, to the upstream's
// endpoint. Our credentials are added by the transport. The request is the guard's own copy, so it is changed in place.
func (h *Handler) proxy(w http.ResponseWriter, r *http.Request) error {
	upstream.Clean(r.Header)
	for _, name := range forwarded {
		if _, ours := r.Header[name]; !ours {
			r.Header[name] = nil
		}
	}
	r.Trailer = nil // comes after the body and was not judged with it
	r.URL = &url.URL{Path: h.target.path, RawPath: h.target.rawPath, RawQuery: h.target.query}
	hop := guard.HopOf(r.Context())
	if hop != nil && hop.Target != nil {
		r.URL = hop.Target
	}
	if h.gone(hop) {
		return errGone
	}
	return h.ReverseProxy.ServeHTTP(w, r, nothing)
}

// nothing follows the reverse proxy; it never calls it.
var nothing = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
	return errors.New("the reverse proxy passed the request on")
})
