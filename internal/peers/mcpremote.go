package peers

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// MCPRemote returns the command that runs npm's mcp-remote for a server: an MCP server on its standard input and output
// that signs in to the real one and passes everything on. Whatever page it wants opened comes out of the desktop. It
// speaks Streamable HTTP unless a flag says otherwise: of two that say something, it takes the first.
func MCPRemote(t testing.TB, desktop *Desktop, server string, flags ...string) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	script := filepath.Join(NPM(t), "node_modules", "mcp-remote", "dist", "proxy.js")
	cmd := exec.CommandContext(t.Context(), Node(t), slices.Concat([]string{script, server}, flags, []string{"--transport", "http-only"})...)
	cmd.Dir = home
	cmd.Env = append(desktop.Env(), "HOME="+home, "MCP_REMOTE_CONFIG_DIR="+home)
	return cmd
}
