package peers

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Inspector returns the command that runs the CLI of npm's MCP Inspector, as `npx @modelcontextprotocol/inspector --cli`
// would. Whatever page it wants opened comes out of the desktop; what it remembers lies in home.
func Inspector(t testing.TB, desktop *Desktop, home string, args ...string) *exec.Cmd {
	t.Helper()
	script := filepath.Join(NPM(t), "node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	cmd := exec.CommandContext(t.Context(), Node(t), append([]string{script, "--cli"}, args...)...)
	cmd.Dir = home
	// It opens pages only for someone at a terminal, unless told that there is someone all the same.
	cmd.Env = append(desktop.Env(), "HOME="+home, "MCP_AUTO_OPEN_ENABLED=true")
	return cmd
}
