package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

var madeToken = regexp.MustCompile(`mcpgw_pat_[A-Za-z0-9_-]+`)

// TestConnectionsInABrowser has alice look at her own page in a real browser, make a token that works, end an agent's access, which then
// works no more, and sign out. The pictures go to the directory that SCREENSHOTS names, to be looked at.
func TestConnectionsInABrowser(t *testing.T) {
	pictures := os.Getenv("SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	_, origin, people := startDemo(t)
	for _, c := range []struct {
		name string
		walk peers.Walk
	}{
		{"phone", peers.Walk{Width: 390, Height: 844, Mobile: true}},
		{"desktop", peers.Walk{Width: 1280, Height: 800, Script: true}},
		{"phone-dark", peers.Walk{Width: 390, Height: 844, Mobile: true, Dark: true}},
		{"desktop-dark", peers.Walk{Width: 1280, Height: 800, Dark: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			agent := mustSignIn(t, origin+"/mcp", people["alice"], revisions[0])
			agent.tools(t)
			walk := c.walk
			walk.URL, walk.Until, walk.Pictures = origin+"/connections", "nowhere:", filepath.Join(pictures, "connections-"+c.name)
			walk.Answers = map[string]string{"username": people["alice"]["username"], "password": people["alice"]["password"], "name": "nightly job"}
			walk.Presses = []string{
				`button[value="signin"]`, `button[value="allow"]`, `button[value="make"]`, `#agents ~ ul button[value="revoke"]`, `button[value="signout"]`,
			}
			walked := peers.Chromium(t, walk)
			if len(walked.Complaints) > 0 {
				t.Errorf("the browser complains: %q", walked.Complaints)
			}
			if len(walked.Pages) != 6 {
				t.Fatalf("%d pages: %+v", len(walked.Pages), walked.Pages)
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
			for i, says := range []string{"See which apps act in your name", "to see your connections", "A program on a computer on playground", "Copy your new token", "Access has ended.", "You are signed out."} {
				if !strings.Contains(walked.Pages[i].Text, says) {
					t.Errorf("page %d does not say %q: %s", i+1, says, walked.Pages[i].Text)
				}
			}
			if _, err := agent.ListTools(t.Context(), nil); err == nil {
				t.Error("the agent whose access alice has ended still lists tools")
			}
			token := madeToken.FindString(walked.Pages[3].Text)
			if madeToken.MatchString(walked.Pages[4].Text) {
				t.Error("the token is shown again")
			}
			for path, want := range map[string]int{"/mcp": http.StatusOK, "/notes": http.StatusUnauthorized} {
				if got := initializeAt(t, origin+path, token); got != want {
					t.Errorf("the token is answered with %d at %s, want %d", got, path, want)
				}
			}
		})
	}
}
