package main

import (
	"net"
	"net/http"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
)

// serveMCP serves an MCP server at /mcp on the loopback interface until the end of the test, in every revision, and returns
// its host:port.
func serveMCP(t testing.TB, server *mcp.Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", demo.Handler(server))
	running := &http.Server{Handler: mux}
	go func() { _ = running.Serve(listener) }()
	t.Cleanup(func() { _ = running.Close() })
	return listener.Addr().String()
}
