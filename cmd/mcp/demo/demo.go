// Package demo holds the MCP servers that `caddy mcp demo` puts behind the gateway. They know nothing of users, tokens or
// roles, like most MCP servers: whatever a person may not do here is kept from them by the gateway in front.
package demo

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// version is what both servers tell a client about themselves.
const version = "1.0.0"

// firstStateless is the first protocol revision without sessions. The SDK serves it from a stateless handler only.
const firstStateless = "2026-07-28"

// Handler serves one MCP server over Streamable HTTP in every revision the SDK knows: those with sessions, and from
// 2026-07-28 on those without. The revision is told by the MCP-Protocol-Version header, which clients of the stateless
// ones must send with every request.
func Handler(server *mcp.Server) http.Handler {
	same := func(*http.Request) *mcp.Server { return server }
	stateful := mcp.NewStreamableHTTPHandler(same, &mcp.StreamableHTTPOptions{SessionTimeout: time.Hour})
	stateless := mcp.NewStreamableHTTPHandler(same, &mcp.StreamableHTTPOptions{Stateless: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Revisions are dates, so they compare as text.
		if r.Header.Get("Mcp-Protocol-Version") >= firstStateless {
			stateless.ServeHTTP(w, r)
			return
		}
		stateful.ServeHTTP(w, r)
	})
}

// OldHandler serves one MCP server over the HTTP+SSE transport of revision 2024-11-05. A client that tries Streamable HTTP
// first is told by a status that all of them go by, where the SDK alone answers 400.
func OldHandler(server *mcp.Server) http.Handler {
	old := mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && !r.URL.Query().Has("sessionid") {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "This is where an event stream begins; use GET", http.StatusMethodNotAllowed)
			return
		}
		old.ServeHTTP(w, r)
	})
}

// Serve runs the playground server at /playground and, over HTTP+SSE, at /sse, and the notes server at /notes, on a free
// port of the loopback interface, and returns that port's address. It returns at once. shutdown ends it when no request is under way any more,
// or when its context ends.
func Serve(ctx context.Context) (address string, shutdown func(context.Context) error, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	playground := Playground()
	mux.Handle("/playground", Handler(playground))
	mux.Handle("/sse", OldHandler(playground))
	mux.Handle("/notes", Handler(Notes()))

	// Every request holds this for reading. Unlike http.Server's own Shutdown, taking it for writing does not wait for
	// connections that have been opened in advance and not used yet.
	var underWay sync.RWMutex
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		underWay.RLock()
		defer underWay.RUnlock()
		mux.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), func(ctx context.Context) error {
		idle := make(chan struct{})
		go func() {
			underWay.Lock() // for good: nothing begins any more
			close(idle)
		}()
		select {
		case <-idle:
		case <-ctx.Done():
		}
		return server.Close()
	}, nil
}

// text is a tool's answer of plain text.
func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}
