package main

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
)

// grace is the grace period of the gateways that are stopped and reloaded here.
const grace = 5 * time.Second

// slowServer is the playground with a tool that answers only when the test lets it.
func slowServer(release <-chan struct{}, called chan<- struct{}) *mcp.Server {
	server := demo.Playground()
	mcp.AddTool(server, &mcp.Tool{Name: "wait", Description: "Waits."}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		called <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "waited"}}}, nil, nil
	})
	return server
}

const slowPolicy = `role admin {
				allow mcp tools echo wait
			}
			role member {
				allow mcp tools echo
			}
			permission image_generation {
				allow mcp tools generateImage
			}`

// TestACallMayTakeLongerThanItsCallerIsTakenOnTrust holds that who calls is looked up again while a call is under way, and
// found, though the request that goes on has no token any more.
func TestACallMayTakeLongerThanItsCallerIsTakenOnTrust(t *testing.T) {
	release, called := make(chan struct{}), make(chan struct{}, 1)
	g := startGateway(t, gatewayConfig{Policy: slowPolicy, Mounts: "mcp_gateway /mcp " + serveMCP(t, slowServer(release, called))})
	for _, revision := range revisions {
		t.Run(revision, func(t *testing.T) {
			a := mustSignIn(t, g.origin+"/mcp", alice, revision)
			go func() {
				<-called
				<-time.After(1500 * time.Millisecond)
				release <- struct{}{}
			}()
			if got := text(a.call(t, "wait", noArguments)); got != "waited" {
				t.Errorf("answered %q", got)
			}
		})
	}
}

// TestReloadAndStopWithOpenStreams reloads and then stops a gateway on which streams are open and a call is under way:
// the streams end within the grace period, the calls finish, and neither command hangs.
func TestReloadAndStopWithOpenStreams(t *testing.T) {
	release, called := make(chan struct{}), make(chan struct{}, 1)
	g := startGateway(t, gatewayConfig{
		Global: "grace_period 5s",
		Policy: slowPolicy,
		Mounts: "mcp_gateway /mcp " + serveMCP(t, slowServer(release, called)),
	})
	const streams = 20
	for _, c := range []struct {
		name  string
		apply func(t *testing.T) (out string, status int)
		ends  bool // whether the process does, too
	}{
		{"reload", func(t *testing.T) (string, int) {
			g.config.Options = "refresh_grace 3m" // any change will do
			g.write()
			return run(t, g.dir, "reload", "--config", g.caddyfile(), "--adapter", "caddyfile", "--address", g.admin)
		}, false},
		{"stop", func(t *testing.T) (string, int) { return run(t, g.dir, "stop", "--address", g.admin) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := mustSignIn(t, g.origin+"/mcp", alice, "2025-11-25")
			open := openStreams(t, g, a, streams)
			answer := make(chan *mcp.CallToolResult, 1)
			go func() {
				result, err := a.CallTool(context.WithoutCancel(t.Context()), &mcp.CallToolParams{Name: "wait", Arguments: noArguments})
				if err != nil {
					t.Errorf("the call under way: %v", err)
				}
				answer <- result
			}()
			<-called

			start := time.Now()
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				if out, status := c.apply(t); status != 0 {
					t.Errorf("exit status %d:\n%s", status, out)
				}
			}()
			select {
			case <-open.ended:
			case <-time.After(2 * grace):
				t.Fatalf("%d of %d streams are open %v later", open.open.Load(), streams, 2*grace)
			}
			if took := time.Since(start); took > grace {
				t.Errorf("streams took %v to end, the grace period is %v", took, grace)
			}
			// The call was under way all the time, and nobody has cut it off.
			release <- struct{}{}
			if result := <-answer; result != nil && text(result) != "waited" {
				t.Errorf("the call under way answered %q", text(result))
			}
			<-finished
			if !c.ends {
				// A server that shuts down closes idle connections, and a request that is sent on one in that moment is
				// lost. That is so with every server, and not what is looked at here.
				http.DefaultClient.CloseIdleConnections()
				if got, want := a.tools(t), []string{"echo", "generateImage", "wait"}; !slices.Equal(got, want) {
					t.Errorf("afterwards alice sees %v, want %v", got, want)
				}
				return
			}
			select {
			case <-g.done:
			case <-time.After(2 * grace):
				t.Fatal("caddy is still running")
			}
			if g.err != nil {
				t.Errorf("caddy ended with %v", g.err)
			}
			if took := time.Since(start); took > 2*grace {
				t.Errorf("it took %v to stop", took)
			}
		})
	}
}

// readers read GET streams until they end.
type readers struct {
	ended chan struct{} // closed when all have
	open  atomic.Int64
}

// openStreams opens sessions of the agent's person and a GET stream for each.
func openStreams(t *testing.T, g *gateway, a *agent, count int) *readers {
	t.Helper()
	token := a.tokens.all[len(a.tokens.all)-1].AccessToken
	all := &readers{ended: make(chan struct{})}
	var wait sync.WaitGroup
	for range count {
		hello := post(t, g, token, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
		_ = hello.Body.Close()
		request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, g.origin+"/mcp", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Accept", "text/event-stream")
		request.Header.Set("Mcp-Session-Id", hello.Header.Get("Mcp-Session-Id"))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK {
			t.Fatalf("a GET stream was answered with %s", response.Status)
		}
		all.open.Add(1)
		wait.Go(func() {
			defer response.Body.Close()
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Errorf("a stream was torn: %v", err)
			}
			all.open.Add(-1)
		})
	}
	go func() {
		wait.Wait()
		close(all.ended)
	}()
	return all
}
