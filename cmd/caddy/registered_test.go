package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// TestClientsThatRegister has real clients register themselves, sign alice in, list, call, and refresh their tokens when those have
// expired, without troubling her again. (The Go SDK, mcp-remote and the Inspector's CLI have tests
// of their own.)
func TestClientsThatRegister(t *testing.T) {
	g := startGateway(t, gatewayConfig{
		Policy: everythingPolicy, Mounts: "mcp_gateway /mcp " + peers.Everything(t), Options: "access_token_ttl 2s",
	})
	mine := []string{"echo", "get-sum", "get-tiny-image"}

	for _, sdk := range []string{"v1", "v2"} {
		for _, method := range []string{"", "none", "client_secret_basic", "client_secret_post"} {
			t.Run("TypeScript "+sdk+"/"+method, func(t *testing.T) {
				t.Parallel()
				got := peers.TypeScriptSignIn(t, peers.SignIn{
					SDK: sdk, URL: g.origin + "/mcp", Redirect: redirect, ClientAuth: method, Call: "get-sum", Arguments: map[string]any{"a": 20, "b": 22},
				}, func(address string) string {
					page, err := peers.NewBrowser(alice).Open(t.Context(), address, atRedirect)
					if err != nil {
						t.Error(err)
						return redirect
					}
					return page.URL.String()
				})
				if got.Failed != "" || !slices.Equal(got.Tools, mine) || got.Client == "" || method != "" && got.ClientAuth != method {
					t.Errorf("got %+v", got)
				}
				if len(got.Answers) != 1 || !strings.Contains(got.Answers[0], "42") {
					t.Errorf("calls are answered with %q", got.Answers)
				}
				if got.Opened != 1 {
					t.Errorf("the browser was opened %d times", got.Opened)
				}
			})
		}
	}

	t.Run("the Inspector in a browser", func(t *testing.T) {
		t.Parallel()
		saw := peers.UseInspectorWeb(t, peers.InspectorWeb{
			URL: g.origin + "/mcp", Answers: alice, Tool: "echo", Arguments: map[string]string{"message": "through the gateway"}, Answer: "Echo: .*gateway",
		})
		if !slices.Equal(saw.Tools, mine) || saw.Client == "" || saw.Answer != "Echo: through the gateway" {
			t.Errorf("saw %+v", saw)
		}
	})
}
