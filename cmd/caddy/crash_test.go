package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// login is one person's way in, and how far it got when the gateway was killed.
type login struct {
	config   *oauth2.Config
	resource string
	verifier string
	code     string        // "" if the browser did not get back
	sent     bool          // whether the code was sent to be redeemed
	token    *oauth2.Token // nil if no answer to that arrived
}

// begin walks the browser to the agent, with a code.
func (l *login) begin(ctx context.Context) error {
	l.verifier = oauth2.GenerateVerifier()
	address := l.config.AuthCodeURL("s", oauth2.S256ChallengeOption(l.verifier), oauth2.SetAuthURLParam("resource", l.resource))
	page, err := peers.NewBrowser(alice).Open(ctx, address, atRedirect)
	if err != nil {
		return err
	}
	if l.code = page.URL.Query().Get("code"); l.code == "" {
		return fmt.Errorf("ended at %s", page.URL)
	}
	return nil
}

// redeem exchanges the code for tokens.
func (l *login) redeem(ctx context.Context) (*oauth2.Token, error) {
	return l.config.Exchange(ctx, l.code, oauth2.VerifierOption(l.verifier), oauth2.SetAuthURLParam("resource", l.resource))
}

// TestKillInTheMiddleOfLogins kills the gateway as kill -9 does while 50 people sign in, at different moments, and starts
// it again: every token that arrived still works, and no code has worked twice.
func TestKillInTheMiddleOfLogins(t *testing.T) {
	const logins = 50
	for _, killAfter := range []int64{1, 15, 35} {
		t.Run(fmt.Sprintf("after %d tokens", killAfter), func(t *testing.T) {
			g := startGateway(t, gatewayConfig{
				Clients: `clients {
					static desktop {
						public
						redirect_uri ` + redirect + `
					}
				}`,
				Policy: demoPolicy,
				Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
			})
			config := &oauth2.Config{
				ClientID: "desktop", RedirectURL: redirect, Scopes: []string{"mcp", "offline_access"},
				Endpoint: oauth2.Endpoint{AuthURL: g.origin + "/authorize", TokenURL: g.origin + "/token", AuthStyle: oauth2.AuthStyleInParams},
			}
			all := make([]*login, logins)
			var arrived atomic.Int64
			var wait sync.WaitGroup
			for i := range all {
				l := &login{config: config, resource: g.origin + "/mcp"}
				all[i] = l
				wait.Go(func() {
					if l.begin(t.Context()) != nil {
						return // the gateway was killed
					}
					l.sent = true
					token, err := l.redeem(t.Context())
					if err != nil {
						return
					}
					l.token = token
					if arrived.Add(1) == killAfter {
						g.kill()
					}
				})
			}
			wait.Wait()
			if arrived.Load() < killAfter {
				t.Fatalf("only %d tokens arrived before anything was killed", arrived.Load())
			}
			g.restart(t)

			var withCode, withToken, again int
			for i, l := range all {
				if l.code != "" {
					withCode++
				}
				if l.token != nil {
					withToken++
					checkTokens(t, g, i, l)
				}
			}
			// Now that the tokens have been seen to work: a code that is used twice takes them away.
			for i, l := range all {
				if l.code == "" {
					continue
				}
				worked := 0
				if l.token != nil {
					worked++
				}
				for range 2 {
					if _, err := l.redeem(t.Context()); err == nil {
						worked++
						again++
					} else if refused := (*oauth2.RetrieveError)(nil); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
						t.Errorf("login %d: a code is refused with %v, want invalid_grant", i, err)
					}
				}
				if worked > 1 {
					t.Errorf("login %d: its code worked %d times", i, worked)
				}
				if worked == 0 && !l.sent {
					t.Errorf("login %d: its code was never used and works no more", i)
				}
			}
			t.Logf("%d logins had a code, %d of them tokens, when the gateway was killed; %d codes were redeemed after that", withCode, withToken, again)
		})
	}
}

// checkTokens holds that both tokens of a login work.
func checkTokens(t *testing.T, g *gateway, i int, l *login) {
	t.Helper()
	if status := initialize(t, g, l.token.AccessToken); status != http.StatusOK {
		t.Errorf("login %d: the access token was answered with %d", i, status)
	}
	stale := &oauth2.Token{RefreshToken: l.token.RefreshToken}
	fresh, err := l.config.TokenSource(t.Context(), stale).Token()
	if err != nil {
		t.Errorf("login %d: the refresh token: %v", i, err)
		return
	}
	if status := initialize(t, g, fresh.AccessToken); status != http.StatusOK {
		t.Errorf("login %d: the refreshed access token was answered with %d", i, status)
	}
}

// initialize says hello with a token and returns the status of the answer.
func initialize(t *testing.T, g *gateway, token string) int {
	t.Helper()
	return initializeAt(t, g.origin+"/mcp", token)
}

// initializeAt is initialize at any endpoint.
func initializeAt(t *testing.T, endpoint, token string) int {
	t.Helper()
	response := postTo(t, endpoint, token, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	defer response.Body.Close()
	return response.StatusCode
}

// post sends one message to the gateway's mount.
func post(t *testing.T, g *gateway, token, body string) *http.Response {
	t.Helper()
	return postTo(t, g.origin+"/mcp", token, body)
}

// postTo sends one message to an endpoint.
func postTo(t *testing.T, endpoint, token, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}
