package caddymodule

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestASubscriptionIsToldOfAReloadAndGetsItsResult has a subscription of revision 2026-07-28 open while a reload takes a tool
// away, and another while Caddy stops.
func TestASubscriptionIsToldOfAReloadAndGetsItsResult(t *testing.T) {
	const ack = `data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true}}}`
	upstream := newUpstream(t)
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ack, "\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	for _, c := range []struct {
		end  func() error
		told bool
	}{
		{func() error { g.config.Policy = "role member {\n allow * tools list_*\n}"; return g.load() }, true},
		{caddy.Stop, false},
	} {
		r := g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"notifications":{"toolsListChanged":true}}}`)
		r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		r.Header.Set("Mcp-Method", "subscriptions/listen")
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		if !lines.Scan() || lines.Text() != ack {
			t.Fatalf("it begins with %s %q", res.Status, lines.Text())
		}
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
		var rest []string
		for lines.Scan() {
			rest = append(rest, lines.Text())
		}
		_ = res.Body.Close()
		all := strings.Join(rest, "\n")
		const subscription = `{"io.modelcontextprotocol/subscriptionId":"s"}`
		told := strings.Contains(all, `"method":"notifications/tools/list_changed","params":{"_meta":`+subscription)
		done := strings.HasSuffix(strings.TrimSpace(all), `{"jsonrpc":"2.0","id":"s","result":{"resultType":"complete","_meta":`+subscription+`}}`)
		if lines.Err() != nil || told != c.told || !done {
			t.Errorf("told %v, want %v; it ends with %q, %v", told, c.told, all, lines.Err())
		}
	}
}
