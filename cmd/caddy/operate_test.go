package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// TestOperatorsListAndRevokeByCommand has an operator look at what was granted, and end it.
func TestOperatorsListAndRevokeByCommand(t *testing.T) {
	g := startGateway(t, gatewayConfig{Policy: demoPolicy, Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground())})
	mcp := func(args ...string) (string, int) {
		t.Helper()
		return run(t, g.dir, append([]string{"mcp"}, append(args, "--address", g.admin)...)...)
	}
	a, b := mustSignIn(t, g.origin+"/mcp", alice, ""), mustSignIn(t, g.origin+"/mcp", leaving(bob, "echo"), "")
	a.tools(t)
	b.tools(t)

	var grants []struct {
		ID       string `json:"id"`
		ClientID string `json:"client_id"`
		Email    string `json:"email"`

		Narrowing *policy.Narrowing `json:"narrowing"`
	}
	out, status := mcp("grants", "list", "--json")
	if err := json.Unmarshal([]byte(out), &grants); err != nil || status != 0 || len(grants) != 2 {
		t.Fatalf("%v, status %d: %s", err, status, out)
	}
	for _, grant := range grants {
		if out, status := mcp("grants", "list"); status != 0 || !strings.Contains(out, grant.ID) || !strings.Contains(out, grant.Email) {
			t.Errorf("status %d: %s", status, out)
		}
		left := map[string]string{"alice@example.com": "everything that the role allows", "bob@example.com": "only the tool echo"}[grant.Email]
		if out, _ := mcp("grants", "list"); !strings.Contains(out, left) || (grant.Narrowing != nil) != (grant.Email == "bob@example.com") {
			t.Errorf("%s left %q, and says %+v: %s", grant.Email, left, grant.Narrowing, out)
		}
		if out, status := mcp("clients", "list"); status != 0 || !strings.Contains(out, grant.ClientID) || !strings.Contains(out, "registered") {
			t.Errorf("status %d: %s", status, out)
		}
		kind, id := "grants", grant.ID
		if grant.Email == "bob@example.com" {
			kind, id = "clients", grant.ClientID
		}
		if out, status := mcp(kind, "revoke", id); status != 0 || !strings.Contains(out, id+": revoked") {
			t.Errorf("status %d: %s", status, out)
		}
		if out, status := mcp(kind, "revoke", id, "--json"); status != 1 || !strings.Contains(out, "there is no such "+strings.TrimSuffix(kind, "s")) {
			t.Errorf("again: status %d: %s", status, out)
		}
	}
	if out, status := mcp("grants", "list", "--json"); status != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("status %d: %s", status, out)
	}
	if out, status := mcp("clients", "revoke", "https://vendor.example/a/client.json"); status != 1 || !strings.Contains(out, "there is no such client") {
		t.Errorf("status %d: %s", status, out)
	}
}
