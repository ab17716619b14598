package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
)

const (
	// outageTime is for how long WorkOS is away in TestAnOutageOfWorkOS; MCP_OUTAGE sets another span.
	outageTime = 6 * time.Second
	// outageCalls is how many calls each agent makes in a second meanwhile, at most.
	outageCalls = 40
	// outageSignIns is how often somebody tries to sign in meanwhile.
	outageSignIns = 10 * time.Second
)

// outage stands before WorkOS' emulator, and breaks every connection while it is down, but for that of browsers: people get as far as back to us.
type outage struct {
	proxy *httputil.ReverseProxy
	down  atomic.Bool
	calls atomic.Int64 // while it is down
}

func (o *outage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.down.Load() && !strings.HasSuffix(r.URL.Path, "/authorize") {
		o.calls.Add(1)
		panic(http.ErrAbortHandler)
	}
	o.proxy.ServeHTTP(w, r)
}

// TestAnOutageOfWorkOS has WorkOS go away while agents are at work: they go on, nobody else gets in, and all heals by itself. Every call is in
// the audit trail.
func TestAnOutageOfWorkOS(t *testing.T) {
	span := outageTime
	if d, err := time.ParseDuration(os.Getenv("MCP_OUTAGE")); err == nil {
		span = d
	}
	emulator := emulate(t)
	target, err := url.Parse(emulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	between := &outage{proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}}
	api := httptest.NewServer(between)
	t.Cleanup(api.Close)
	g := startGateway(t, gatewayConfig{
		Identity: `identity workos {
			client_id {env.WORKOS_CLIENT_ID}
			api_key {env.WORKOS_API_KEY}
			organization ` + emulator.Organization(t, "Acme") + `
			base_url ` + api.URL + `
			issuer ` + emulator.URL + `
		}`,
		Options: "identity_refresh 2s {\n\t\t\tmax_stale 1h\n\t\t}",
		Policy:  demoPolicy,
		Mounts:  "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:     []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
	})
	alice := mustSignIn(t, g.origin+"/mcp", through("alice@acme.test"), "")
	bob := mustSignIn(t, g.origin+"/mcp", through("bob@acme.test"), "")

	between.down.Store(true)
	end := time.Now().Add(span)
	var made, slowest atomic.Int64
	var busy sync.WaitGroup
	for _, a := range []*agent{alice, bob} {
		busy.Go(func() {
			pace := time.NewTicker(time.Second / outageCalls)
			defer pace.Stop()
			for time.Now().Before(end) {
				<-pace.C
				start := time.Now()
				result, err := a.CallTool(t.Context(), callEcho())
				if err != nil || result.IsError {
					t.Errorf("a call during the outage: %v, %v", result, err)
					return
				}
				made.Add(1)
				if took := int64(time.Since(start)); took > slowest.Load() {
					slowest.Store(took)
				}
			}
		})
	}
	// Somebody new is told to come back, by the page that their browser ends at.
	tried := 0
	for pace := time.NewTicker(outageSignIns); ; <-pace.C {
		if _, err := signIn(t.Context(), g.origin+"/mcp", through("bob@acme.test"), ""); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("a sign-in during the outage: %v", err)
		}
		if tried++; time.Until(end) < 2*outageSignIns {
			pace.Stop()
			break
		}
	}
	busy.Wait()
	between.down.Store(false)
	emulator.SetRole(t, "bob@acme.test", "Acme", "admin")
	healed := time.Now()
	for deadline := healed.Add(startTimeout); !slices.Contains(bob.tools(t), "delete_everything"); {
		if time.Now().After(deadline) {
			t.Fatal("bob's new role is not felt after the outage")
		}
	}
	took := time.Since(healed)
	carol := mustSignIn(t, g.origin+"/mcp", through("bob@acme.test"), "")
	carol.call(t, "echo", map[string]any{"message": "back"})
	written, err := os.ReadFile(g.config.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(written), `"tool":"echo"`); n != int(made.Load())+1 {
		t.Errorf("%d calls were made, and %d are in the audit trail", made.Load()+1, n)
	}
	t.Logf("%v without WorkOS: %d calls, all of them in %d bytes of audit trail, the slowest took %v; %d sign-ins were tried; WorkOS was asked %d times in vain, and %v after it was back all was well",
		span, made.Load(), len(written), time.Duration(slowest.Load()), tried, between.calls.Load(), took)
}

// callEcho is a call that everybody may make.
func callEcho() *mcp.CallToolParams {
	return &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"message": "still here"}}
}
