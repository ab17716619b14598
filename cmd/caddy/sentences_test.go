package main

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// toolCall is a call of a tool that takes one text.
type toolCall struct{ tool, arg string }

// speaker is a client in whose hands a model calls tools. It reads what is the text of a result or the message of an error.
type speaker struct {
	name string
	read func(t *testing.T, calls ...toolCall) []string
}

// inGo is a client made with the Go SDK.
func inGo(a *agent) speaker {
	return speaker{"Go", func(t *testing.T, calls ...toolCall) (read []string) {
		for _, c := range calls {
			result, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool, Arguments: map[string]any{"a": c.arg}})
			if err != nil {
				read = append(read, err.Error())
				continue
			}
			read = append(read, text(result))
		}
		return read
	}}
}

// inTypeScript is a client made with one of the TypeScript SDKs, that has an agent's token.
func inTypeScript(sdk, revision, address string, a *agent) speaker {
	return speaker{"TypeScript " + sdk, func(t *testing.T, calls ...toolCall) (read []string) {
		session := peers.Session{SDK: sdk, URL: address, Revision: revision, Token: a.tokens.all[len(a.tokens.all)-1].AccessToken}
		for _, c := range calls {
			session.Steps = append(session.Steps, peers.Step{Method: "callTool", Params: map[string]any{"name": c.tool, "arguments": map[string]any{"a": c.arg}}})
		}
		seen := peers.Sessions(t, t.TempDir(), session)[0]
		if seen.Failed != "" || len(seen.Outcomes) != len(calls) {
			t.Fatalf("%+v", seen)
		}
		for _, o := range seen.Outcomes {
			var result struct{ Content []struct{ Text string } }
			if err := json.Unmarshal(o.Result, &result); o.Failed == "" && (err != nil || len(result.Content) != 1) {
				t.Fatalf("%s: %s, %v", o.Name, o.Result, err)
			}
			if o.Failed != "" {
				read = append(read, o.Failed)
				continue
			}
			read = append(read, result.Content[0].Text)
		}
		return read
	}}
}

// sayingYes serves a server whose tools all take one text, and say yes to it.
func sayingYes(t *testing.T, tools ...string) string {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "yes", Version: "1"}, nil)
	type in struct {
		A string `json:"a"`
	}
	for _, name := range tools {
		mcp.AddTool(server, &mcp.Tool{Name: name, Description: "Says yes."}, func(_ context.Context, _ *mcp.CallToolRequest, in in) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "yes, " + in.A}}}, nil, nil
		})
	}
	return serveMCP(t, server)
}

// approvalPage finds the address in a sentence.
var approvalPage = regexp.MustCompile(`http://\S+/connections/approve\?call=[0-9a-f]{40}`)

// answerAt has alice sign in at the page that a sentence names, where the emulator takes her for who is meant, and press a button.
func answerAt(t *testing.T, sentence, action string) {
	t.Helper()
	page := approvalPage.FindString(sentence)
	_, err := peers.NewBrowser(map[string]string{"action": action}).Open(t.Context(), page, func(u *url.URL) bool { return u.Path == "/connections" })
	if page == "" || err != nil {
		t.Fatalf("%s: %v", sentence, err)
	}
}

// TestWhatAModelReadsIsASentenceItCanActOn has real clients make calls that are not made, and read why: over a limit, with
// arguments that are not allowed, not approved, denied, narrowed by the person, and after a role was taken away.
func TestWhatAModelReadsIsASentenceItCanActOn(t *testing.T) {
	emulator := emulate(t)
	g := startGateway(t, gatewayConfig{
		Identity: `identity workos {
			client_id {env.WORKOS_CLIENT_ID}
			api_key {env.WORKOS_API_KEY}
			organization ` + emulator.Organization(t, "Acme") + `
			base_url ` + emulator.URL + `
		}`,
		Options: "identity_refresh 1s\n\t\tapproval_timeout 1s",
		Policy: `role member {
				allow mcp tools plain asked
				allow mcp tools limited limit 1/d per client
				allow mcp tools picky when ` + "`args.a == \"right\"`" + `
				ask mcp tools asked
			}
			role admin {
				inherit member
				allow mcp tools draw
			}`,
		Mounts: "mcp_gateway /mcp " + sayingYes(t, "plain", "limited", "picky", "asked", "draw"),
		Env:    []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
	})
	address, person := g.origin+"/mcp", through("alice@acme.test")
	first := mustSignIn(t, address, person, "2025-11-25")
	speakers := []speaker{
		inGo(first), inTypeScript("v1", "2025-11-25", address, mustSignIn(t, address, person, "")),
		inTypeScript("v2", "2026-07-28", address, mustSignIn(t, address, person, "")),
	}
	for _, s := range speakers {
		t.Run(s.name, func(t *testing.T) {
			read := s.read(t, toolCall{"limited", "x"}, toolCall{"limited", "x"}, toolCall{"picky", "right"}, toolCall{"picky", "wrong"}, toolCall{"asked", "one"}, toolCall{"asked", "two"}, toolCall{"draw", "sea"})
			for i, want := range []string{
				"^yes, x$",
				`^Not done: the tool limited may be used once a day by one agent of a person, and it was\. Try again in \d+ seconds; trying before then will not help\.$`,
				"^yes, right$",
				`^Not done: the tool picky may not be used with these arguments; whoever administers access to this server can allow it, and sending the same again will not help\.$`,
				`^Not done yet: a person has to approve this use of the tool asked, and nobody has so far\. Ask them to open http://localhost:\d+/connections/approve\?call=\w+ and to approve it there; after that, make the same call again with the same arguments\. It will not help before\.$`,
				`^Not done yet: `,
				"^yes, sea$",
			} {
				if !regexp.MustCompile(want).MatchString(read[i]) {
					t.Errorf("%d: %q, want %s", i, read[i], want)
				}
			}
			answerAt(t, read[4], "once")
			answerAt(t, read[5], "deny")
			again := s.read(t, toolCall{"asked", "one"}, toolCall{"asked", "two"}, toolCall{"asked", "one"})
			if again[0] != "yes, one" || again[1] != "Not done: the person was asked to approve this use of the tool asked, and denied it. Trying again will not help." ||
				!strings.HasPrefix(again[2], "Not done yet: ") {
				t.Errorf("once answered: %q", again)
			}
		})
	}
	for _, event := range []string{"approval_requested", "approval_approved", "approval_denied", "approval_expired"} {
		if !g.audited(`"event":"` + event + `"`) {
			t.Errorf("the audit trail has no %s", event)
		}
	}

	narrowed := mustSignIn(t, address, map[string]string{"decision": "allow", "login_hint": "alice@acme.test", "may": "tools", "tool": "plain"}, "2025-11-25")
	for _, s := range []speaker{inGo(narrowed), inTypeScript("v1", "2025-11-25", address, narrowed), inTypeScript("v2", "2026-07-28", address, narrowed)} {
		if read := s.read(t, toolCall{"plain", "x"}, toolCall{"picky", "right"}); read[0] != "yes, x" || !strings.Contains(read[1], "Unknown tool: picky") {
			t.Errorf("%s, narrowed: %q", s.name, read)
		}
	}

	emulator.SetRole(t, "alice@acme.test", "Acme", "member")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(startTimeout); slices.Contains(first.tools(t), "draw"); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("alice has kept the role that she lost")
		}
	}
	for _, s := range speakers {
		if read := s.read(t, toolCall{"draw", "sea"}, toolCall{"plain", "x"}); !strings.Contains(read[0], "Unknown tool: draw") || read[1] != "yes, x" {
			t.Errorf("%s, demoted: %q", s.name, read)
		}
	}
}
