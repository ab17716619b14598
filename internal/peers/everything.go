package peers

import (
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// Everything starts npm's server-everything over Streamable HTTP, with sessions, and returns its host:port. Its endpoint
// is /mcp.
func Everything(t testing.TB) string {
	t.Helper()
	return everything(t, "streamableHttp")
}

// EverythingOverSSE is Everything over the HTTP+SSE transport of revision 2024-11-05. Its stream is at /sse.
func EverythingOverSSE(t testing.TB) string {
	t.Helper()
	return everything(t, "sse")
}

func everything(t testing.TB, transport string) string {
	t.Helper()
	script := filepath.Join(NPM(t), "node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js")
	for range 3 {
		port := FreePort(t)
		p := startIn(t, []string{"PORT=" + port}, Node(t), script, transport)
		address := net.JoinHostPort("localhost", port)
		if p.listens(address) {
			return address
		}
		p.stop()
	}
	t.Fatal("server-everything does not start")
	return ""
}

// listens waits until the process answers HTTP with anything at the address, and reports false if it ends or time runs
// out before that.
func (p *process) listens(address string) bool {
	client := &http.Client{Timeout: 5 * time.Second}
	deadline := time.After(startTimeout)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if response, err := client.Get("http://" + address + "/"); err == nil {
			_ = response.Body.Close()
			return true
		}
		select {
		case <-p.done:
			return false
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
}
