package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

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
