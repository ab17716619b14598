package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// TestPagesInABrowser walks through the page before sign-in, the sign-in and the page after it in a real browser, on a
// phone's and a desktop's width, in the demo. The pictures go to the directory that SCREENSHOTS names, to be looked at.
func TestPagesInABrowser(t *testing.T) {
	pictures := os.Getenv("SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	_, origin, people := startDemo(t)
	for _, c := range []struct {
		name string
		who  string
		walk peers.Walk
		// sees is what the page after sign-in says the agent will be able to do, hidden what it must not name.
		sees, hidden []string
	}{
		{"phone-narrowed", "alice", peers.Walk{Width: 390, Height: 844, Mobile: true, Dark: true, Ticks: narrowed}, []string{"Only the tools I tick", "generateImage"}, nil},
		{"desktop-narrowed", "alice", peers.Walk{Width: 1280, Height: 800, Ticks: narrowed}, []string{"Only the tools I tick", "generateImage"}, nil},
		{"phone-alice", "alice", peers.Walk{Width: 390, Height: 844, Mobile: true}, []string{"generateImage", "delete_everything"}, nil},
		{"desktop-alice", "alice", peers.Walk{Width: 1280, Height: 800, Script: true}, []string{"generateImage", "delete_everything"}, nil},
		{"phone-bob", "bob", peers.Walk{Width: 360, Height: 640, Mobile: true, Dark: true}, []string{"echo", "add"}, []string{"generateImage", "delete_everything"}},
		{"desktop-bob", "bob", peers.Walk{Width: 1920, Height: 1080, Script: true, Dark: true}, []string{"echo", "add"}, []string{"generateImage", "delete_everything"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			agent := httptest.NewServer(http.NotFoundHandler())
			defer agent.Close()
			redirect := strings.Replace(agent.URL, "127.0.0.1", "localhost", 1) + "/callback"
			walk := c.walk
			walk.URL, walk.Until, walk.Answers, walk.Pictures = authorizeURL(t, origin, redirect), redirect, people[c.who], filepath.Join(pictures, c.name)
			walked := peers.Chromium(t, walk)

			end, err := url.Parse(walked.End)
			if err != nil || end.Query().Get("code") == "" || end.Query().Get("iss") != origin || end.Query().Get("state") != "a state" {
				t.Errorf("ended at %s (%v)", walked.End, err)
			}
			for _, complaint := range walked.Complaints {
				// The agent has no page at its callback, and the browser says so.
				if !strings.Contains(complaint, "404") {
					t.Errorf("the browser complains: %s", complaint)
				}
			}
			if len(walked.Pages) != 3 {
				t.Fatalf("%d pages, want the one before sign-in, sign-in, and the one after it", len(walked.Pages))
			}
			for _, page := range walked.Pages {
				switch {
				case page.Title == "" || page.Language == "":
					t.Errorf("%s has the title %q and the language %q", page.URL, page.Title, page.Language)
				case page.Overflow > 0:
					t.Errorf("%s is %d pixels wider than the window", page.URL, page.Overflow)
				case len(page.Unlabelled) > 0:
					t.Errorf("%s has fields without a label: %v", page.URL, page.Unlabelled)
				}
			}
			before, after := walked.Pages[0].Text, walked.Pages[2].Text
			if !strings.Contains(before, "Somebody's agent") || !strings.Contains(before, "localhost") {
				t.Errorf("the first page does not say who asks and where the answer goes: %s", before)
			}
			for _, tool := range c.sees {
				if !strings.Contains(after, tool) {
					t.Errorf("the last page does not name %s: %s", tool, after)
				}
			}
			if slices.ContainsFunc(c.hidden, func(tool string) bool { return strings.Contains(after, tool) }) {
				t.Errorf("the last page names what %s may not use: %s", c.who, after)
			}
		})
	}
}

// narrowed are what alice ticks to leave an agent two tools, and one of another server.
var narrowed = []string{
	`input[name="may"][value="tools"]`, `input[name="tool"][value="add"]`, `input[name="tool"][value="echo"]`, `input[name="also"]`,
}

// authorizeURL registers a client and returns the address at which it would send a person's browser.
func authorizeURL(t *testing.T, origin, redirect string) string {
	t.Helper()
	body := `{"client_name": "Somebody's agent", "redirect_uris": ["` + redirect + `"], "token_endpoint_auth_method": "none"}`
	response, err := http.Post(origin+"/register", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var client struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(response.Body).Decode(&client); err != nil || client.ID == "" {
		t.Fatalf("register: %s, %v", response.Status, err)
	}
	config := oauth2.Config{ClientID: client.ID, RedirectURL: redirect, Scopes: []string{"mcp"}, Endpoint: oauth2.Endpoint{AuthURL: origin + "/authorize"}}
	return config.AuthCodeURL("a state", oauth2.S256ChallengeOption(rand.Text()+rand.Text()), oauth2.SetAuthURLParam("resource", origin+"/mcp"))
}
