package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// node is one gateway of several at one address, which its clients reach by the node's own.
type node struct {
	g      *gateway
	client *http.Client
}

// startNodes runs two gateways with one storage and one public address, at 127.0.0.1 and 127.0.0.2.
func startNodes(t *testing.T, config gatewayConfig) [2]*node {
	t.Helper()
	config.Global = "default_bind 127.0.0.1"
	first := startGateway(t, config)
	dir, second := t.TempDir(), *first.config
	second.Global, second.Admin, second.AuditLog = "default_bind 127.0.0.2", peers.FreePort(t), filepath.Join(dir, "audit.log")
	other := &gateway{dir: dir, port: first.port, admin: "localhost:" + second.Admin, origin: first.origin, config: &second}
	other.write()
	other.process = startProcess(t, dir, second.Env, "run", "--config", other.caddyfile(), "--adapter", "caddyfile")
	other.ready("http://127.0.0.2:" + other.port)
	return [2]*node{{first, clientOf("127.0.0.1")}, {other, clientOf("127.0.0.2")}}
}

// clientOf is a client that goes to one address, whatever the host is called.
func clientOf(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(to)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(address, port))
	}}}
}

// session is an MCP session with an open stream at one node.
type session struct {
	*node
	t         *testing.T
	token, id string
	told      chan time.Time // when the client was told that its tools changed
	ended     chan time.Time // when the stream ended
}

// do sends a message, and returns its answer's status and body.
func (s *session) do(method, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.g.origin+"/mcp", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if s.id != "" {
		r.Header.Set("Mcp-Session-Id", s.id)
	}
	return s.client.Do(r)
}

// say sends a message, and returns its answer.
func (s *session) say(body string) (int, string) {
	s.t.Helper()
	res, err := s.do(http.MethodPost, body)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if id := res.Header.Get("Mcp-Session-Id"); id != "" {
		s.id = id
	}
	return res.StatusCode, string(answer)
}

// openSession begins a session, and its stream.
func (n *node) openSession(t *testing.T, token string) *session {
	t.Helper()
	s := &session{node: n, t: t, token: token, told: make(chan time.Time, 100), ended: make(chan time.Time, 1)}
	for _, message := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`,
	} {
		if status, answer := s.say(message); status/100 != 2 {
			t.Fatalf("%s is answered %d %s", message, status, answer)
		}
	}
	res, err := s.do(http.MethodGet, "")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the stream is answered %v, %v", res, err)
	}
	go func() {
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if strings.Contains(lines.Text(), "notifications/tools/list_changed") {
				s.told <- time.Now()
			}
		}
		s.ended <- time.Now()
	}()
	return s
}

// until says the same until the answer is as it should be.
func (s *session) until(what, body string, good func(status int, answer string) bool) time.Time {
	s.t.Helper()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		if good(s.say(body)) {
			return time.Now()
		}
	}
	s.t.Fatalf("%s: still not so after %v", what, startTimeout)
	return time.Time{}
}

// wait waits for a moment.
func (s *session) wait(what string, moment <-chan time.Time) time.Time {
	s.t.Helper()
	select {
	case at := <-moment:
		return at
	case <-time.After(startTimeout):
		s.t.Fatalf("%s: nothing after %v", what, startTimeout)
		return time.Time{}
	}
}

// TestWhatWorkOSSaysOfPeopleIsObeyed has alice's agent hold a stream at each of two nodes while she is demoted through WorkOS' API, and then
// thrown out: her agent's next list and call obey, it is told that its list changed, and in the end its streams end. Nobody signs in
// again. With webhooks, which reach one of the nodes, and without, by the events that WorkOS lists. The log says how long each took.
func TestWhatWorkOSSaysOfPeopleIsObeyed(t *testing.T) {
	const hookSecret = "a-long-enough-secret-of-webhooks"
	for name, c := range map[string]struct {
		identity string
		throwOut func(e *peers.Emulator)
	}{
		"by webhooks": {
			identity: "webhook_secret " + hookSecret,
			throwOut: func(e *peers.Emulator) { e.RevokeSessions(t, "alice@acme.test") },
		},
		"by the events": {
			throwOut: func(e *peers.Emulator) { e.RevokeSessions(t, "alice@acme.test") },
		},
		"by the events, of somebody who leaves": {
			throwOut: func(e *peers.Emulator) { e.RemoveMember(t, "alice@acme.test", "Acme") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			emulator := emulate(t)
			nodes := startNodes(t, gatewayConfig{
				Identity: `identity workos {
					client_id {env.WORKOS_CLIENT_ID}
					api_key {env.WORKOS_API_KEY}
					organization ` + emulator.Organization(t, "Acme") + `
					base_url ` + emulator.URL + `
					` + c.identity + `
				}`,
				Policy: `role admin {
				allow mcp tools kept secret
			}
			role member {
				allow mcp tools kept
			}`,
				Mounts: "mcp_gateway /mcp " + serveMCP(t, watchedServer()),
				Env:    []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
			})
			origin := nodes[0].g.origin
			emulator.Webhook(t, origin+"/webhooks/workos", hookSecret)
			alice := mustSignIn(t, origin+"/mcp", through("alice@acme.test"), "")
			token := alice.tokens.all[len(alice.tokens.all)-1].AccessToken
			var sessions []*session
			for _, n := range nodes {
				sessions = append(sessions, n.openSession(t, token))
			}

			start := time.Now()
			emulator.SetRole(t, "alice@acme.test", "Acme", "member")
			for i, s := range sessions {
				listed := s.until("the list after the demotion", `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`, func(status int, answer string) bool {
					return status == http.StatusOK && strings.Contains(answer, `"kept"`) && !strings.Contains(answer, `"secret"`)
				})
				if _, answer := s.say(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"secret","arguments":{}}}`); !strings.Contains(answer, "Unknown tool: secret") {
					t.Errorf("node %d: a call after the demotion is answered %s", i, answer)
				}
				told := s.wait("being told of the demotion", s.told)
				t.Logf("node %d: demoted; the list obeys after %v, the stream says so after %v", i, listed.Sub(start), told.Sub(start))
			}

			start = time.Now()
			c.throwOut(emulator)
			for i, s := range sessions {
				ended := s.wait("the end of the stream", s.ended)
				if status, answer := s.say(`{"jsonrpc":"2.0","id":5,"method":"tools/list"}`); status != http.StatusUnauthorized {
					t.Errorf("node %d: a list after the end is answered %d %s", i, status, answer)
				}
				t.Logf("node %d: thrown out; the stream ended after %v", i, ended.Sub(start))
			}
		})
	}
}
