package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// bearer sends a token that somebody has pasted into a program's settings.
type bearer string

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// TestPersonalTokensOfWorkOSPeople has alice sign in to her own page through WorkOS and make a token there: what it may do is what her role
// allows at that moment, and nothing once she has revoked it.
func TestPersonalTokensOfWorkOSPeople(t *testing.T) {
	emulator := emulate(t)
	g := startGateway(t, gatewayConfig{
		Identity: `identity workos {
			client_id {env.WORKOS_CLIENT_ID}
			api_key {env.WORKOS_API_KEY}
			organization ` + emulator.Organization(t, "Acme") + `
			base_url ` + emulator.URL + `
		}`,
		Options: "identity_refresh 1s\n\t\tpersonal_tokens on",
		Policy:  demoPolicy,
		Mounts:  "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:     []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
	})
	// The emulator signs in whoever was created first, which is alice, where nobody is named.
	walked := peers.Chromium(t, peers.Walk{
		URL: g.origin + "/connections", Until: "nowhere:", Width: 1280, Height: 800, Pictures: t.TempDir() + "/token",
		Answers: map[string]string{"name": "nightly job"},
		Presses: []string{`button[value="signin"]`, `button[value="make"]`},
	})
	token := bearer(madeToken.FindString(walked.Pages[len(walked.Pages)-1].Text))
	if token == "" {
		t.Fatalf("no token on the way: %+v", walked.Pages)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "nightly job", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: g.origin + "/mcp", HTTPClient: &http.Client{Transport: token}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	a := &agent{ClientSession: session}
	if _, ok := a.call(t, "generateImage", map[string]any{"prompt": "sea"}).Content[0].(*mcp.ImageContent); !ok {
		t.Error("alice's token gets no image")
	}

	emulator.SetRole(t, "alice@acme.test", "Acme", "member")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(startTimeout); strings.Contains(strings.Join(a.tools(t), " "), "generateImage"); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("alice's token has kept the role that she lost")
		}
	}
	a.refused(t, "generateImage", map[string]any{"prompt": "sea"})
	if got := text(a.call(t, "echo", map[string]any{"message": "still here"})); !strings.Contains(got, "still here") {
		t.Errorf("echo answers %q", got)
	}

	peers.Chromium(t, peers.Walk{
		URL: g.origin + "/connections", Until: "nowhere:", Width: 1280, Height: 800, Pictures: t.TempDir() + "/end",
		Answers: map[string]string{},
		Presses: []string{`button[value="signin"]`, `button[value="revoke"]`},
	})
	if got := initializeAt(t, g.origin+"/mcp", string(token)); got != http.StatusUnauthorized {
		t.Errorf("the revoked token is answered with %d", got)
	}
}
