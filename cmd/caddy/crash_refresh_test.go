package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
)

// kills is how often the gateway is killed in TestKillInTheMiddleOfIdentityRefreshes; MCP_KILLS sets another number.
const kills = 6

// replayTime is for how long WorkOS answers a refresh token that was used before with what it answered then.
const replayTime = 30 * time.Second

// rotation stands before WorkOS' emulator, which takes a refresh token once and never again, and gives an answer again as WorkOS does. It
// knows which token came of which, and notices one that is shown although its successor was.
type rotation struct {
	proxy *httputil.ReverseProxy

	mu       sync.Mutex
	answers  map[string]*answered // by the refresh token that was shown
	parent   map[string]string    // of a refresh token, the one that led to it
	shown    map[string]bool
	repeated int      // answers that were given again
	forked   []string // what should not have been shown
}

// answered is one answer.
type answered struct {
	once   sync.Once
	at     time.Time
	status int
	body   []byte
}

func (p *rotation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/user_management/authenticate") {
		p.proxy.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var asked struct {
		Refresh string `json:"refresh_token"`
	}
	_ = json.Unmarshal(body, &asked)
	if asked.Refresh == "" {
		p.proxy.ServeHTTP(w, r)
		return
	}
	a := p.show(asked.Refresh)
	a.once.Do(func() {
		// Whoever asked may be killed meanwhile; WorkOS does not stop for that.
		rec := httptest.NewRecorder()
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		p.proxy.ServeHTTP(rec, again)
		a.status, a.body = rec.Code, rec.Body.Bytes()
		var got struct {
			Refresh string `json:"refresh_token"`
		}
		_ = json.Unmarshal(a.body, &got)
		p.mu.Lock()
		p.parent[got.Refresh] = asked.Refresh
		p.mu.Unlock()
	})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// show notes that a refresh token was shown, and returns its answer.
func (p *rotation) show(token string) *answered {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.answers[token]
	if a == nil || time.Since(a.at) > replayTime {
		a = &answered{at: time.Now()}
		p.answers[token] = a
	} else {
		p.repeated++
	}
	for child, parent := range p.parent {
		if parent == token && p.shown[child] {
			p.forked = append(p.forked, token)
		}
	}
	p.shown[token] = true
	return a
}

// TestKillInTheMiddleOfIdentityRefreshes kills the gateway as kill -9 does, again and again, while it reads the roles of busy grants anew
// all the time. WorkOS takes each of its refresh tokens once; but no grant is lost by that, and none shows a token that was replaced.
func TestKillInTheMiddleOfIdentityRefreshes(t *testing.T) {
	rounds := kills
	if n, err := strconv.Atoi(os.Getenv("MCP_KILLS")); err == nil {
		rounds = n
	}
	emulator := emulate(t)
	target, err := url.Parse(emulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	between := &rotation{
		proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}, answers: make(map[string]*answered),
		parent: make(map[string]string), shown: make(map[string]bool),
	}
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
		Options: "identity_refresh 1s {\n\t\t\tmax_stale 1h\n\t\t}",
		Policy:  demoPolicy,
		Mounts:  "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:     []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
	})
	var tokens []string
	for range 4 {
		for _, email := range []string{"alice@acme.test", "bob@acme.test"} {
			a := mustSignIn(t, g.origin+"/mcp", through(email), "")
			tokens = append(tokens, a.tokens.all[len(a.tokens.all)-1].AccessToken)
		}
	}
	for range rounds {
		stop := make(chan struct{})
		var busy sync.WaitGroup
		for _, token := range tokens {
			busy.Go(func() {
				for ok := true; ok; {
					ok = knock(t, g, token)
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			})
		}
		// The moment is the point: anything may be under way.
		time.Sleep(50*time.Millisecond + rand.N(1500*time.Millisecond))
		g.kill()
		close(stop)
		busy.Wait()
		g.restart(t)
	}
	// Everybody gets another role, and every agent feels it: so its session still works.
	emulator.SetRole(t, "alice@acme.test", "Acme", "member")
	emulator.SetRole(t, "bob@acme.test", "Acme", "admin")
	for i, token := range tokens {
		n := &node{g: g, client: http.DefaultClient}
		s := &session{node: n, t: t, token: token}
		if status, answer := s.say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`); status != http.StatusOK {
			t.Errorf("grant %d is answered %d %s", i, status, answer)
			continue
		}
		s.until("the new role", `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`, func(status int, answer string) bool {
			if status == http.StatusUnauthorized {
				t.Fatalf("grant %d is lost", i)
			}
			return strings.Contains(answer, "delete_everything") == (i%2 == 1)
		})
	}
	between.mu.Lock()
	defer between.mu.Unlock()
	if len(between.forked) > 0 {
		t.Errorf("%d sessions were shown after they had been replaced", len(between.forked))
	}
	t.Logf("%d kills, %d refreshes; %d answers were lost and given again; %d of %d grants are there", rounds, len(between.shown), between.repeated, len(tokens), len(tokens))
}

// knock makes a call, and reports whether it was answered at all.
func knock(t *testing.T, g *gateway, token string) bool {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.origin+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err == nil
}
