package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit/workos"
)

// auditLogs is WorkOS Audit Logs, as its SDK sees it. (The emulator takes events only in a form that WorkOS itself does not.)
type auditLogs struct {
	mu    sync.Mutex
	up    bool
	tools map[string]string // the tool of each call that arrived, by idempotency key
}

func (a *auditLogs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.up {
		http.Error(w, `{"message":"down"}`, http.StatusServiceUnavailable)
		return
	}
	var body struct {
		Event struct {
			Action   string         `json:"action"`
			Metadata map[string]any `json:"metadata"`
		} `json:"event"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/audit_logs/events" || r.Header.Get("Authorization") == "" {
		http.Error(w, `{"message":"not an event"}`, http.StatusBadRequest)
		return
	}
	if body.Event.Action == "mcp.tool.call" {
		a.tools[r.Header.Get("Idempotency-Key")], _ = body.Event.Metadata["tool"].(string)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(`{"success":true}`))
}

// set turns it on or off.
func (a *auditLogs) set(up bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.up = up
}

// calls returns the tools that were called, sorted, as far as it knows.
func (a *auditLogs) calls() (tools []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, tool := range a.tools {
		tools = append(tools, tool)
	}
	slices.Sort(tools)
	return tools
}

// TestAuditRecordsReachWorkOSOverAnOutageAndACrash makes calls while WorkOS Audit Logs is down, kills the gateway, and has the next one
// send what the first could not.
func TestAuditRecordsReachWorkOSOverAnOutageAndACrash(t *testing.T) {
	logs := &auditLogs{tools: make(map[string]string)}
	api := httptest.NewServer(logs)
	t.Cleanup(api.Close)
	emulator := emulate(t)
	g := startGateway(t, gatewayConfig{
		Identity: `identity workos {
			client_id {env.WORKOS_CLIENT_ID}
			api_key {env.WORKOS_API_KEY}
			organization ` + emulator.Organization(t, "Acme") + `
			base_url ` + emulator.URL + `
		}`,
		Options: `audit workos {
			base_url ` + api.URL + `
			when_full refuse
		}`,
		Policy: demoPolicy,
		Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:    []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
	})
	alice := mustSignIn(t, g.origin+"/mcp", through("alice@acme.test"), "")
	for range 3 {
		alice.call(t, "echo", map[string]any{"message": "hello"})
	}
	alice.refused(t, "no_such_tool", nil)
	if got := logs.calls(); len(got) != 0 {
		t.Fatalf("WorkOS has %v while it is down", got)
	}
	g.kill()
	logs.set(true)
	g.restart(t)
	want := []string{"echo", "echo", "echo", "no_such_tool"}
	for deadline := time.Now().Add(startTimeout); !slices.Equal(logs.calls(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("WorkOS has %v, want %v", logs.calls(), want)
		}
	}
	// The log has them too.
	written, err := os.ReadFile(g.config.AuditLog)
	if err != nil || strings.Count(string(written), `"tool":"echo"`) != 3 {
		t.Errorf("%v; the audit log holds:\n%s", err, written)
	}
}

// TestReadmeCreatesTheSchemasOfAuditEvents runs the how-to's commands against the emulator.
func TestReadmeCreatesTheSchemasOfAuditEvents(t *testing.T) {
	emulator := emulate(t)
	block := readme(t, "sh")[slices.IndexFunc(readme(t, "sh"), func(block string) bool { return strings.Contains(block, "/audit_logs/actions/") })]
	for _, target := range workos.Targets() {
		if !strings.Contains(block, `"type":"`+target+`"`) {
			t.Errorf("the README does not name the target %s", target)
		}
	}
	script := strings.ReplaceAll(block, "https://api.workos.com", emulator.URL)
	if script == block {
		t.Fatal("the README calls something else than WorkOS")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
	cmd.Env = append(os.Environ(), "WORKOS_API_KEY="+emulator.APIKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := emulator.AuditActions(t); !slices.Equal(got, slices.Sorted(slices.Values(workos.Actions()))) {
		t.Errorf("there are schemas of %v", got)
	}
}
