package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Clients follow no redirect at the endpoints of MCP and OAuth, or follow it without what they had sent.
func TestNothingThatProgramsAskForRedirects(t *testing.T) {
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t))})
	for _, path := range []string{
		"/mcp", "/mcp/", "/mcp//", "//mcp", "/MCP", "/mcp/.", "/mcp/x", "/token", "/token/", "//token", "/register", "/register/", "/revoke", "/revoke/", "/introspect/", "/jwks", "/jwks/",
		"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/mcp/",
		"/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/", "/.well-known/oauth-authorization-server/mcp",
		"/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/mcp/.well-known/openid-configuration",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions} {
			r, err := http.NewRequest(method, g.url(""), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = path
			if strings.HasPrefix(path, "//") {
				r.URL.Opaque = g.url(path)
			}
			res, err := client.Transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode/100 == 3 || res.StatusCode >= 500 || res.Header.Get("Location") != "" {
				t.Errorf("%s %s is answered %s, %s", method, path, res.Status, res.Header.Get("Location"))
			}
		}
	}
}

// A request goes on whole and with its length, however it came: with a body that was still arriving, answers of fast servers have been cut off.
func TestARequestGoesOnWithItsLength(t *testing.T) {
	u := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", u)})
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	r := g.request(http.MethodPost, "/mcp", body)
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(strings.NewReader(body)), -1, nil
	if res, answer := g.do(r); res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", res.Status, answer)
	}
	if got := u.last(t); got.ContentLength != int64(len(body)) || len(got.TransferEncoding) > 0 {
		t.Errorf("the server is sent %d bytes, %v", got.ContentLength, got.TransferEncoding)
	}
}

// A reload registers no collector twice, and loses no count.
func TestMetricsOutliveAReload(t *testing.T) {
	metrics.requests.Reset()
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t), "server weather") + "metrics /metrics\n"})
	for range 2 {
		g.call("/mcp", "tools/list", "{}")
		g.config.App = "refresh_grace 3m"
		if err := g.load(); err != nil {
			t.Fatal(err)
		}
	}
	want := `caddy_mcp_gateway_requests_total{method="tools/list",outcome="allow",server="weather"} 2`
	if page := g.raw(http.MethodGet, "/metrics"); !strings.Contains(page, want) {
		t.Errorf("the metrics lack %s:\n%s", want, page)
	}
}
