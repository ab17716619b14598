package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// TestAPersonApprovesInABrowser has clients of the Go SDK that can show addresses send alice to the page of a call, where she signs
// in and says what she will in a real browser; the call then goes on, or not. The pictures go to the directory that SCREENSHOTS
// names, to be looked at.
func TestAPersonApprovesInABrowser(t *testing.T) {
	pictures := os.Getenv("SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	g := startGateway(t, gatewayConfig{
		Identity: onlyAlice(t),
		Policy:   "role admin {\n\t\t\t\tallow mcp tools asked\n\t\t\t\task mcp tools asked\n\t\t\t}",
		Mounts:   "mcp_gateway /mcp " + sayingYes(t, "asked"),
	})
	for _, c := range []struct {
		name, revision, press, says, notice string
		walk                                peers.Walk
	}{
		{"phone", "2025-11-25", "once", "yes, sea", "It was allowed, this once.", peers.Walk{Width: 390, Height: 844, Mobile: true}},
		{"phone-dark", "2026-07-28", "always", "yes, sea", "you are not asked again", peers.Walk{Width: 390, Height: 844, Mobile: true, Dark: true}},
		{"desktop", "2026-07-28", "once", "yes, sea", "It was allowed, this once.", peers.Walk{Width: 1280, Height: 800, Script: true}},
		{"desktop-dark", "2025-11-25", "deny", "and denied it", "It was denied.", peers.Walk{Width: 1280, Height: 800, Dark: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			signedIn := mustSignIn(t, g.origin+"/mcp", alice, c.revision)
			token := bearer(signedIn.tokens.all[len(signedIn.tokens.all)-1].AccessToken)
			shown, answered := make(chan string, 1), make(chan struct{})
			client := mcp.NewClient(&mcp.Implementation{Name: "shows addresses", Version: "1"}, &mcp.ClientOptions{
				Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}},
				ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					if req.Params.Mode != "url" || !strings.Contains(req.Params.Message, "the tool asked") {
						return nil, errors.New("not what it was to be asked")
					}
					shown <- req.Params.URL
					<-answered
					return &mcp.ElicitResult{Action: "accept"}, nil
				},
			})
			session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: g.origin + "/mcp", HTTPClient: &http.Client{Transport: token}}, &mcp.ClientSessionOptions{ProtocolVersion: c.revision})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = session.Close() })
			a := &agent{ClientSession: session}
			read := make(chan string, 1)
			go func() {
				defer close(read)
				read <- text(a.call(t, "asked", map[string]any{"a": "sea"}))
			}()
			walk := c.walk
			walk.URL, walk.Until, walk.Pictures = <-shown, "nowhere:", filepath.Join(pictures, "approve-"+c.name)
			walk.Answers = map[string]string{"username": "alice", "password": alicePassword}
			walk.Presses = []string{`button[value="signin"]`, `button[value="allow"]`, `button[value="` + c.press + `"]`}
			walked := peers.Chromium(t, walk)
			close(answered)
			if got := <-read; !strings.Contains(got, c.says) {
				t.Errorf("the model reads %q", got)
			}
			if len(walked.Complaints) > 0 {
				t.Errorf("the browser complains: %q", walked.Complaints)
			}
			if len(walked.Pages) != 4 {
				t.Fatalf("%d pages: %+v", len(walked.Pages), walked.Pages)
			}
			for _, page := range walked.Pages {
				if page.Title == "" || page.Language == "" || page.Overflow > 0 || len(page.Unlabelled) > 0 {
					t.Errorf("%+v", page)
				}
			}
			if page := walked.Pages[2].Text; !strings.Contains(page, `"a": "sea"`) || !strings.Contains(page, "Go SDK agent") {
				t.Errorf("the page says %s", page)
			}
			if page := walked.Pages[3].Text; !strings.Contains(page, c.notice) {
				t.Errorf("then it says %s", page)
			}
			if c.press == "always" {
				if got := text(a.call(t, "asked", map[string]any{"a": "something else"})); got != "yes, something else" {
					t.Errorf("the model reads %q", got)
				}
			}
		})
	}
}
