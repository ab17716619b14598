package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

func TestWhatBelongsToTheGatewayNeverAnswersNothing(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{
		Clients: "dynamic off",
		Site:    mount("/mcp", upstream) + mount("/other", upstream),
	})
	for _, target := range []string{
		"/register", "/connections/", "/webhooks/workos", "/TOKEN", "/token/", "/%74oken", "/x/../authorize",
		"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/nothere", "/.well-known/oauth-protected-resource/MCP",
		"/.well-known/oauth-protected-resource/mcp/x", "/.well-known/oauth-authorization-server/mcp", "/.well-known/openid-configuration/mcp",
		"/.well-known/oauth-authorization-server/",
	} {
		if answer := g.raw(http.MethodGet, target); !strings.HasPrefix(answer, "HTTP/1.1 404") || !strings.Contains(answer, `{"error":"not_found"}`) ||
			!strings.Contains(answer, "Content-Type: application/json") {
			t.Errorf("%s: %.200q", target, answer)
		}
	}
	for _, target := range []string{
		"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/other/", "/.well-known/oauth-authorization-server",
		"/.well-known/openid-configuration", "/jwks",
	} {
		if answer := g.raw(http.MethodGet, target); !strings.HasPrefix(answer, "HTTP/1.1 200") || !strings.Contains(answer, "\r\n\r\n{") {
			t.Errorf("%s: %.200q", target, answer)
		}
	}
	for _, target := range []string{"/", "/webhooks/github", "/registered", "/.well-known/acme-challenge/x", "/.well-known/oauth-protected-resources"} {
		if answer := g.raw(http.MethodGet, target); strings.HasPrefix(answer, "HTTP/1.1 404") {
			t.Errorf("%s is nobody's business here: %.60q", target, answer)
		}
	}
}

func TestTheOnlyMountHasItsMetadataWithoutItsNameToo(t *testing.T) {
	g := startGateway(t, gatewayConfig{Site: "mcp_gateway\n" + mount("/mcp", newUpstream(t))})
	for target, want := range map[string]string{
		"/.well-known/oauth-protected-resource":     "200",
		"/.well-known/oauth-protected-resource/mcp": "200",
		"/.well-known/oauth-protected-resource/x":   "404",
	} {
		if answer := g.raw(http.MethodGet, target); !strings.HasPrefix(answer, "HTTP/1.1 "+want) {
			t.Errorf("%s: %.60q", target, answer)
		}
	}
}

func TestAuditingIsNotTurnedOffByAnEmptyList(t *testing.T) {
	app := &App{AuditRaw: nil}
	app.setDefaults()
	empty := new(App)
	empty.AuditRaw = append(empty.AuditRaw, nil)[:0]
	empty.setDefaults()
	if len(empty.AuditRaw) != 1 || string(empty.AuditRaw[0]) != string(app.AuditRaw[0]) {
		t.Errorf("an empty list leaves %s", empty.AuditRaw)
	}
}

func TestAnAddressCanBeRefusedBeforeTheGateway(t *testing.T) {
	upstream := newUpstream(t)
	const inside = "@outside not remote_ip 127.0.0.1 ::1\nabort @outside\n"
	g := startGateway(t, gatewayConfig{
		Global: "order abort before mcp_gateway\n",
		Site:   mount("/mcp", upstream) + strings.ReplaceAll(inside, "127.0.0.1 ::1", "192.0.2.1"),
	})
	if answer := g.rawOnce(http.MethodPost, "/mcp"); answer != "" {
		t.Errorf("from outside: %.60q", answer)
	}
	g.config.Site = mount("/mcp", upstream) + inside
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new config answers", func() bool { return strings.HasPrefix(g.raw(http.MethodPost, "/mcp"), "HTTP/1.1 401") })
}
