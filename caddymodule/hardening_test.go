package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Each test here is an attack that has worked against some gateway, and shows that it does not work through all of this one. Those on
// the authorization server alone are in internal/oauth, those on messages in internal/guard.

// sessionful answers initialize with a session of its own, and everything else with what it was asked in.
func sessionful(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		openStream(w, r)
		return
	}
	var message struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if r.Method == http.MethodDelete || json.NewDecoder(r.Body).Decode(&message) != nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	result := toolList
	switch message.Method {
	case "initialize":
		w.Header().Set("Mcp-Session-Id", "session-at-the-server")
		result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}`
	case "tools/call":
		result = fmt.Sprintf(`{"content":[{"type":"text","text":%q}]}`, message.Params.Name)
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, message.ID, result)
}

// begin begins a session with whatever token the gateway has for /mcp, and returns its id.
func (g *gateway) begin() string {
	g.t.Helper()
	res, body := g.call("/mcp", "initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
	session := res.Header.Get("Mcp-Session-Id")
	if session == "" {
		g.t.Fatal("no session: ", res.Status, body)
	}
	return session
}

// in makes a call with a token in a session.
func (g *gateway) in(method, token, session, body string) (*http.Response, string) {
	g.t.Helper()
	r := g.request(method, "/mcp", body)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Mcp-Session-Id", session)
	return g.do(r)
}

const callWeather = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_weather","arguments":{}}}`

// Another person's Mcp-Session-Id was accepted with one's own token, and with it their tools, their streams, and its end.
func TestAttackSessionOfSomebodyElse(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = sessionful
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream) + mount("/other", upstream, "server mcp"), Policy: "role member {\n allow * tools get_*\n}\neveryone {\n allow * tools get_*\n}"})
	_, hers := g.login("/mcp", "alice", "wonderland")
	_, again := g.login("/mcp", "alice", "wonderland") // another agent of hers
	bot := g.token("/mcp")
	g.tokens[g.url("/mcp")] = hers.Access
	session := g.begin()
	if strings.Contains(session, "session-at-the-server") {
		t.Error("the agent knows the server's own session id")
	}
	if res, body := g.in(http.MethodPost, hers.Access, session, callWeather); res.StatusCode != http.StatusOK || !strings.Contains(body, "get_weather") {
		t.Fatalf("her own session: %s %s", res.Status, body)
	}
	before := len(upstream.requests())
	for name, tc := range map[string]struct{ token, session string }{
		"somebody else":                  {bot, session},
		"another agent of hers":          {again.Access, session},
		"the server's own id":            {bot, "session-at-the-server"},
		"a made-up one":                  {bot, strings.Repeat("A", len(session))},
		"hers, changed":                  {hers.Access, session[:len(session)-2] + "AA"},
		"hers, twice":                    {hers.Access, session + session},
		"hers, with something behind it": {hers.Access, session + ",x"},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if res, body := g.in(method, tc.token, tc.session, callWeather); res.StatusCode != http.StatusNotFound || method != http.MethodGet && !strings.Contains(body, "-32001") {
				t.Errorf("%s, %s: %s %s", name, method, res.Status, body)
			}
		}
	}
	if n := len(upstream.requests()) - before; n != 0 {
		t.Errorf("%d requests reached the MCP server", n)
	}
}

// Roles were read at the login and stayed: who was demoted kept their tools until the token expired, and in an old session for good.
func TestAttackRolesKeptAfterADemotion(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = sessionful
	g := startGateway(t, gatewayConfig{
		Site: mount("/mcp", upstream), Alice: "role admin",
		Policy: "role member {\n allow * tools list_*\n}\nrole admin {\n allow * tools *\n}",
	})
	_, hers := g.login("/mcp", "alice", "wonderland")
	g.tokens[g.url("/mcp")] = hers.Access
	session := g.begin()
	if _, body := g.in(http.MethodPost, hers.Access, session, callWeather); !strings.Contains(body, `"text":"get_weather"`) {
		t.Fatalf("while she is admin: %s", body)
	}
	g.config.Alice = "role member"
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	if _, body := g.in(http.MethodPost, hers.Access, session, callWeather); !strings.Contains(body, "Unknown tool") {
		t.Errorf("the old token in the old session: %s", body)
	}
	if _, body := g.in(http.MethodPost, hers.Access, session, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`); strings.Contains(body, "get_weather") {
		t.Errorf("the old session lists %s", body)
	}
}

// Two people used the same JSON-RPC id at the same time, and got each other's answers.
func TestAttackCollidingIDs(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = sessionful
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream), Policy: "role member {\n allow * tools get_bot\n}\neveryone {\n allow * tools get_alice\n}"})
	_, hers := g.login("/mcp", "alice", "wonderland")
	bot := g.token("/mcp")
	var wg sync.WaitGroup
	for n := range 60 {
		token, name := bot, "get_bot"
		if n%2 == 0 {
			token, name = hers.Access, "get_alice"
		}
		r := g.request(http.MethodPost, "/mcp", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, name))
		r.Header.Set("Authorization", "Bearer "+token)
		wg.Go(func() {
			if _, body := g.do(r); !strings.Contains(body, `"text":"`+name+`"`) {
				t.Errorf("%s is answered %s", name, body)
			}
		})
	}
	wg.Wait()
}

// Headers that only the gateway's own parts were to send were believed from everybody (GHSA-g53w-w6mj-hrpp), as were those
// in which other proxies say who somebody is.
func TestAttackHeadersThatSayWhoSomebodyIs(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream), Policy: "role member {\n allow * tools list_*\n}\nrole admin {\n allow * tools *\n}"})
	headers := []string{
		"X-User", "X-User-Id", "X-User-Email", "X-User-Roles", "X-Roles", "X-Role", "X-Groups", "X-Admin", "X-Internal", "X-Internal-Request", "X-Authenticated-User",
		"X-Auth-Request-User", "X-Auth-Request-Groups", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Remote-User", "Remote-User",
		"X-Webauth-User", "X-Mcp-Gateway-User", "X-Mcp-Roles", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Access-Token", "X-Api-Key",
	}
	anonymous := g.request(http.MethodPost, "/mcp", callWeather)
	anonymous.Header.Del("Authorization")
	member := g.request(http.MethodPost, "/mcp", callWeather)
	for _, name := range headers {
		anonymous.Header.Set(name, "admin")
		member.Header.Set(name, "admin")
	}
	if res, body := g.do(anonymous); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s %s", res.Status, body)
	}
	if _, body := g.do(member); !strings.Contains(body, "Unknown tool") {
		t.Errorf("with a member's: %s", body)
	}
	if n := len(upstream.requests()); n != 0 {
		t.Errorf("%d requests reached the MCP server", n)
	}
	listing := g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
	for _, name := range headers {
		listing.Header.Set(name, "admin")
	}
	if res, body := g.do(listing); res.StatusCode != http.StatusOK || strings.Contains(body, "get_weather") {
		t.Errorf("a list: %s %s", res.Status, body)
	}
	for _, name := range headers {
		if value := upstream.last(t).Header.Values(name); strings.HasPrefix(name, "X-Forwarded-") && len(value) > 0 {
			t.Errorf("%s: %q reached the MCP server", name, value)
		}
	}
}

// X-Forwarded-* was believed from anybody: the challenge, the metadata and the redirects then named the attacker's host.
func TestAttackForwardedHeadersFromAnybody(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	forwarded := []string{
		"Host: localhost:" + g.config.Port, "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /evil", "X-Forwarded-Port: 1",
		"Forwarded: host=evil.example;proto=https", "X-Original-Host: evil.example", "X-Host: evil.example",
	}
	for path, want := range map[string]string{
		"/mcp": "401", metadataPath + "/mcp": "200", "/.well-known/oauth-authorization-server": "200", "/jwks": "200", "/authorize?client_id=x": "400",
	} {
		if answer := g.raw("GET", path, forwarded...); !strings.HasPrefix(answer, "HTTP/1.1 "+want) || strings.Contains(answer, "evil") {
			t.Errorf("%s: %s", path, answer)
		}
	}
}

// A page of the attacker's got at a server on localhost under the attacker's name (DNS rebinding): that name is in Host, and
// the page's in Origin.
func TestAttackDNSRebinding(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	token := "Authorization: Bearer " + g.token("/mcp")
	own := "Host: localhost:" + g.config.Port
	for _, tc := range []struct {
		want   string
		header []string
	}{
		{"421", []string{"Host: evil.example:" + g.config.Port, token}},
		{"421", []string{"Host: localhost.evil.example:" + g.config.Port, token}},
		{"421", []string{"Host: 127.0.0.1.nip.io:" + g.config.Port, token}},
		{"403", []string{own, "Origin: http://evil.example:" + g.config.Port, token}},
		{"403", []string{own, "Origin: null", token}},
	} {
		for _, method := range []string{"POST", "GET", "DELETE", "OPTIONS"} {
			if answer := g.raw(method, "/mcp", tc.header...); !strings.HasPrefix(answer, "HTTP/1.1 "+tc.want) {
				t.Errorf("%s with %q: %.100q", method, tc.header[:len(tc.header)-1], answer)
			}
		}
	}
	for _, path := range []string{"/token", "/authorize", "/register", "/jwks", metadataPath + "/mcp"} {
		if answer := g.raw("GET", path, "Host: evil.example:"+g.config.Port); !strings.HasPrefix(answer, "HTTP/1.1 421") {
			t.Errorf("%s: %.100q", path, answer)
		}
	}
	if n := len(upstream.requests()); n != 0 {
		t.Errorf("%d requests reached the MCP server", n)
	}
}
