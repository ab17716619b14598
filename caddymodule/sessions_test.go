package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// countingServer is an MCP server with sessions, whose tool counts how often a session has called it. It tells its name
// with the count.
func countingServer(t *testing.T, name string) *httptest.Server {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	var counts sync.Map
	mcp.AddTool(server, &mcp.Tool{Name: "get_count"}, func(_ context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		n, _ := counts.LoadOrStore(r.Session.ID(), new(int))
		*n.(*int)++
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(name, *n.(*int))}}}, nil, nil
	})
	listener := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
	})
	return listener
}

// counter is a session with a countingServer.
type counter struct {
	g       *gateway
	session string
	server  string
	count   int
}

// ask sends a message in the session.
func (c *counter) ask(body string) (*http.Response, string) {
	r := c.g.request(http.MethodPost, "/mcp", body)
	r.Header.Set("Mcp-Session-Id", c.session)
	return c.g.do(r)
}

// begin begins the session.
func (c *counter) begin() error {
	r := c.g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	res, body := c.g.do(r)
	c.session = res.Header.Get("Mcp-Session-Id")
	_, name, _ := strings.Cut(body, `"serverInfo":{"name":"`)
	c.server, _, _ = strings.Cut(name, `"`)
	if c.session == "" || c.server == "" {
		return fmt.Errorf("no session: %s %s", res.Status, body)
	}
	if res, body := c.ask(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("initialized: %s %s", res.Status, body)
	}
	return nil
}

// call calls the tool, and checks that it counts on.
func (c *counter) call() error {
	c.count++
	res, body := c.ask(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_count","arguments":{}}}`)
	if want := fmt.Sprint(`"`, c.server, c.count, `"`); !strings.Contains(body, want) {
		return fmt.Errorf("a session of %s is answered %s %s, want %s", c.server, res.Status, body, want)
	}
	return nil
}

// together has all sessions do something side by side.
func together(t *testing.T, all []*counter, do func(*counter) error) {
	t.Helper()
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, c := range all {
		wait.Go(func() { errs[i] = do(c) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestSessionsStayAtTheServerThatHasThem has fifty sessions with several servers, through a restart of the gateway, the
// loss of a server, and its leaving the config.
func TestSessionsStayAtTheServerThatHasThem(t *testing.T) {
	for name, upstreams := range map[string]func(servers []*httptest.Server) string{
		"listed": func(servers []*httptest.Server) string {
			line := "mcp_gateway /mcp"
			for _, s := range servers {
				line += " " + s.Listener.Addr().String()
			}
			return line + " {\n lb_policy round_robin\n lb_try_duration 1s\n lb_retries 3\n}\n"
		},
		"dynamic": func(servers []*httptest.Server) string {
			text := "mcp_gateway /mcp {\n dynamic multi {\n"
			for _, s := range servers {
				_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
				text += "a {\n name 127.0.0.1\n port " + port + "\n}\n"
			}
			return text + "}\n lb_policy round_robin\n}\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			var servers []*httptest.Server
			for _, name := range []string{"one", "two", "three"} {
				servers = append(servers, countingServer(t, name))
			}
			g := startGateway(t, gatewayConfig{Site: upstreams(servers)})
			g.token("/mcp")
			all := make([]*counter, 50)
			for i := range all {
				all[i] = &counter{g: g}
			}
			together(t, all, (*counter).begin)
			of := map[string][]*counter{}
			for _, c := range all {
				of[c.server] = append(of[c.server], c)
			}
			if len(of) != len(servers) {
				t.Fatalf("only %d servers have sessions", len(of))
			}
			for range 3 {
				together(t, all, (*counter).call)
			}

			// Another node with the same storage knows no more than one that was restarted.
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := g.load(); err != nil {
				t.Fatal(err)
			}
			together(t, all, (*counter).call)

			servers[2].CloseClientConnections()
			servers[2].Close()
			for range 4 { // no other server stands in, however often it is tried
				c := of["three"][0]
				res, body := c.ask(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_count","arguments":{}}}`)
				if res.StatusCode != http.StatusBadGateway || !strings.Contains(body, "-32603") {
					t.Errorf("a server that is down: %s %s", res.Status, body)
				}
			}
			g.config.Site = upstreams(servers[:2])
			if err := g.load(); err != nil {
				t.Fatal(err)
			}
			res, body := of["three"][1].ask(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_count","arguments":{}}}`)
			if res.StatusCode != http.StatusNotFound || !strings.Contains(body, "-32001") {
				t.Errorf("a server that has left the config: %s %s", res.Status, body)
			}
			together(t, append(of["one"], of["two"]...), (*counter).call)
		})
	}
}
