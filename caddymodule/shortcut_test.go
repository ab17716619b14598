package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/upstream"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/wire"
)

// TestTheShortcutIsForPlainHTTPAlone holds that a transport which is set to anything that only it can do keeps all requests.
func TestTheShortcutIsForPlainHTTPAlone(t *testing.T) {
	for config, want := range map[string]bool{
		`{}`:                                    true,
		`{"dial_timeout": "1s"}`:                true,
		`{"versions": ["1.1"]}`:                 true,
		`{"compression": false}`:                true,
		`{"local_address": "127.0.0.1"}`:        true,
		`{"versions": ["h2c"]}`:                 false,
		`{"versions": ["2"]}`:                   false,
		`{"versions": ["1.1", "h2c"]}`:          false,
		`{"tls": {}}`:                           false,
		`{"proxy_protocol": "v2"}`:              false,
		`{"read_timeout": "1s"}`:                false,
		`{"write_timeout": "1s"}`:               false,
		`{"response_header_timeout": "1s"}`:     false,
		`{"max_conns_per_host": 1}`:             false,
		`{"write_buffer_size": 1}`:              false,
		`{"read_buffer_size": 1}`:               false,
		`{"keep_alive": {"max_idle_conns": 1}}`: false,
		`{"keep_alive": {"enabled": false}}`:    false,
	} {
		inner := new(reverseproxy.HTTPTransport)
		if err := json.Unmarshal([]byte(config), inner); err != nil {
			t.Fatal(config, err)
		}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		if err := inner.Provision(ctx); err != nil {
			t.Fatal(config, err)
		}
		if got := newShortcut(inner) != nil; got != want {
			t.Errorf("%s: there is a shortcut: %t, want %t", config, got, want)
		}
		cancel()
	}
	if newShortcut(http.DefaultTransport) != nil {
		t.Error("there is a shortcut for a transport that is not known")
	}
}

// TestAProxyIsNotGoneAround holds that where requests have to go through another proxy, they do.
func TestAProxyIsNotGoneAround(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	inner := new(reverseproxy.HTTPTransport)
	if err := inner.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://h/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	inner.Transport.Proxy = nil
	if s := newShortcut(inner); s.suits(r) != wire.Supported {
		t.Error("a plain request doesn't take the shortcut")
	}
	inner.Transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy") }
	if s := newShortcut(inner); s.suits(r) {
		t.Error("the shortcut goes around a proxy")
	}
}

// TestWhatIsLoggedOfAnAnsweredRequest holds that a request's header is only taken from the proxy's log where no entry of it
// is written, that a server gets it all the same, and that credentials are in no header that the proxy sees.
func TestWhatIsLoggedOfAnAnsweredRequest(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	secret, err := upstream.NewStatic(upstream.Header{Name: "Authorization", Value: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.WithValue(t.Context(), caddyhttp.VarsCtxKey, map[string]any{})})
	defer cancel()
	inner := new(reverseproxy.HTTPTransport)
	if err := inner.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	own := wrapTransport(inner, nil, secret)
	defer own.close()
	for _, own.brief = range []bool{false, true} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Sent", "yes")
		res, err := own.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got.Get("X-Sent") != "yes" || got.Get("Authorization") != "secret" {
			t.Errorf("brief %t: the server got %v", own.brief, got)
		}
		if r.Header.Get("Authorization") != "" || (r.Header.Get("X-Sent") == "") != (own.brief && wire.Supported) {
			t.Errorf("brief %t: the proxy sees %v", own.brief, r.Header)
		}
	}
}
