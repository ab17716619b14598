package peers

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// EverythingAt starts npm's server-everything over Streamable HTTP on a port of localhost, with what a tool says of itself
// changed: change is what is replaced in its program, by turns with what by. It ends when stop is called, and at the end of the
// test at the latest; another can be started on the port then.
func EverythingAt(t testing.TB, port string, change ...string) (stop func()) {
	t.Helper()
	modules := filepath.Join(NPM(t), "node_modules")
	program := filepath.Join(modules, "@modelcontextprotocol", "server-everything")
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(program)); err != nil {
		t.Fatal(err)
	}
	// Node looks for what the program imports beside it.
	if err := os.Symlink(modules, filepath.Join(copied, "node_modules")); err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(copied, "dist", "tools", "echo.js")
	text, err := os.ReadFile(tool)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(string(text), change[i]) {
			t.Fatalf("server-everything's echo does not say %q", change[i])
		}
	}
	if err := os.WriteFile(tool, []byte(strings.NewReplacer(change...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startIn(t, []string{"PORT=" + port}, Node(t), filepath.Join(copied, "dist", "index.js"), "streamableHttp")
	if !p.listens(net.JoinHostPort("localhost", port)) {
		t.Fatalf("server-everything does not start:\n%s", p.out.tail())
	}
	return p.stop
}
