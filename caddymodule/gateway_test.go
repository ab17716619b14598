package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// patience is how long a test waits for what should happen at once. A loaded machine is slow.
const patience = 20 * time.Second

// upstreamServer is an MCP server that answers what a test wants, and remembers what it was asked.
type upstreamServer struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []*http.Request
	answer http.HandlerFunc
}

// toolList is a list of three tools.
const toolList = `{"tools":[{"name":"get_weather","inputSchema":{"type":"object"}},{"name":"delete_everything","inputSchema":{"type":"object"}},{"name":"list_files","inputSchema":{"type":"object"}}]}`

// newUpstream starts an MCP server.
func newUpstream(t *testing.T) *upstreamServer {
	t.Helper()
	u := &upstreamServer{answer: answerRPC}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.asked = append(u.asked, r.Clone(r.Context()))
		answer := u.answer
		u.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

// answerRPC answers every call with a list of tools, and GET with a stream that stays open.
func answerRPC(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		openStream(w, r)
		return
	}
	var message struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	result := toolList
	if message.Method == "tools/call" {
		result = `{"content":[{"type":"text","text":"done"}]}`
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, message.ID, result)
}

// openStream begins an event stream and keeps it open until the client goes.
func openStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"open"}}`+"\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// requests returns what the server was asked so far.
func (u *upstreamServer) requests() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

// answers sets how the server answers from now on.
func (u *upstreamServer) answers(how http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = how
}

// last returns the last request.
func (u *upstreamServer) last(t *testing.T) *http.Request {
	t.Helper()
	asked := u.requests()
	if len(asked) == 0 {
		t.Fatal("the MCP server was asked nothing")
	}
	return asked[len(asked)-1]
}

// gatewayConfig is what differs between the gateways of the tests.
type gatewayConfig struct {
	Global, App, Alice, Clients, Policy, PolicyFile, Site, Rest string
	Port, Dir                                                   string
}

var gatewayTemplate = template.Must(template.New("").Parse(`{
	admin off
	persist_config off
	grace_period 10s
	storage file_system "{{.Dir}}/data"
	log default {
		output file "{{.Dir}}/log"
		format json
	}
	{{.Global}}
	mcp_gateway {
		issuer http://localhost:{{.Port}}
		identity local {
			user alice $2a$04$TJ.AW1W2pdyerL5HpWiKM.qUalFFjF5hK2Zy12QmVQTWzfpyrJPAG {
				{{.Alice}}
			}
		}
		clients {
			{{.Clients}}
			static bot {
				secret the-secret-of-the-bot-is-long
				grant client_credentials
				role member
			}
		}
		policy {{if .PolicyFile}}"{{.PolicyFile}}"{{else}}{
			{{.Policy}}
		}{{end}}
		{{.App}}
	}
}
http://localhost:{{.Port}} {
	log
	{{.Site}}
}
http://:{{.Port}} {
	respond "catch-all" 421
}
{{.Rest}}
`))

// client is a client as they are: it tries again if a reload closes its connection before the request is read.
var client = &http.Client{Transport: again{&http.Transport{DisableKeepAlives: true}}}

// again sends a request once more that has met a server on its way out.
type again struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (a again) RoundTrip(r *http.Request) (*http.Response, error) {
	for tries := 0; ; tries++ {
		res, err := a.RoundTripper.RoundTrip(r)
		if err == nil || tries == 3 || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			return res, err
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// gateway is a Caddy that runs in this process.
type gateway struct {
	t      *testing.T
	config gatewayConfig
	tokens map[string]string
}

// startGateway runs a gateway until the test ends.
func startGateway(t *testing.T, config gatewayConfig) *gateway {
	t.Helper()
	if config.Policy == "" {
		config.Policy = "role member {\n allow * tools get_* list_*\n}"
	}
	config.Port, config.Dir = peers.FreePort(t), t.TempDir()
	g := &gateway{t: t, config: config, tokens: make(map[string]string)}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(g.logged())
		}
	})
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	return g
}

// load loads the config, as `caddy reload` does.
func (g *gateway) load() error {
	var text bytes.Buffer
	if err := gatewayTemplate.Execute(&text, g.config); err != nil {
		return err
	}
	adapted, err := adapt(g.t, filepath.Join(g.config.Dir, "Caddyfile"), text.Bytes())
	if err != nil {
		return err
	}
	return caddy.Load(adapted, true)
}

// url returns the URL of a path.
func (g *gateway) url(path string) string { return "http://localhost:" + g.config.Port + path }

// token returns an access token of the machine client for a mount.
func (g *gateway) token(mount string) string {
	g.t.Helper()
	return g.tokenFor(g.url(mount))
}

// tokenFor returns an access token of the machine client for a resource.
func (g *gateway) tokenFor(resource string) string {
	g.t.Helper()
	if token := g.tokens[resource]; token != "" {
		return token
	}
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	r, err := http.NewRequest(http.MethodPost, g.url("/token"), strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("bot", "the-secret-of-the-bot-is-long")
	res, err := client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		g.t.Fatalf("no token: %s %v", res.Status, err)
	}
	g.tokens[resource] = answer.Token
	return answer.Token
}

// request makes an authenticated request to a mount.
func (g *gateway) request(method, mount, body string) *http.Request {
	g.t.Helper()
	r, err := http.NewRequest(method, g.url(mount), strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+g.token(mount))
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Protocol-Version", "2025-06-18")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// do sends a request, and returns the answer with its body.
func (g *gateway) do(r *http.Request) (*http.Response, string) {
	g.t.Helper()
	res, err := client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return res, string(body)
}

// call makes one MCP call.
func (g *gateway) call(mount, method, params string) (*http.Response, string) {
	g.t.Helper()
	return g.do(g.request(http.MethodPost, mount, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)))
}

// stream opens an event stream, and returns once the MCP server has begun to answer. What is read of it arrives in the
// channel, line by line; it is closed when the stream has ended, and the error, if it didn't end in order, comes last.
func (g *gateway) stream(mount string) <-chan string {
	g.t.Helper()
	res, err := client.Do(g.request(http.MethodGet, mount, ""))
	if err != nil {
		g.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		g.t.Fatal("stream:", res.Status)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer res.Body.Close()
		scanner := bufio.NewScanner(res.Body)
		for scanner.Scan() {
			if line := scanner.Text(); line != "" {
				lines <- line
			}
		}
		if err := scanner.Err(); err != nil {
			lines <- "error: " + err.Error()
		}
	}()
	return lines
}

// logged returns what was logged so far.
func (g *gateway) logged() string {
	g.t.Helper()
	content, err := os.ReadFile(filepath.Join(g.config.Dir, "log"))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(content)
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatal("it never came to this: ", what)
		case <-tick.C:
		}
	}
}
