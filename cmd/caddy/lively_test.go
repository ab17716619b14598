//lint:file-ignore SA1019 What a revision deprecates, clients and servers of older ones go on using.

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// statelessRevision is the first protocol revision without sessions.
const statelessRevision = "2026-07-28"

// lively serves a server that does everything during a call that a server may, in every revision, and returns its
// host:port.
func lively(t *testing.T) string {
	t.Helper()
	cancelled := make(chan struct{}, 1)
	server := mcp.NewServer(&mcp.Implementation{Name: "lively", Version: "1"}, nil)
	add := func(name string, run func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error)) {
		mcp.AddTool(server, &mcp.Tool{Name: name, Description: "Does it."}, func(ctx context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			result, err := run(ctx, r)
			return result, nil, err
		})
	}
	progress := func(ctx context.Context, r *mcp.CallToolRequest, at int) error {
		return r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: float64(at)})
	}
	said := func(text string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
	}
	add("count", func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for at := range 3 {
			if err := progress(ctx, r, at+1); err != nil {
				return nil, err
			}
		}
		return said("counted"), nil
	})
	add("hang", func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if err := progress(ctx, r, 1); err != nil {
			return nil, err
		}
		<-ctx.Done()
		cancelled <- struct{}{}
		return nil, ctx.Err()
	})
	add("cancelled", func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		select {
		case <-cancelled:
			return said("the call before was cancelled"), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	add("drop", func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		// What is sent while nobody listens must come when somebody does again.
		if err := progress(ctx, r, 1); err != nil {
			return nil, err
		}
		r.Extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: 10 * time.Millisecond})
		if err := progress(ctx, r, 2); err != nil {
			return nil, err
		}
		return said("resumed"), nil
	})
	add("ask", func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		elicit := &mcp.ElicitParams{Message: "name?", RequestedSchema: map[string]any{
			"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}},
		}}
		sample := &mcp.CreateMessageParams{MaxTokens: 1, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "greet"}}}}
		if r.Extra.Header.Get("Mcp-Protocol-Version") < statelessRevision {
			asked, err := r.Session.Elicit(ctx, elicit)
			if err != nil {
				return nil, err
			}
			sampled, err := r.Session.CreateMessage(ctx, sample)
			if err != nil {
				return nil, err
			}
			return said(asked.Content["name"].(string) + ", " + sampled.Content.(*mcp.TextContent).Text), nil
		}
		asked, _ := r.Params.InputResponses["name"].(*mcp.ElicitResult)
		sampled, _ := r.Params.InputResponses["greeting"].(*mcp.CreateMessageWithToolsResult)
		if asked == nil || sampled == nil || r.Params.RequestState != "asked" {
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"name": elicit, "greeting": sample}, RequestState: "asked"}, nil
		}
		return said(asked.Content["name"].(string) + ", " + sampled.Content[0].(*mcp.TextContent).Text), nil
	})

	same := func(*http.Request) *mcp.Server { return server }
	stateful := mcp.NewStreamableHTTPHandler(same, &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)})
	stateless := mcp.NewStreamableHTTPHandler(same, &mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true})
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// TestTypeScriptClientsTalkWithServersThroughTheGateway has both TypeScript SDKs be told of progress, be asked for samples
// and by elicitation, have a stream that was closed resumed, and cancel, in every revision that they speak.
func TestTypeScriptClientsTalkWithServersThroughTheGateway(t *testing.T) {
	f := startFronted(t, openPolicy, map[string]string{"/mcp": lively(t)})
	steps := func(names ...string) (all []peers.Step) {
		for _, name := range names {
			all = append(all, peers.Step{Method: "callTool", Params: map[string]any{"name": name, "arguments": noArguments}, Cancel: name == "hang"})
		}
		return all
	}
	var sessions []peers.Session
	for _, sdk := range []string{"v1", "v2"} {
		for _, revision := range revisions {
			s := peers.Session{SDK: sdk, URL: f.front.url + "/mcp", Revision: revision}
			switch {
			case revision < "2025-06-18":
				s.Steps = steps("count", "hang", "cancelled") // it has no elicitation
			case revision < "2025-11-25":
				s.Steps = steps("count", "ask", "hang", "cancelled") // servers do not close streams
			case revision < statelessRevision:
				s.Steps = steps("count", "ask", "drop", "hang", "cancelled")
			case sdk == "v1":
				continue // it knows no later ones
			default:
				s.Steps = steps("count", "ask", "hang", "cancelled") // streams are not resumed any more
			}
			sessions = append(sessions, s)
		}
	}
	want := map[string]struct {
		progress int // at least
		text     string
	}{"count": {3, "counted"}, "ask": {0, "n, sampled"}, "drop": {2, "resumed"}, "cancelled": {0, "the call before was cancelled"}}
	for i, seen := range peers.Sessions(t, t.TempDir(), sessions...) {
		t.Run(sessions[i].SDK+"/"+sessions[i].Revision, func(t *testing.T) {
			if seen.Failed != "" || seen.Revision != sessions[i].Revision {
				t.Fatalf("connected in revision %q: %s", seen.Revision, seen.Failed)
			}
			for _, outcome := range seen.Outcomes {
				if outcome.Name == "hang" {
					if outcome.Progress != 1 || outcome.Result != nil {
						t.Errorf("a call that was cancelled: %+v", outcome)
					}
					continue
				}
				w := want[outcome.Name]
				if outcome.Progress < w.progress || !strings.Contains(string(outcome.Result), `"`+w.text+`"`) {
					t.Errorf("%s: progress %d, %s%s, want %+v", outcome.Name, outcome.Progress, outcome.Failed, outcome.Result, w)
				}
			}
		})
	}
}
