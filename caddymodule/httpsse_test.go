package caddymodule

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// oldServer is an MCP server of HTTP+SSE with three tools, one of which tells which server it is.
func oldServer(t *testing.T, name string) string {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	for _, tool := range []string{"get_name", "list_files", "delete_everything"} {
		mcp.AddTool(server, &mcp.Tool{Name: tool}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name}}}, nil, nil
		})
	}
	listener := httptest.NewServer(mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(listener.Close)
	return strings.TrimPrefix(listener.URL, "http://")
}

// bearer sends a token with every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// TestHTTPSSEThroughCaddy runs the Go SDK's client against its server through several servers behind one mount: what
// belongs to a stream goes to the server that has it.
func TestHTTPSSEThroughCaddy(t *testing.T) {
	servers := map[string]string{}
	var addresses []string
	for _, name := range []string{"one", "two", "three"} {
		servers[name] = oldServer(t, name)
		addresses = append(addresses, servers[name])
	}
	g := startGateway(t, gatewayConfig{Site: "mcp_gateway /old " + strings.Join(addresses, " ") + " {\n endpoint /sse?tenant=a\n lb_policy round_robin\n}\n"})
	met := map[string]bool{}
	for range 2 * len(servers) {
		cs, err := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil).Connect(t.Context(), &mcp.SSEClientTransport{ //nolint:staticcheck // deprecated, and still in use
			Endpoint: g.url("/old"), HTTPClient: &http.Client{Transport: bearer(g.token("/old"))},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cs.Close() })
		name := cs.InitializeResult().ServerInfo.Name
		met[name] = true
		for range 4 {
			res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_name"})
			if err != nil || res.Content[0].(*mcp.TextContent).Text != name {
				t.Fatalf("%s: %v, %v", name, res, err)
			}
		}
		if list, err := cs.ListTools(t.Context(), nil); err != nil || len(list.Tools) != 2 {
			t.Errorf("lists %v, %v", list, err)
		}
		if _, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: "delete_everything"}); err == nil || !strings.Contains(err.Error(), "Unknown tool: delete_everything") {
			t.Errorf("a hidden call: %v", err)
		}
	}
	if len(met) != len(servers) {
		t.Errorf("only %v were met", met)
	}
}

// TestAnEndpointOfHTTPSSECanLeadNowhereElse has a server name places that are not its own.
func TestAnEndpointOfHTTPSSECanLeadNowhereElse(t *testing.T) {
	other := newUpstream(t)
	upstream := newUpstream(t)
	own := strings.TrimPrefix(upstream.URL, "http://")
	g := startGateway(t, gatewayConfig{Site: mount("/old", upstream, "endpoint /sse")})
	for endpoint, passes := range map[string]bool{
		"/messages?id=1":                             true,
		upstream.URL + "/messages?id=1":              true,
		other.URL + "/messages":                      false,
		"//" + own + "/messages":                     false,
		"https://" + own + "/messages":               false,
		"http://localhost:" + g.config.Port + "/old": false,
		upstream.URL + "@evil.example/messages":      false,
		"/messages/../../admin":                      false,
	} {
		upstream.mu.Lock()
		upstream.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte("event: endpoint\ndata: " + endpoint + "\n\n"))
		}
		upstream.mu.Unlock()
		res, err := client.Do(g.request(http.MethodGet, "/old", ""))
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		got := string(all)
		if !passes {
			if got != "" || err == nil {
				t.Errorf("%s: the client gets %q, %v", endpoint, got, err)
			}
			continue
		}
		place, found := strings.CutPrefix(got, "event: endpoint\ndata: /old?session=")
		if !found || err != nil {
			t.Errorf("%s: the client gets %q, %v", endpoint, got, err)
		}
		request := g.request(http.MethodPost, "/old", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_weather"}}`)
		request.URL.RawQuery = "session=" + strings.TrimSpace(place)
		if res, body := g.do(request); res.StatusCode != http.StatusAccepted || body != "" {
			t.Errorf("%s: a message is answered with %s %q", endpoint, res.Status, body)
		}
		if last := upstream.last(t); last.Method != http.MethodPost || last.RequestURI != "/messages?id=1" || last.Header.Get("Authorization") != "" {
			t.Errorf("%s: %s %s went on", endpoint, last.Method, last.RequestURI)
		}
	}
	if len(other.requests()) > 0 {
		t.Error("another server was asked")
	}
}

// TestHTTPSSEChecksHostAndOrigin holds for both places of the older transport what holds for every MCP endpoint.
func TestHTTPSSEChecksHostAndOrigin(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("event: endpoint\ndata: /messages?id=1\n\n"))
	}
	g := startGateway(t, gatewayConfig{Site: mount("/old", upstream, "endpoint /sse"), App: "origins https://app.example.com"})
	_, opened := g.do(g.request(http.MethodGet, "/old", ""))
	query := strings.TrimSpace(opened[strings.Index(opened, "?")+1:])
	asked := len(upstream.requests())
	for _, c := range []struct {
		host, origin string
		status       int
	}{
		{"", "https://evil.example", http.StatusForbidden},
		{"", "null", http.StatusForbidden},
		{"evil.example:" + g.config.Port, "", http.StatusMisdirectedRequest},
		{"evil.example:" + g.config.Port, "http://evil.example:" + g.config.Port, http.StatusMisdirectedRequest},
		{"", "https://app.example.com", 0},
		{"", "", 0},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			body, want := "", http.StatusOK
			if method == http.MethodPost {
				body, want = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, http.StatusAccepted
			}
			r := g.request(method, "/old", body)
			if method != http.MethodGet {
				r.URL.RawQuery = query
			}
			if method == http.MethodOptions {
				r.Header.Del("Authorization")
				r.Header.Set("Access-Control-Request-Method", http.MethodPost)
				want = http.StatusNoContent
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if r.Host = c.host; c.status != 0 {
				want = c.status
			}
			res, _ := g.do(r)
			allowed := c.origin
			if c.status != 0 {
				allowed = ""
			}
			if got := res.Header.Get("Access-Control-Allow-Origin"); res.StatusCode != want || got != allowed || res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s at %q from %q: %s, allowed to %q", method, c.host, c.origin, res.Status, got)
			}
		}
	}
	if n := len(upstream.requests()) - asked; n != 4 {
		t.Errorf("%d requests went on, want 4", n)
	}
}
