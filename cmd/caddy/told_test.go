//lint:file-ignore SA1019 What a revision deprecates, clients and servers of older ones go on using.

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// toldPolicies are those between which the gateway of the test changes: the second takes a tool away.
var toldPolicies = [...]string{
	"role admin {\n\t\t\t\tallow mcp tools change kept secret\n\t\t\t}",
	"role admin {\n\t\t\t\tallow mcp tools change kept\n\t\t\t}",
}

// toldTools are what is seen under each.
var toldTools = [...][]string{{"change", "kept", "secret"}, {"change", "kept"}}

// unchanging serves a server whose tools never change. Its tool change asks for another policy, once the client has a
// stream open.
func unchanging(t *testing.T, change chan<- struct{}) string {
	t.Helper()
	open := make(chan struct{}, 16)
	make := func(capabilities *mcp.ServerCapabilities) *mcp.Server {
		server := mcp.NewServer(&mcp.Implementation{Name: "changing", Version: "1"}, &mcp.ServerOptions{Capabilities: capabilities})
		for _, name := range []string{"kept", "secret", "change"} {
			mcp.AddTool(server, &mcp.Tool{Name: name}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				if name == "change" {
					select {
					case <-open:
						change <- struct{}{}
					case <-ctx.Done():
						return nil, nil, ctx.Err()
					}
				}
				return &mcp.CallToolResult{}, nil, nil
			})
		}
		return server
	}
	// In earlier revisions the gateway offers to tell of changes where the server does not. In 2026-07-28 clients must have
	// been offered a subscription by the server.
	silent, offering := make(&mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}}), make(nil)
	stateful := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return silent }, nil)
	stateless := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return offering }, &mcp.StreamableHTTPOptions{Stateless: true})
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Header.Get("Mcp-Method") == "subscriptions/listen" {
			open <- struct{}{}
		}
		if r.Header.Get("Mcp-Protocol-Version") >= statelessRevision {
			stateless.ServeHTTP(w, r)
			return
		}
		stateful.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		running.CloseClientConnections()
		running.Close()
	})
	return strings.TrimPrefix(running.URL, "http://")
}

// toldByReloads runs a gateway that changes its policy whenever the tool change is called, until the test ends.
func toldByReloads(t *testing.T) *fronted {
	change := make(chan struct{})
	f := startFronted(t, toldPolicies[0], map[string]string{"/mcp": unchanging(t, change)})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for now := 1; ; now++ {
			select {
			case <-change:
			case <-t.Context().Done():
				return
			}
			f.config.Policy = toldPolicies[now%len(toldPolicies)]
			f.write()
			if out, status := run(t, f.dir, "reload", "--config", f.caddyfile(), "--adapter", "caddyfile", "--address", f.admin); status != 0 && t.Context().Err() == nil {
				t.Errorf("exit status %d:\n%s", status, out)
			}
		}
	}()
	t.Cleanup(func() { <-done })
	return f
}

// TestTypeScriptClientsAreToldOfAChangedPolicy has both TypeScript SDKs be told that their tools changed, list them by
// themselves, and see what the new policy shows.
func TestTypeScriptClientsAreToldOfAChangedPolicy(t *testing.T) {
	f := toldByReloads(t)
	var sessions []peers.Session
	for _, sdk := range []string{"v1", "v2"} {
		for _, revision := range revisions {
			if sdk == "v1" && revision == statelessRevision {
				continue // it does not have it
			}
			sessions = append(sessions, peers.Session{SDK: sdk, URL: f.front.url + "/mcp", Revision: revision, Steps: []peers.Step{
				{Method: "listTools"}, {Method: "callTool", Params: map[string]any{"name": "change", "arguments": noArguments}}, {Method: "told"},
			}})
		}
	}
	for i, seen := range peers.Sessions(t, t.TempDir(), sessions...) {
		t.Run(sessions[i].SDK+"/"+sessions[i].Revision, func(t *testing.T) {
			if seen.Failed != "" || seen.Revision != sessions[i].Revision || len(seen.Outcomes) != 3 {
				t.Fatalf("%+v", seen)
			}
			for step, want := range map[int][]string{0: toldTools[i%2], 2: toldTools[(i+1)%2]} {
				var list struct{ Tools []struct{ Name string } }
				if err := json.Unmarshal(seen.Outcomes[step].Result, &list); err != nil {
					t.Fatalf("%s: %s, %v", seen.Outcomes[step].Method, seen.Outcomes[step].Failed, err)
				}
				var got []string
				for _, tool := range list.Tools {
					got = append(got, tool.Name)
				}
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", seen.Outcomes[step].Method, got, want)
				}
			}
		})
	}
}

// TestTheGoClientIsToldOfAChangedPolicy is the same for the Go SDK.
func TestTheGoClientIsToldOfAChangedPolicy(t *testing.T) {
	f := toldByReloads(t)
	for i, revision := range revisions {
		t.Run(revision, func(t *testing.T) {
			told := make(chan struct{}, 16)
			client := mcp.NewClient(&mcp.Implementation{Name: "go", Version: "1"}, &mcp.ClientOptions{
				ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { told <- struct{}{} },
			})
			session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: f.front.url + "/mcp"}, &mcp.ClientSessionOptions{ProtocolVersion: revision})
			if err != nil {
				t.Fatal(err)
			}
			a := &agent{ClientSession: session}
			if got := a.tools(t); !slices.Equal(got, toldTools[i%2]) {
				t.Errorf("at first %v, want %v", got, toldTools[i%2])
			}
			a.call(t, "change", noArguments)
			select {
			case <-told:
			case <-time.After(startTimeout):
				t.Fatal("it is not told")
			}
			if got := a.tools(t); !slices.Equal(got, toldTools[(i+1)%2]) {
				t.Errorf("then %v, want %v", got, toldTools[(i+1)%2])
			}
			_ = session.Close() // the stream that it may have opened meanwhile ends with it
		})
	}
}
