package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
)

// The streams are told of these. The reload takes the secret ones away.
const (
	secretBefore = "docs://secret/before"
	secretAfter  = "docs://secret/after"
	keptAfter    = "docs://kept/after"
)

// watchedServer is a server with a tool to keep and one to take away, that tells of resources.
func watchedServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "watched", Version: "1"}, &mcp.ServerOptions{
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	for _, name := range []string{"kept", "secret"} {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{}, nil, nil
		})
	}
	return server
}

// watchPolicy allows everything that is watched, or all but the secrets.
func watchPolicy(secrets bool) string {
	allowed := []string{"allow mcp tools kept", "allow mcp resources docs://kept/*"}
	if secrets {
		allowed = append(allowed, "allow mcp tools secret", "allow mcp resources docs://secret/*")
	}
	return "role admin {\n\t\t\t\t" + strings.Join(allowed, "\n\t\t\t\t") + "\n\t\t\t}"
}

// watcher is one client with a session.
type watcher struct {
	watch   *watch
	session string
}

// watch is a number of clients that watch a server through a gateway.
type watch struct {
	t      *testing.T
	g      *gateway
	token  string
	client *http.Client
	all    []*watcher

	open atomic.Int64 // streams
	told sync.Map     // URI to how many streams were told of it: *atomic.Int64
	done sync.WaitGroup
}

// request sends a request as one of the clients.
func (w *watcher) request(ctx context.Context, method, body string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, w.watch.g.origin+"/mcp", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+w.watch.token)
	request.Header.Set("Accept", "application/json, text/event-stream")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if w.session != "" {
		request.Header.Set("Mcp-Session-Id", w.session)
	}
	return w.watch.client.Do(request)
}

// say sends a message and reads its answer to the end.
func (w *watcher) say(body string) (http.Header, error) {
	response, err := w.request(w.watch.t.Context(), http.MethodPost, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s answers %s", body, response.Status)
	}
	return response.Header, nil
}

// begin opens a session and watches.
func (w *watcher) begin() error {
	header, err := w.say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	if err != nil {
		return err
	}
	w.session = header.Get("Mcp-Session-Id")
	if _, err := w.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); err != nil {
		return err
	}
	for _, uri := range []string{secretBefore, secretAfter, keptAfter} {
		if _, err := w.say(`{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"` + uri + `"}}`); err != nil {
			return err
		}
	}
	return nil
}

// listen opens the client's stream, and counts what it is told until it ends.
func (w *watcher) listen(ctx context.Context) error {
	response, err := w.request(ctx, http.MethodGet, "")
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return fmt.Errorf("a stream is answered %s", response.Status)
	}
	w.watch.open.Add(1)
	w.watch.done.Go(func() {
		defer response.Body.Close()
		defer w.watch.open.Add(-1)
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			for _, uri := range []string{secretBefore, secretAfter, keptAfter} {
				if strings.Contains(lines.Text(), uri) {
					w.watch.count(uri).Add(1)
				}
			}
		}
	})
	return nil
}

// lacks reports whether the client's list of tools has come, and is without this one.
func (w *watcher) lacks(tool string) bool {
	response, err := w.request(w.watch.t.Context(), http.MethodPost, `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	list, err := io.ReadAll(response.Body)
	return err == nil && strings.Contains(string(list), `"name":"kept"`) && !strings.Contains(string(list), `"name":"`+tool+`"`)
}

// count is how often streams were told of a resource.
func (w *watch) count(uri string) *atomic.Int64 {
	n, _ := w.told.LoadOrStore(uri, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// each does something with every client, some at a time.
func (w *watch) each(do func(*watcher) error) {
	w.t.Helper()
	var next, failed atomic.Int64
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for i := next.Add(1); i <= int64(len(w.all)); i = next.Add(1) {
				if err := do(w.all[i-1]); err != nil && failed.Add(1) == 1 {
					w.t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := failed.Load(); n > 0 {
		w.t.Fatalf("%d of %d clients failed", n, len(w.all))
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(startTimeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, startTimeout)
		}
	}
}

// holds is how many goroutines and descriptors the gateway's process has.
func (g *gateway) holds(t *testing.T) (goroutines, descriptors int) {
	t.Helper()
	response, err := http.Get("http://" + g.admin + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := fmt.Fscanf(response.Body, "goroutine profile: total %d\n", &goroutines); err != nil {
		t.Fatal(err)
	}
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.cmd.Process.Pid)); err == nil { // Linux alone has it
		descriptors = len(open)
	}
	return goroutines, descriptors
}

// steady is what the process holds once that has been the same for a while.
func (g *gateway) steady(t *testing.T) (goroutines, descriptors int) {
	t.Helper()
	same := 0
	eventually(t, "the process comes to rest", func() bool {
		nowGoroutines, nowDescriptors := g.holds(t)
		if same++; nowGoroutines != goroutines || nowDescriptors != descriptors {
			same = 0
		}
		goroutines, descriptors = nowGoroutines, nowDescriptors
		return same == 10
	})
	return goroutines, descriptors
}

// TestThousandStreamsThroughAReload has a thousand streams open while a reload takes away a tool and what they watch: from
// the moment that the new policy holds for anyone, no stream, old or new, tells of what it hides; every old stream ends;
// and when the clients have gone, the process holds no more than before they came.
func TestThousandStreamsThroughAReload(t *testing.T) {
	server := watchedServer()
	running := httptest.NewServer(demo.Handler(server))
	t.Cleanup(func() {
		running.CloseClientConnections()
		running.Close()
	})
	g := startGateway(t, gatewayConfig{
		Identity: onlyAlice(t), Clients: machineClients, Global: "grace_period 5s",
		Policy: watchPolicy(true), Mounts: "mcp_gateway /mcp " + strings.TrimPrefix(running.URL, "http://"),
	})
	w := &watch{t: t, g: g, token: g.machineToken(t, g.origin+"/mcp"), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	reload := func(secrets bool) {
		g.config.Policy = watchPolicy(secrets)
		g.write()
		if out, status := run(t, g.dir, "reload", "--config", g.caddyfile(), "--adapter", "caddyfile", "--address", g.admin); status != 0 {
			t.Errorf("exit status %d:\n%s", status, out)
		}
	}
	tell := func(uri string) {
		if err := server.ResourceUpdated(t.Context(), &mcp.ResourceUpdatedNotificationParams{URI: uri}); err != nil {
			t.Error(err)
		}
	}
	round := func(streams int) {
		w.all = nil
		w.told.Clear()
		for range streams {
			w.all = append(w.all, &watcher{watch: w})
		}
		listening, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		w.each((*watcher).begin)
		w.each(func(c *watcher) error { return c.listen(listening) })
		tell(secretBefore)
		eventually(t, "every stream is told before", func() bool { return w.count(secretBefore).Load() == int64(streams) })

		reloaded := make(chan struct{})
		go func() {
			defer close(reloaded)
			reload(false)
		}()
		eventually(t, "the tool is taken away", func() bool { return w.all[0].lacks("secret") })
		old := w.open.Load()
		tell(secretAfter)
		tell(keptAfter)
		w.done.Wait()
		<-reloaded
		t.Logf("%d streams: %d were open when the policy changed, and %d of them were told of what is still allowed", streams, old, w.count(keptAfter).Load())

		w.count(keptAfter).Store(0)
		w.each(func(c *watcher) error { return c.listen(listening) })
		tell(secretAfter)
		tell(keptAfter)
		eventually(t, "every new stream is told", func() bool { return w.count(keptAfter).Load() >= int64(streams) })
		if n := w.count(secretAfter).Load(); n != 0 {
			t.Errorf("%d streams told of what the policy hides", n)
		}
		hangUp()
		w.done.Wait()
		w.each(func(c *watcher) error {
			response, err := c.request(t.Context(), http.MethodDelete, "")
			if err == nil {
				err = response.Body.Close()
			}
			return err
		})
		// What is kept for the next request is no leak, and must not be counted as one.
		w.client.CloseIdleConnections()
		running.Config.SetKeepAlivesEnabled(false)
		running.Config.SetKeepAlivesEnabled(true)
	}
	// A few first, since some of what a process holds comes with the first use.
	const few, many, slack = 40, 1000, 10
	round(few)
	reload(true)
	goroutines, descriptors := g.steady(t)
	round(many)
	reload(true)
	var now, open int
	eventually(t, "goroutines and descriptors are given back", func() bool {
		now, open = g.holds(t)
		return now <= goroutines+slack && open <= descriptors+slack
	})
	t.Logf("after %d streams: %d goroutines and %d descriptors; after %d: %d and %d", few, goroutines, descriptors, many, now, open)
}
