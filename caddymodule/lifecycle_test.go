package caddymodule

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
)

// waitFor returns what arrives next in a stream that begins with a prefix.
func waitFor(t *testing.T, lines <-chan string, prefix string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, open := <-lines:
			if strings.HasPrefix(line, prefix) {
				return
			}
			if !open {
				t.Fatalf("the stream ended before %q", prefix)
			}
		case <-deadline:
			t.Fatalf("%q never came", prefix)
		}
	}
}

// waitForEnd waits until a stream has ended in order.
func waitForEnd(t *testing.T, lines <-chan string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, open := <-lines:
			if strings.HasPrefix(line, "error:") {
				t.Fatalf("the stream was torn: %s", line)
			}
			if !open {
				return
			}
		case <-deadline:
			t.Fatal("the stream never ended")
		}
	}
}

// openStreams returns what the metric of open streams says, of all servers.
func openStreams(t *testing.T) (open float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.streams)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			open += metric.GetGauge().GetValue()
		}
	}
	return open
}

func TestReloadEndsStreamsLetsCallsFinishAndObeysTheNewPolicy(t *testing.T) {
	upstream := newUpstream(t)
	began, held := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "get_slowly") {
			close(began)
			<-held
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		answerRPC(w, r)
	}
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	lines := g.stream("/mcp")

	answered := make(chan string, 1)
	request := g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_slowly"}}`)
	go func() {
		res, err := client.Do(request)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		answered <- fmt.Sprint(string(body), err)
	}()
	<-began

	g.config.Policy = "role member {\n allow * tools list_*\n}"
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	waitForEnd(t, lines)
	if _, list := g.call("/mcp", "tools/list", "{}"); strings.Contains(list, "get_weather") || !strings.Contains(list, "list_files") {
		t.Errorf("the new policy isn't obeyed: %s", list)
	}
	release()
	if answer := <-answered; !strings.Contains(answer, "done") {
		t.Errorf("the call that was running didn't finish: %s", answer)
	}
	eventually(t, "no stream is counted", func() bool { return openStreams(t) == 0 })
}

func TestAStreamObeysTheNewestPolicyWhileItLasts(t *testing.T) {
	upstream := newUpstream(t)
	list := make(chan struct{})
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ": open\n\n")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-list:
				fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n\n", toolList)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	// The stream is that of a call, which a reload leaves alone.
	res, err := client.Do(g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	g.config.Policy = "role member {\n allow * tools list_*\n}"
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	list <- struct{}{}
	buf := make([]byte, 8<<10)
	var got string
	for !strings.Contains(got, "list_files") {
		n, err := res.Body.Read(buf)
		got += string(buf[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
	}
	if strings.Contains(got, "get_weather") {
		t.Errorf("the stream goes by the old policy: %s", got)
	}
}

func TestAConfigThatFailsToLoadChangesNothing(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	lines := g.stream("/mcp")
	waitFor(t, lines, "data: {")
	good := g.config
	for name, bad := range map[string]func(){
		"policy":           func() { g.config.Policy = "role member {\n allow nothere tools *\n}" },
		"another app":      func() { g.config.Rest = "http://localhost:" + g.config.Port + "/x {\n}\n:1 {\n bind 203.0.113.1\n}\n" },
		"address not ours": func() { g.config.Rest = "http://203.0.113.1:1 {\n bind 203.0.113.1\n}\n" },
		"secret that is not": func() {
			g.config.App = "clients {\n static x {\n secret {env.MISSING}\n grant client_credentials\n}\n}"
		},
	} {
		bad()
		if err := g.load(); err == nil {
			t.Errorf("%s: it loads", name)
		}
		g.config = good
	}
	if _, list := g.call("/mcp", "tools/list", "{}"); !strings.Contains(list, "get_weather") {
		t.Errorf("the policy has changed: %s", list)
	}
	select {
	case line, open := <-lines:
		t.Errorf("the stream got %q, open %v", line, open)
	default:
	}
}

func TestStoppingEndsStreamsInOrder(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	var all []<-chan string
	for range 20 {
		lines := g.stream("/mcp")
		waitFor(t, lines, "data: {")
		all = append(all, lines)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, lines := range all {
		waitForEnd(t, lines)
	}
	eventually(t, "no stream is counted", func() bool { return openStreams(t) == 0 })
}

func TestAStreamThatOpensWhileTheServerShutsDownEndsAtOnce(t *testing.T) {
	var s streams
	s.drain(0)
	ctx, done := s.start(t.Context(), new(guard.Live), func() bool { return true })
	defer done()
	select {
	case <-ctx.Done():
	default:
		t.Error("it stays open")
	}
}

func TestAStreamEndsWithItsGrant(t *testing.T) {
	var s streams
	alive := true
	ctx, done := s.start(t.Context(), new(guard.Live), func() bool { return alive })
	defer done()
	s.recheck()
	if ctx.Err() != nil {
		t.Fatal("it ended before its grant")
	}
	alive = false
	s.recheck()
	if ctx.Err() == nil {
		t.Error("it outlives its grant")
	}
}

func TestValidatingWritesNothing(t *testing.T) {
	dir := t.TempDir()
	setEnvironment(t)
	caddyfile := fmt.Sprintf("{\n\tstorage file_system %q\n\timport %q\n}\nmcp.example.com {\n\tmcp_gateway /github 127.0.0.1:9000\n}\n", dir, "testdata/app.caddyfile")
	adapted, err := adapt(t, "Caddyfile", []byte(caddyfile))
	if err != nil {
		t.Fatal(err)
	}
	config := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(adapted, config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(config); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			t.Errorf("validating made %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	refs := 0
	runtimes.Range(func(_, _ any) bool { refs++; return true })
	if refs != 0 {
		t.Errorf("%d runtimes are left", refs)
	}
}

func TestWorksUnderEncodeAndTellsTheLogs(t *testing.T) {
	upstream := newUpstream(t)
	big := strings.Repeat("long text ", 1000)
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			openStream(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get_weather","description":%q},{"name":"delete_everything"}]}}`, big)
	}
	g := startGateway(t, gatewayConfig{
		Global: "order encode first\n",
		Site: mount("/mcp", upstream) + "encode gzip\nlog_append who {http.mcp_gateway.user}\n" +
			"log_append which {http.mcp_gateway.server}\nlog_append how {http.mcp_gateway.method}\n" +
			"log_append what {http.mcp_gateway.tool}\nlog_append whether {http.mcp_gateway.decision}\n",
	})
	r := g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
	r.Header.Set("Accept-Encoding", "gzip")
	res, err := client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if coding := res.Header.Get("Content-Encoding"); coding != "gzip" {
		t.Fatalf("Content-Encoding is %q", coding)
	}
	unzipped, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	list, err := io.ReadAll(unzipped)
	if err != nil || !json.Valid(list) || !strings.Contains(string(list), "get_weather") || strings.Contains(string(list), "delete_everything") {
		t.Errorf("%v %.200s", err, list)
	}
	lines := g.stream("/mcp")
	waitFor(t, lines, "data: {") // encode passes each event on at once

	g.call("/mcp", "tools/call", `{"name":"get_weather","arguments":{}}`)
	g.call("/mcp", "tools/call", `{"name":"delete_everything","arguments":{}}`)
	token := g.token("/mcp")
	eventually(t, "the logs have all", func() bool {
		logged := g.logged()
		for _, part := range []string{
			`"mcp_server":"mcp"`, `"mcp_method":"tools/call"`, `"mcp_tool":"get_weather"`, `"mcp_decision":"allow"`,
			`"which":"mcp"`, `"how":"tools/call"`, `"what":"get_weather"`, `"whether":"deny"`, `"who":"client:bot"`, `"user_id":"client:bot"`,
			`"logger":"mcp_gateway.audit"`, `"logger":"http.log.access`,
		} {
			if !strings.Contains(logged, part) {
				return false
			}
		}
		return true
	})
	if logged := g.logged(); strings.Contains(logged, token) || strings.Contains(logged, "the-secret-of-the-bot") {
		t.Error("a secret is in the log")
	}
}

func TestMetricsCountRequestsAndDecisions(t *testing.T) {
	metrics.requests.Reset()
	metrics.decisions.Reset()
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t), "server weather") + "metrics /metrics\n",
		Policy: "role member {\n allow weather tools get_*\n}"})
	g.call("/mcp", "tools/call", `{"name":"get_weather","arguments":{}}`)
	g.call("/mcp", "tools/call", `{"name":"delete_everything","arguments":{}}`)
	g.call("/mcp", "made/up", "{}")
	g.raw(http.MethodPost, "/mcp")
	page := g.raw(http.MethodGet, "/metrics")
	for _, want := range []string{
		`caddy_mcp_gateway_requests_total{method="tools/call",outcome="allow",server="weather"} 1`,
		`caddy_mcp_gateway_requests_total{method="tools/call",outcome="deny",server="weather"} 1`,
		`caddy_mcp_gateway_requests_total{method="other",outcome="refuse",server="weather"} 1`,
		`caddy_mcp_gateway_requests_total{method="POST",outcome="unauthorized",server="weather"} 1`,
		`caddy_mcp_gateway_decisions_total{decision="allow",kind="tool",server="weather"} 1`,
		`caddy_mcp_gateway_decisions_total{decision="deny",kind="tool",server="weather"} 1`,
		`caddy_mcp_gateway_overhead_seconds_count{server="weather"} 3`,
		`caddy_mcp_gateway_upstream_seconds_count{server="weather"} 1`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestTheNewestStartedConfigCounts(t *testing.T) {
	var r roster
	older, newer := &App{seq: 1}, &App{seq: 2}
	for _, step := range []struct {
		do   func(*App)
		app  *App
		want *App
	}{
		{r.enter, older, older},
		{r.enter, newer, newer},
		{r.leave, newer, older}, // another app of the newer config failed to start
		{r.leave, newer, older},
		{r.enter, newer, newer},
		{r.leave, older, newer},
		{r.leave, newer, nil},
	} {
		step.do(step.app)
		if got := r.newest(); got != step.want {
			t.Fatalf("after %+v: %v", step, got)
		}
	}
}
