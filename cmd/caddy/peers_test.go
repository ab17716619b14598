package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// everythingPolicy lets alice use two tools of server-everything, and bob one.
const everythingPolicy = `role member {
				allow mcp tools echo
			}
			role admin {
				allow mcp tools echo get-sum
				allow mcp prompts *
				allow mcp resources demo://**
			}
			permission image_generation {
				allow mcp tools get-tiny-image
			}`

// TestServerEverythingThroughTheGateway goes the whole way with a server and a client that nobody here wrote: register,
// sign in, consent, list, call, refresh.
func TestServerEverythingThroughTheGateway(t *testing.T) {
	g := startGateway(t, gatewayConfig{
		Policy: everythingPolicy,
		// Shorter than the ten seconds before which the client refreshes, so that it does at every call.
		Options: "access_token_ttl 5s",
		Mounts:  "mcp_gateway /mcp " + peers.Everything(t),
	})
	for _, revision := range []string{"2025-06-18", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			a := mustSignIn(t, g.origin+"/mcp", alice, revision)
			if got, want := a.tools(t), []string{"echo", "get-sum", "get-tiny-image"}; !slices.Equal(got, want) {
				t.Errorf("alice sees %v, want %v", got, want)
			}
			if got := text(a.call(t, "get-sum", map[string]any{"a": 20, "b": 22})); !strings.Contains(got, "42") {
				t.Errorf("get-sum answers %q", got)
			}
			a.refused(t, "get-env", noArguments)
			if prompts, err := a.ListPrompts(t.Context(), nil); err != nil || len(prompts.Prompts) == 0 {
				t.Errorf("prompts: %v, %v", prompts, err)
			}
			if len(a.tokens.all) < 3 {
				t.Errorf("the agent had %d access tokens, so it did not refresh", len(a.tokens.all))
			}

			b := mustSignIn(t, g.origin+"/mcp", bob, revision)
			if got, want := b.tools(t), []string{"echo"}; !slices.Equal(got, want) {
				t.Errorf("bob sees %v, want %v", got, want)
			}
			b.refused(t, "get-sum", map[string]any{"a": 20, "b": 22})
		})
	}
}

// TestMCPRemoteGoesTheWholeWay has npm's mcp-remote, as desktop clients run it, register, sign alice in, list, call, and
// refresh its token when that has expired.
func TestMCPRemoteGoesTheWholeWay(t *testing.T) {
	upstreams := map[string]string{"server-everything": peers.Everything(t), "a server of every revision": serveMCP(t, everythingToo())}
	for name, upstream := range upstreams {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayConfig{Policy: everythingPolicy, Options: "access_token_ttl 2s", Mounts: "mcp_gateway /mcp " + upstream})
			desktop, err := peers.NewDesktop(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = desktop.Close() })
			opened := make(chan error, 8)
			go func() {
				for address := range desktop.URLs {
					_, err := peers.NewBrowser(alice).Open(t.Context(), address, nil)
					opened <- err
				}
			}()
			client := mcp.NewClient(&mcp.Implementation{Name: "desktop", Version: "1"}, nil)
			command := peers.MCPRemote(t, desktop, g.origin+"/mcp", "--protocol", "auto")
			var wrote output
			command.Stderr = &wrote
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("mcp-remote wrote:\n%s", wrote.String())
				}
			})
			session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = session.Close() })
			if err := <-opened; err != nil {
				t.Fatalf("the browser: %v", err)
			}
			a := &agent{ClientSession: session}
			if got := a.tools(t); !slices.Contains(got, "echo") || !slices.Contains(got, "get-sum") || slices.Contains(got, "get-env") || slices.Contains(got, "add") {
				t.Errorf("alice sees %v", got)
			}
			a.refused(t, "get-env", noArguments)
			// Calls go on while tokens expire, until the client has refreshed one.
			deadline := time.After(startTimeout)
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for !g.audited(`"event":"refresh","decision":"allow"`) {
				if got := text(a.call(t, "get-sum", map[string]any{"a": 20, "b": 22})); !strings.Contains(got, "42") {
					t.Fatalf("get-sum answers %q", got)
				}
				select {
				case <-tick.C:
				case <-deadline:
					t.Fatal("the client never refreshed its token")
				}
			}
			select {
			case err := <-opened:
				t.Errorf("the client opened the browser again (%v)", err)
			default:
			}
		})
	}
}

// everythingToo is the demo's server with a tool by the name of one of server-everything's.
func everythingToo() *mcp.Server {
	server := demo.Playground()
	type numbers struct {
		A float64 `json:"a"`
		B float64 `json:"b"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "get-sum", Description: "Adds."}, func(_ context.Context, _ *mcp.CallToolRequest, in numbers) (*mcp.CallToolResult, any, error) {
		sum, err := json.Marshal(in.A + in.B)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(sum)}}}, nil, err
	})
	return server
}

// TestConformanceOfTheAuthorizationServer runs the official suite's scenarios; none may be skipped.
func TestConformanceOfTheAuthorizationServer(t *testing.T) {
	g := startGateway(t, gatewayConfig{
		Clients: `clients {
			static conformance {
				public
				redirect_uri http://127.0.0.1/callback
			}
		}`,
		Policy: demoPolicy,
		Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
	})
	seen := make(map[string]bool)
	for _, check := range peers.AuthorizationConformance(t, g.origin, "conformance", peers.NewBrowser(alice)) {
		seen[check.ID] = true
		t.Logf("%-8s %s %s", check.Status, check.ID, check.Message)
		if check.Status == "FAILURE" || check.Status == "SKIPPED" {
			t.Errorf("%s: %s %s", check.ID, check.Status, check.Message)
		}
	}
	for _, id := range []string{"authorization-server-metadata", "authorization-code-grant"} {
		if !seen[id] {
			t.Errorf("no verdict on %s", id)
		}
	}
}

// audited reports whether the audit log has a record that holds a text.
func (g *gateway) audited(text string) bool {
	records, err := os.ReadFile(g.config.AuditLog)
	return err == nil && strings.Contains(string(records), text)
}

// TestUnauthenticatedRequestsAreChallenged is what a client sees first.
func TestUnauthenticatedRequestsAreChallenged(t *testing.T) {
	g := startGateway(t, gatewayConfig{Policy: demoPolicy, Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground())})
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead, http.MethodDelete} {
		request, err := http.NewRequestWithContext(t.Context(), method, g.origin+"/mcp", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		want := `Bearer resource_metadata="` + g.origin + `/.well-known/oauth-protected-resource/mcp", scope="mcp"`
		if got := response.Header.Values("WWW-Authenticate"); response.StatusCode != 401 || !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %d %q, want 401 and %q", method, response.StatusCode, got, want)
		}
	}
}
