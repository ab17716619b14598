package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestXcaddyBuild builds Caddy with the plugin as its users do, by the makefile's own command.
func TestXcaddyBuild(t *testing.T) {
	caddy := filepath.Join(t.TempDir(), "caddy")
	build := exec.CommandContext(t.Context(), "make", "-f", "xcaddy.mk", "xcaddy", "CADDY="+caddy)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"list-modules"}, []string{
			"mcp_gateway", "http.handlers.mcp_gateway", "mcp_gateway.identity.workos", "mcp_gateway.identity.local",
			"mcp_gateway.stores.caddy", "mcp_gateway.credentials.static", "mcp_gateway.audit.log",
		}},
		{[]string{"mcp", "--help"}, []string{"demo", "policy"}},
	} {
		out, err := exec.CommandContext(t.Context(), caddy, c.args...).Output()
		if err != nil {
			t.Errorf("caddy %v: %v", c.args, err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("caddy %v does not print %s:\n%s", c.args, want, out)
			}
		}
	}
}
