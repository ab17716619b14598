package peers

import (
	"net"
	"path/filepath"
	"testing"
)

// Supergateway starts npm's supergateway in front of npm's server-filesystem, which speaks stdio only, with the flags given
// and a free port, and returns its host:port. The server shows the directory.
func Supergateway(t testing.TB, directory string, flags ...string) string {
	t.Helper()
	modules := filepath.Join(NPM(t), "node_modules")
	server := Node(t) + " " + filepath.Join(modules, "@modelcontextprotocol", "server-filesystem", "dist", "index.js") + " " + directory
	for range 3 {
		port := FreePort(t)
		args := []string{filepath.Join(modules, "supergateway", "dist", "index.js"), "--stdio", server, "--port", port}
		p := start(t, Node(t), append(args, flags...)...)
		address := net.JoinHostPort("localhost", port)
		if p.listens(address) {
			return address
		}
		p.stop()
	}
	t.Fatal("supergateway does not start")
	return ""
}
