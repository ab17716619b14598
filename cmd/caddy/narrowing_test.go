package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// leaving are the answers of a person who leaves an agent some tools, by the words of their names.
func leaving(person map[string]string, tools string) map[string]string {
	answers := maps.Clone(person)
	answers["may"], answers["tool"] = "tools", tools
	return answers
}

// TestANarrowedAgentSeesWhatItWasLeft holds that what a person chose at consent is all that an agent sees and can call, and what they choose
// later on their own page, in a browser, is from then on. The pictures go to the directory that SCREENSHOTS names, to be looked at.
func TestANarrowedAgentSeesWhatItWasLeft(t *testing.T) {
	pictures := os.Getenv("SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	_, origin, people := startDemo(t)
	agent := mustSignIn(t, origin+"/mcp", leaving(people["alice"], "add echo"), "")
	sees := func(want ...string) {
		t.Helper()
		if got := agent.tools(t); !slices.Equal(got, want) {
			t.Errorf("the agent sees %v, want %v", got, want)
		}
	}
	sees("add", "echo")
	agent.refused(t, "generateImage", map[string]any{"prompt": "a red fox"})
	agent.refused(t, "no_such_tool", noArguments)

	for _, c := range []struct {
		name  string
		walk  peers.Walk
		ticks []string
		says  string
		left  []string
	}{
		{"phone", peers.Walk{Width: 390, Height: 844, Mobile: true, Dark: true}, []string{`input[name="may"][value="tools"]`, `input[value="generateImage"]`}, "It may use only add, echo, generateImage.", []string{"add", "echo", "generateImage"}},
		{"desktop", peers.Walk{Width: 1280, Height: 800}, []string{`input[name="may"][value="all"]`}, "It may use everything your role allows.", []string{"add", "delete_everything", "echo", "generateImage"}},
	} {
		walk := c.walk
		walk.URL, walk.Until, walk.Pictures, walk.Ticks = origin+"/connections", "nowhere:", filepath.Join(pictures, "change-"+c.name), c.ticks
		walk.Answers = map[string]string{"username": people["alice"]["username"], "password": people["alice"]["password"]}
		walk.Presses = []string{`button[value="signin"]`, `button[value="allow"]`, `a[href*="change="]`, `button[value="narrow"]`, `button[value="signout"]`}
		walked := peers.Chromium(t, walk)
		if len(walked.Complaints) > 0 || len(walked.Pages) != 6 {
			t.Fatalf("%d pages, and the browser complains: %q", len(walked.Pages), walked.Complaints)
		}
		for _, page := range walked.Pages {
			if page.Overflow > 0 || len(page.Unlabelled) > 0 {
				t.Errorf("%s is %d pixels too wide, without labels are %v", page.URL, page.Overflow, page.Unlabelled)
			}
		}
		if change, after := walked.Pages[3].Text, walked.Pages[4].Text; !strings.Contains(change, "Only the tools I tick") || !strings.Contains(after, c.says) || !strings.Contains(after, "What it may use has changed.") {
			t.Errorf("the pages say\n%s\n\n%s", change, after)
		}
		sees(c.left...)
	}
}
