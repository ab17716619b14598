package caddymodule

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// loginAddresses are what stands in the URLs of a login and must stay there.
var loginAddresses = []string{"code=", "state=", "tx=", "the+state", "the%20state", "mcp_tx=", "wonderland", "refresh_token="}

func TestTheAccessLogHoldsNothingOfALogin(t *testing.T) {
	for name, config := range map[string]gatewayConfig{
		"as Caddy orders it":     {},
		"encoded":                {Global: "order encode first\n"},
		"with credentials":       {Global: "servers {\n log_credentials\n}\n"},
		"to a logger of its own": {Global: "log own {\n include http.log.access.own\n output discard\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			config.Site = mount("/mcp", newUpstream(t)) + "encode gzip\n"
			g := startGateway(t, config)
			g.login("/mcp", "alice", "wonderland")
			for _, target := range []string{
				"/callback?code=IDPCODE&state=IDPSTATE", "/callback/?code=IDPCODE&state=IDPSTATE", "/Callback?code=IDPCODE",
				"/token?client_secret=PARAMSECRET", "/connections?code=IDPCODE",
			} {
				g.raw(http.MethodGet, target, "Referer: http://localhost:1/signin?tx=REFERRED")
			}
			g.raw(http.MethodGet, "/callback?code=IDPCODE", "Host: localhost:1")
			g.raw(http.MethodGet, "/hello?last=1")
			eventually(t, "the last request is logged", func() bool { return strings.Contains(g.logged(), "/hello?last=1") })
			logged := g.logged()
			for _, secret := range append(loginAddresses, "IDPCODE", "IDPSTATE", "PARAMSECRET", "REFERRED") {
				if at := strings.Index(logged, secret); at >= 0 {
					t.Errorf("%q is in the log: …%s…", secret, logged[max(0, at-200):min(len(logged), at+100)])
				}
			}
			for _, want := range []string{
				`"uri":"/authorize?REDACTED"`, `"uri":"/consent"`, `"uri":"/callback?REDACTED"`, `"Location":["http://127.0.0.1:9/callback?REDACTED"]`,
				`"logger":"http.log.access"`, `"status":303`,
			} {
				if !strings.Contains(logged, want) {
					t.Errorf("the log lacks %s", want)
				}
			}
			if n := strings.Count(logged, `"uri":"/authorize?REDACTED"`); n != 1 {
				t.Errorf("%d entries for one request", n)
			}
		})
	}
}

func TestARequestThatIsNotToBeLoggedIsNot(t *testing.T) {
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t)) + "log_skip /authorize\n"})
	g.raw(http.MethodGet, "/authorize?state=x")
	g.raw(http.MethodGet, "/hello")
	eventually(t, "the other is logged", func() bool { return strings.Contains(g.logged(), `"uri":"/hello"`) })
	if strings.Contains(g.logged(), "/authorize") {
		t.Error("it is logged all the same")
	}
}

func TestTheOAuthEndpointsAreLoggedWhereTheSiteIs(t *testing.T) {
	for _, tt := range []struct {
		host string
		logs caddyhttp.ServerLogConfig
		want string
	}{
		{"a.example.com", caddyhttp.ServerLogConfig{}, "default "},
		{"a.example.com:8443", caddyhttp.ServerLogConfig{LoggerNames: map[string]caddyhttp.StringArray{"a.example.com": {"one", "two"}}}, "one two"},
		{"A.example.com", caddyhttp.ServerLogConfig{LoggerNames: map[string]caddyhttp.StringArray{"*.example.com": {"wild"}}}, "wild"},
		{"a.example.com", caddyhttp.ServerLogConfig{SkipHosts: []string{"a.example.com"}}, ""},
		{"a.example.com", caddyhttp.ServerLogConfig{SkipUnmappedHosts: true}, ""},
		{"a.example.com", caddyhttp.ServerLogConfig{LoggerNames: map[string]caddyhttp.StringArray{"a.example.com": {}}}, ""},
		{"a.example.com", caddyhttp.ServerLogConfig{DefaultLoggerName: "other"}, "other"},
	} {
		r := &http.Request{Host: tt.host, URL: new(url.URL)}
		r = r.WithContext(t.Context())
		got := strings.Join(accessLoggers(&tt.logs, r), " ")
		if strings.TrimPrefix(tt.want, "default ") != got {
			t.Errorf("%s with %+v: %q, want %q", tt.host, tt.logs, got, tt.want)
		}
	}
}

func TestCredentialsForTheUpstreamAreInNoLog(t *testing.T) {
	upstream, down := newUpstream(t), peers.FreePort(t)
	t.Setenv("UPSTREAM_KEY", "the-key-of-the-upstream")
	g := startGateway(t, gatewayConfig{
		Global: "debug\nservers {\n log_credentials\n}\n",
		Site: mount("/mcp", upstream, "to 127.0.0.1:"+down, "lb_policy first", "lb_retries 3", "fail_duration 1m", "header_up X-Api-Key theirs",
			"credentials static {", "header X-Api-Key {env.UPSTREAM_KEY}", "}") +
			mount("/down", upstream, "to 127.0.0.1:"+down, "lb_policy round_robin", "lb_retries 3", "fail_duration 1m", "credentials static {", "header X-Api-Key {env.UPSTREAM_KEY}", "}"),
	})
	for _, mount := range []string{"/mcp", "/down", "/down", "/down"} {
		if res, body := g.call(mount, "tools/list", "{}"); res.StatusCode != http.StatusOK {
			t.Fatal(mount, res.Status, body)
		}
		if got := upstream.last(t).Header["X-Api-Key"]; len(got) != 1 || got[0] != "the-key-of-the-upstream" {
			t.Errorf("%s: the MCP server got the credentials %q", mount, got)
		}
	}
	logged := g.logged()
	if !strings.Contains(logged, "upstream roundtrip") || !strings.Contains(logged, "connection refused") {
		t.Fatal("nothing was logged at the level DEBUG, or no attempt failed")
	}
	if strings.Contains(logged, "the-key-of-the-upstream") {
		t.Error("the credentials are in the log")
	}
}
