package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// honest is a server that nobody here wrote, and what clients do with it.
type honest struct {
	name      string
	root      string // what clients say is their directory
	inner     *tap   // in front of it
	revisions []string
	steps     []peers.Step
}

// honestServers starts npm's server-everything and server-filesystem, and the Go SDK's everything-server, which speaks
// 2026-07-28.
func honestServers(t *testing.T) []honest {
	dir := t.TempDir()
	for _, name := range []string{"hello.txt", "new.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("hello from a file\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	legacy := revisions[:len(revisions)-1]
	list := []peers.Step{{Method: "listTools"}, {Method: "ping"}}
	lists := append(slices.Clone(list), peers.Step{Method: "listPrompts"}, peers.Step{Method: "listResources"}, peers.Step{Method: "listResourceTemplates"})
	call := func(name string, args map[string]any) peers.Step {
		return peers.Step{Method: "callTool", Params: map[string]any{"name": name, "arguments": args}}
	}
	file := filepath.Join(dir, "hello.txt")
	goSteps := []peers.Step{
		call("test_simple_text", noArguments), call("test_image_content", noArguments), call("test_audio_content", noArguments),
		call("test_multiple_content_types", noArguments), call("test_embedded_resource", noArguments),
		call("test_error_handling", noArguments), call("test_tool_with_progress", noArguments), call("test_tool_with_logging", noArguments),
		call("test_input_required_result_multiple_inputs", noArguments), call("no_such_tool", noArguments),
		{Method: "readResource", Params: map[string]any{"uri": "test://static-text"}},
		{Method: "readResource", Params: map[string]any{"uri": "test://static-binary"}},
		{Method: "getPrompt", Params: map[string]any{"name": "test_simple_prompt"}},
	}
	program := peers.BuildGoEverything(t)
	return []honest{
		{"everything", dir, newTap(t).to(t, "http://"+peers.Everything(t)), append(slices.Clone(legacy), ""), append(slices.Clone(lists),
			call("echo", map[string]any{"message": "é \u2028 😀 </script>"}), call("get-sum", map[string]any{"a": 1e21, "b": 0.1}),
			call("get-sum", map[string]any{"a": "one"}), call("no_such_tool", noArguments), call("get-tiny-image", noArguments),
			call("get-structured-content", map[string]any{"location": "New York"}), call("get-resource-links", map[string]any{"count": 3}),
			call("get-annotated-message", map[string]any{"messageType": "error", "includeImage": true}),
			call("trigger-long-running-operation", map[string]any{"duration": 0.1, "steps": 3}),
			call("trigger-sampling-request", map[string]any{"prompt": "p", "maxTokens": 1}),
			call("trigger-elicitation-request", noArguments), call("get-roots-list", noArguments),
			peers.Step{Method: "getPrompt", Params: map[string]any{"name": "simple-prompt"}},
			peers.Step{Method: "getPrompt", Params: map[string]any{"name": "args-prompt", "arguments": map[string]any{"city": "Rome"}}},
			peers.Step{Method: "complete", Params: map[string]any{
				"ref":      map[string]any{"type": "ref/prompt", "name": "completable-prompt"},
				"argument": map[string]any{"name": "department", "value": "S"},
			}},
			peers.Step{Method: "readResource", Params: map[string]any{"uri": "demo://resource/static/document/features.md"}},
			peers.Step{Method: "readResource", Params: map[string]any{"uri": "demo://resource/dynamic/text/1"}},
			peers.Step{Method: "readResource", Params: map[string]any{"uri": "demo://none"}},
			peers.Step{Method: "subscribeResource", Params: map[string]any{"uri": "demo://resource/dynamic/text/1"}},
			peers.Step{Method: "unsubscribeResource", Params: map[string]any{"uri": "demo://resource/dynamic/text/1"}},
			peers.Step{Method: "setLoggingLevel"},
		)},
		{"filesystem", dir, newTap(t).to(t, "http://"+peers.Supergateway(t, dir, "--outputTransport", "streamableHttp", "--stateful", "--streamableHttpPath", "/mcp")),
			append(slices.Clone(legacy), ""), append(slices.Clone(list),
				call("list_allowed_directories", noArguments), call("read_text_file", map[string]any{"path": file}),
				call("list_directory", map[string]any{"path": dir}), call("directory_tree", map[string]any{"path": dir}),
				call("write_file", map[string]any{"path": filepath.Join(dir, "new.txt"), "content": "é\x00\"\\"}),
				call("search_files", map[string]any{"path": dir, "pattern": "*.txt"}),
				call("read_text_file", map[string]any{"path": "/etc/passwd"}),
			)},
		{"sdk", dir, newTap(t).to(t, "http://"+peers.GoEverything(t, program, false)), legacy, append(slices.Clone(lists),
			append(goSteps, call("test_sampling", map[string]any{"prompt": "p"}), call("test_elicitation", map[string]any{"message": "m"}))...)},
		{"stateless", dir, newTap(t).to(t, "http://"+peers.GoEverything(t, program, true)), []string{statelessRevision, ""},
			append(slices.Clone(lists), goSteps...)},
	}
}

// behind starts a gateway with a policy in front of servers.
func behind(t *testing.T, policy string, servers []honest) *fronted {
	mounts := make(map[string]string)
	for _, server := range servers {
		mounts["/"+server.name] = strings.TrimPrefix(server.inner.url, "http://")
	}
	return startFronted(t, policy, mounts)
}

// sessions are all sessions with a server at an address, of both TypeScript SDKs.
func (h honest) sessions(address string) (all []peers.Session) {
	for _, sdk := range []string{"v1", "v2"} {
		for _, revision := range h.revisions {
			if sdk == "v1" && (revision == "" || revision >= statelessRevision) {
				continue // what it does not have
			}
			all = append(all, peers.Session{SDK: sdk, URL: address, Revision: revision, Steps: h.steps})
		}
	}
	return all
}

// changing is what is another each time a server says it: times of the day.
var changing = regexp.MustCompile(`\d{1,2}:\d\d:\d\d [AP]M`)

// TestHonestSessionsPassUnchanged has real clients talk with real servers, directly and through a gateway that allows
// everything: the clients see the same, and every message that goes into the gateway comes out of it as it was.
func TestHonestSessionsPassUnchanged(t *testing.T) {
	servers := honestServers(t)
	f := behind(t, openPolicy, servers)
	var total wire
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			direct := peers.Sessions(t, server.root, server.sessions(server.inner.url+"/mcp")...)
			server.inner.taken()
			sessions := server.sessions(f.front.url + "/" + server.name)
			for i, seen := range peers.Sessions(t, server.root, sessions...) {
				// What would not connect at all would be alike, too.
				if seen.Failed != "" || len(seen.Outcomes) != len(server.steps) {
					t.Errorf("%s %s: %s (%d outcomes)", sessions[i].SDK, sessions[i].Revision, seen.Failed, len(seen.Outcomes))
				}
				if direct[i].Revision != seen.Revision {
					t.Errorf("%s %s: negotiated %s, directly %s", sessions[i].SDK, sessions[i].Revision, seen.Revision, direct[i].Revision)
				}
				for n, outcome := range seen.Outcomes {
					want, got := shown(direct[i].Outcomes[n]), shown(outcome)
					if want != got {
						t.Errorf("%s %s: the client sees\n%s, directly\n%s", sessions[i].SDK, sessions[i].Revision, got, want)
					}
				}
			}
			goSession(t, f.front.url+"/"+server.name)
			total.compare(t, f.front.taken(), server.inner.taken(), nil)
		})
	}
	t.Logf("%d exchanges with %d messages passed unchanged", total.exchanges, total.messages)
}

// shown is what a client saw, without what may change.
func shown(o peers.Outcome) string {
	text := fmt.Sprintf("%s %s: %s%s %s", o.Method, o.Name, o.Failed, o.Code, ours(o.Result))
	return changing.ReplaceAllString(text, "")
}

// goSession has the Go SDK's client, which asks for the newest revision, list what there is and call the first tool.
func goSession(t *testing.T, address string) {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: address}, nil)
	if err != nil {
		t.Errorf("the Go SDK's client: %v", err)
		return
	}
	defer session.Close()
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) == 0 {
		t.Errorf("the Go SDK's client: %v, %v", tools, err)
		return
	}
	if session.InitializeResult().Capabilities.Resources != nil {
		if _, err := session.ListResources(t.Context(), nil); err != nil {
			t.Errorf("the Go SDK's client: %v", err)
		}
	}
	_, _ = session.CallTool(t.Context(), &mcp.CallToolParams{Name: tools.Tools[0].Name, Arguments: noArguments})
}

// hiddenThings are the names that filterPolicy hides.
var hiddenThings = []string{
	"get-env", "get-tiny-image", "toggle-simulated-logging", "args-prompt", "demo://resource/dynamic/blob/{resourceId}",
	"demo://resource/static/document/features.md", "write_file", "read_text_file", "move_file",
	"test_image_content", "json_schema_2020_12_tool", "test_simple_prompt", "test://static-binary",
}

// filterPolicy hides some of all servers.
const filterPolicy = `role admin {
				allow * tools *
				allow * prompts *
				allow * resources **
				allow * templates **
				deny * tools get-env get-tiny-image toggle-simulated-logging write_file read_text_file move_file test_image_content json_schema_2020_12_tool
				deny * prompts args-prompt test_simple_prompt
				deny * resources demo://resource/static/document/features.md test://static-binary
				deny * templates demo://resource/dynamic/blob/**
			}`

// TestHonestSessionsLoseOnlyWhatIsHidden holds that of the same sessions a policy takes away the hidden entries of lists
// and the calls of hidden things, and leaves every other byte.
func TestHonestSessionsLoseOnlyWhatIsHidden(t *testing.T) {
	servers := honestServers(t)
	f := behind(t, filterPolicy, servers)
	var total wire
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			for _, seen := range peers.Sessions(t, server.root, server.sessions(f.front.url+"/"+server.name)...) {
				if seen.Failed != "" {
					t.Error(seen.Failed)
				}
			}
			goSession(t, f.front.url+"/"+server.name)
			total.compare(t, f.front.taken(), server.inner.taken(), hiddenThings)
		})
	}
	if total.left == 0 || total.refused == 0 {
		t.Error("nothing was hidden")
	}
	t.Logf("%d exchanges with %d messages: %d entries hidden, %d requests refused, everything else unchanged",
		total.exchanges, total.messages, total.left, total.refused)
}
