//lint:file-ignore SA1019 What a revision deprecates, clients and servers of older ones go on using.

package guard

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// sdkServer is an honest server of the Go SDK with shown and hidden things.
func sdkServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, &mcp.ServerOptions{
		PageSize:           2,
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{"v"}}}, nil
		},
	})
	type in struct {
		Text string `json:"text"`
	}
	for _, name := range []string{"hidden_a", "hidden_b", "hidden_vault", "shown_a", "shown_b", "shown_c", "echo"} {
		mcp.AddTool(s, &mcp.Tool{Name: name, Description: "d"}, func(ctx context.Context, r *mcp.CallToolRequest, args in) (*mcp.CallToolResult, any, error) {
			if t := r.Params.GetProgressToken(); t != nil {
				_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: t, Progress: 1})
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name + " says " + args.Text}}}, nil, nil
		})
	}
	s.AddTool(&mcp.Tool{Name: "shown_plain", InputSchema: json.RawMessage(`{"type":"object","properties":{"tenant":{"type":"string","x-mcp-header":"tenant_id"}}}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "shown_ask"}, func(ctx context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		asked, err := r.Session.Elicit(ctx, &mcp.ElicitParams{Message: "name?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}}})
		if err != nil {
			return nil, nil, err
		}
		sampled, err := r.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 1})
		if err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: asked.Action + ", " + sampled.Content.(*mcp.TextContent).Text}}}, nil, nil
	})
	for _, name := range []string{"shown_p", "shown_é", "hidden_p"} {
		s.AddPrompt(&mcp.Prompt{Name: name}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "hello"}}}}, nil
		})
	}
	read := func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, Text: "text"}}}, nil
	}
	for _, host := range []string{"shown", "hidden_vault"} {
		s.AddResource(&mcp.Resource{URI: "docs://" + host + "/a", Name: "a"}, read)
		s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "docs://" + host + "/{x}", Name: "t"}, read)
	}
	return s
}

// TestTheGoSDKWorksThroughTheGuard runs honest clients against honest servers in
// every mode of the Go SDK.
func TestTheGoSDKWorksThroughTheGuard(t *testing.T) {
	for name, opts := range map[string]mcp.StreamableHTTPOptions{
		"stateful SSE":       {},
		"stateful JSON":      {JSONResponse: true},
		"stateful resumable": {EventStore: mcp.NewMemoryEventStore(nil)},
		"stateless SSE":      {Stateless: true},
		"stateless JSON":     {Stateless: true, JSONResponse: true},
	} {
		for _, rev := range append([]string{""}, allRevisions...) {
			t.Run(name+"/"+rev, func(t *testing.T) {
				server := sdkServer()
				handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &opts)
				g := newRig(t, handler.ServeHTTP)
				converse(t, g, server, &mcp.StreamableClientTransport{Endpoint: g.front.URL}, rev, &opts)
			})
		}
	}
}

// converse has an honest client do what clients do, and checks that nothing hidden went on. opts are the server's.
func converse(t *testing.T, g *rig, server *mcp.Server, transport mcp.Transport, rev string, opts *mcp.StreamableHTTPOptions) {
	t.Helper()
	progressed := make(chan struct{}, 99)
	changed, updated := make(chan struct{}, 9), make(chan string, 9)
	client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { progressed <- struct{}{} },
		ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
		ResourceUpdatedHandler:      func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { updated <- r.Params.URI },
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "n"}}, nil
		},
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "sampled"}}, nil
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var session *mcp.ClientSessionOptions
	if rev != "" {
		session = &mcp.ClientSessionOptions{ProtocolVersion: rev}
	}
	cs, err := client.Connect(ctx, transport, session)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	use(t, ctx, cs)
	if !opts.JSONResponse {
		wait(t, ctx, "progress", progressed) // the SDK may hand it over behind the answer
	}
	if !opts.Stateless {
		// The server asks back on the stream of the call.
		res, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "shown_ask"})
		if err != nil || res.IsError || res.Content[0].(*mcp.TextContent).Text != "accept, sampled" {
			t.Errorf("asking back: %v, %v", res, err)
		}
	}
	if !opts.Stateless || isModern(rev) {
		// And it tells on a stream of its own, of which opening it is all that
		// a client of 2026-07-28 waits for.
		for _, uri := range []string{"docs://shown/a", "docs://hidden_vault/a"} {
			if err := cs.Subscribe(ctx, &mcp.SubscribeParams{URI: uri}); (err == nil) != (uri == "docs://shown/a") && !isModern(rev) {
				t.Errorf("subscribing to %s: %v", uri, err)
			}
		}
		_ = server.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "docs://shown/a"})
		wait(t, ctx, "the update", updated)
		server.AddTool(&mcp.Tool{Name: "shown_new", InputSchema: map[string]any{"type": "object"}}, nil)
		wait(t, ctx, "the change", changed)
	}
	for _, r := range g.received() {
		if runsHidden(r) {
			t.Errorf("it went on: %s", r.body)
		}
	}
}

// wait waits for something to arrive at the client.
func wait[T any](t *testing.T, ctx context.Context, what string, c <-chan T) {
	t.Helper()
	select {
	case <-c:
	case <-ctx.Done():
		t.Errorf("%s did not arrive", what)
	}
}

// use does what clients do.
func use(t *testing.T, ctx context.Context, cs *mcp.ClientSession) {
	t.Helper()
	var names []string
	for tool, err := range cs.Tools(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, tool.Name)
	}
	if want := []string{"echo", "shown_a", "shown_ask", "shown_b", "shown_c", "shown_plain"}; !slices.Equal(names, want) {
		t.Errorf("tools %q", names)
	}
	names = nil
	for p, err := range cs.Prompts(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, p.Name)
	}
	for r, err := range cs.Resources(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, r.URI)
	}
	for r, err := range cs.ResourceTemplates(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, r.URITemplate)
	}
	if want := []string{"shown_p", "shown_é", "docs://shown/a", "docs://shown/{x}"}; !slices.Equal(names, want) {
		t.Errorf("prompts and resources %q", names)
	}
	var none map[string]any // sent as null
	if res, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "shown_plain", Arguments: none}); err != nil || res.IsError {
		t.Errorf("call without arguments: %v, %v", res, err)
	}
	if res, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "shown_plain", Arguments: map[string]any{"tenant": "acme"}}); err != nil || res.IsError {
		t.Errorf("call with a header of its own: %v, %v", res, err)
	}
	call := &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "é"}}
	call.SetProgressToken("token")
	res, err := cs.CallTool(ctx, call)
	if err != nil || res.Content[0].(*mcp.TextContent).Text != "echo says é" {
		t.Errorf("call: %v, %v", res, err)
	}
	if _, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "hidden_vault", Arguments: map[string]any{"text": "a"}}); err == nil || !strings.Contains(err.Error(), "Unknown tool: hidden_vault") {
		t.Errorf("hidden call: %v", err)
	}
	for _, name := range []string{"shown_p", "shown_é"} { // which it sends as it is in Mcp-Name
		if _, err := cs.GetPrompt(ctx, &mcp.GetPromptParams{Name: name}); err != nil {
			t.Errorf("prompt %s: %v", name, err)
		}
	}
	if _, err := cs.GetPrompt(ctx, &mcp.GetPromptParams{Name: "hidden_p"}); err == nil {
		t.Error("a hidden prompt")
	}
	if _, err := cs.ReadResource(ctx, &mcp.ReadResourceParams{URI: "docs://shown/b"}); err != nil {
		t.Errorf("resource: %v", err)
	}
	if _, err := cs.ReadResource(ctx, &mcp.ReadResourceParams{URI: "docs://hidden_vault/a"}); err == nil {
		t.Error("a hidden resource")
	}
	if _, err := cs.Complete(ctx, &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "shown_p"}, Argument: mcp.CompleteParamsArgument{Name: "a", Value: "b"}}); err != nil {
		t.Errorf("completion: %v", err)
	}
}
