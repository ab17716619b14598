package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/upstream"
)

// transport stands around the reverse proxy's own. It makes the last changes to a request, which the proxy leaves no
// other place for, and ends the streams that the gateway ends.
type transport struct {
	http.RoundTripper
	keepHost, keepVia bool   // header_up sets them
	scheme            string // of what upstreams are asked for
	defaultPort       string // which Host leaves out
	credentials       upstream.Credentials
	short             *shortcut // nil if all requests take the proxy's own way

	// brief says that nothing asks for a request's header once it is answered. The proxy prepares an entry of its log with
	// all of it for every request, though none is written but at level debug; that takes longer than judging the call.
	brief bool
}

// wrapTransport puts a transport around the proxy's.
func wrapTransport(inner http.RoundTripper, touched map[string]bool, credentials upstream.Credentials) *transport {
	t := &transport{
		RoundTripper: inner,
		keepHost:     touched["Host"],
		keepVia:      touched["Via"],
		scheme:       "http",
		credentials:  credentials,
		short:        newShortcut(inner),
	}
	if tls, ok := inner.(reverseproxy.TLSTransport); ok && tls.TLSEnabled() {
		t.scheme = "https"
	}
	t.defaultPort = defaultPort(t.scheme)
	return t
}

// hostOf returns the Host that an upstream is asked for: its own, not the one that the agent sent to us.
func (t *transport) hostOf(r *http.Request) string {
	dial, ok := reverseproxy.GetDialInfo(r.Context())
	switch {
	case !ok:
		return "" // that of the URL
	case caddy.IsUnixNetwork(dial.Network) || caddy.IsFdNetwork(dial.Network):
		return "localhost"
	case dial.Port == t.defaultPort:
		return origin{host: dial.Host}.authority()
	}
	return dial.Address
}

// RoundTrip implements http.RoundTripper. The request is the proxy's own copy, made for this attempt, so it is changed in
// place.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Value(caddyhttp.VarsCtxKey) == nil {
		return t.RoundTripper.RoundTrip(r) // a health check: no request of Caddy's server is without its variables
	}
	if !t.keepVia {
		delete(r.Header, "Via")
	}
	if !t.keepHost {
		r.Host = t.hostOf(r)
	}
	t.noteHop(r)
	asked := r
	// The proxy wraps bodies, and the HTTP transport takes only a plain one to be in memory, in which case head and body
	// leave in one write. And a retry has to begin at the beginning again.
	if r.Body != nil && r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = body
	}
	if t.credentials != nil {
		// The proxy logs the request as it knows it: what is secret goes into a copy.
		r = r.WithContext(r.Context())
		r.Header = maps.Clone(r.Header)
		if err := t.credentials.Apply(r.Context(), r.Header); err != nil {
			return nil, fmt.Errorf("getting the credentials for the MCP server: %w", err)
		}
	}
	st, _ := r.Context().Value(streamKey{}).(*stream)
	way := t.way(r)
	res, err := way.RoundTrip(r)
	if err == nil && t.brief && way == http.RoundTripper(t.short) {
		asked.Header = nil // the shortcut has sent it; the other way may still be at it
	}
	if st == nil {
		return res, err
	}
	if err != nil {
		if st.live.Ended() {
			err = errStreamEnded
		}
		return nil, err
	}
	res.Body = &streamBody{res.Body, st}
	return res, nil
}

// way is what sends a request.
func (t *transport) way(r *http.Request) http.RoundTripper {
	if t.short.suits(r) {
		return t.short
	}
	return t.RoundTripper
}

// close ends the connections that are kept. The proxy's transport ends its own.
func (t *transport) close() {
	if t.short != nil {
		t.short.Close()
	}
}

// streamBody is the body of a stream. It comes to its end when the gateway ends the stream.
type streamBody struct {
	io.ReadCloser
	stream *stream
}

// Read implements io.Reader.
func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && b.stream.live.Ended() {
		err = io.EOF
	}
	return n, err
}

// ProxyProtocolEnabled implements reverseproxy.ProxyProtocolTransport.
func (t *transport) ProxyProtocolEnabled() bool {
	inner, ok := t.RoundTripper.(reverseproxy.ProxyProtocolTransport)
	return ok && inner.ProxyProtocolEnabled()
}

// RequiresContentLength implements reverseproxy.ContentLengthRequiredTransport.
func (t *transport) RequiresContentLength() bool {
	inner, ok := t.RoundTripper.(reverseproxy.ContentLengthRequiredTransport)
	return ok && inner.RequiresContentLength()
}

// OverrideHealthCheckScheme implements reverseproxy.HealthCheckSchemeOverriderTransport.
func (t *transport) OverrideHealthCheckScheme(base *url.URL, port string) {
	if inner, ok := t.RoundTripper.(reverseproxy.HealthCheckSchemeOverriderTransport); ok {
		inner.OverrideHealthCheckScheme(base, port)
	}
}

// Interface guards.
var (
	_ reverseproxy.ProxyProtocolTransport              = (*transport)(nil)
	_ reverseproxy.ContentLengthRequiredTransport      = (*transport)(nil)
	_ reverseproxy.HealthCheckSchemeOverriderTransport = (*transport)(nil)
)
