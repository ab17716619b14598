package main

import (
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// remote connects npm's mcp-remote, which has a person sign in, and returns it as an agent.
func remote(t *testing.T, server string, person map[string]string, flags ...string) *agent {
	t.Helper()
	desktop, err := peers.NewDesktop(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = desktop.Close() })
	go func() {
		for address := range desktop.URLs {
			if _, err := peers.NewBrowser(person).Open(t.Context(), address, nil); err != nil {
				t.Logf("the browser: %v", err)
			}
		}
	}()
	command := peers.MCPRemote(t, desktop, server, flags...)
	command.Stderr = os.Stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "desktop", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return &agent{ClientSession: session}
}

// TestServerEverythingOverHTTPSSE goes the whole way with a server and a client of the older transport that nobody here
// wrote, whether the client knows what the server speaks or finds out.
func TestServerEverythingOverHTTPSSE(t *testing.T) {
	g := startGateway(t, gatewayConfig{
		Policy: everythingPolicy,
		Mounts: "mcp_gateway /mcp " + peers.EverythingOverSSE(t) + " {\n endpoint /sse\n}",
	})
	for _, strategy := range []string{"sse-only", "http-first"} {
		t.Run(strategy, func(t *testing.T) {
			a := remote(t, g.origin+"/mcp", alice, "--transport", strategy)
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
		})
	}
}

// TestDemoAnswersOverHTTPSSE is the live test of WorkOS' guide for Cloudflare: its URL, and its page.
func TestDemoAnswersOverHTTPSSE(t *testing.T) {
	_, origin, people := startDemo(t)
	for name, want := range map[string][]string{"alice": {"add", "delete_everything", "echo", "generateImage"}, "bob": {"add", "echo"}} {
		for _, strategy := range []string{"sse-only", "http-first"} {
			a := remote(t, origin+"/sse", people[name], "--transport", strategy)
			if got := a.tools(t); !slices.Equal(got, want) {
				t.Errorf("%s, %s sees %v, want %v", strategy, name, got, want)
			}
			if got := text(a.call(t, "add", map[string]any{"a": 2, "b": 3})); got != "5" {
				t.Errorf("add answers %q", got)
			}
			if name == "bob" {
				a.refused(t, "generateImage", map[string]any{"prompt": "a red fox"})
			}
		}
	}
	for page, allowed := range map[string]bool{
		"https://playground.ai.cloudflare.com": true, "http://localhost:6274": true,
		"http://playground.ai.cloudflare.com": false, "https://evil.example": false,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, origin+"/sse", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", page)
		request.Header.Set("Access-Control-Request-Method", "GET")
		request.Header.Set("Access-Control-Request-Headers", "authorization")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if got := response.Header.Get("Access-Control-Allow-Origin"); (got == page) != allowed {
			t.Errorf("a page of %s is answered %d, %q", page, response.StatusCode, got)
		}
	}
}
