package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClientsBehindATrustedProxyAreToldApart(t *testing.T) {
	const form = "grant_type=client_credentials&client_id=bot&client_secret="
	for _, tt := range []struct {
		name, global string
		status       int
	}{
		{"a trusted proxy", "servers {\n trusted_proxies static 127.0.0.1/32 ::1/128\n}\n", http.StatusOK},
		{"anybody", "", http.StatusTooManyRequests},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := startGateway(t, gatewayConfig{Global: tt.global, Site: mount("/mcp", newUpstream(t))})
			ask := func(address, secret string) *http.Response {
				r, err := http.NewRequest(http.MethodPost, g.url("/token"), strings.NewReader(form+secret))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-Forwarded-For", address)
				res, _ := g.do(r)
				return res
			}
			guesses := 0
			for guesses < 1000 && ask("192.0.2.1", fmt.Sprint("guess", guesses)).StatusCode != http.StatusTooManyRequests {
				guesses++
			}
			if guesses == 1000 {
				t.Fatal("guessing is not limited")
			}
			if res := ask("192.0.2.2", "the-secret-of-the-bot-is-long"); res.StatusCode != tt.status {
				t.Errorf("another address: %s", res.Status)
			}
		})
	}
}

// Whoever makes up opaque tokens behind the proxy that everybody comes through keeps nobody else out, whose token is new here.
func TestAttackMadeUpTokensThroughASharedProxy(t *testing.T) {
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/introspect" {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, `{"active":%t,"sub":"somebody","aud":%q}`, r.FormValue("token") == "good", issuer.URL)
	}))
	t.Cleanup(issuer.Close)
	accept := fmt.Sprintf("accept_tokens %s {\n audience %[1]s\n introspection {\n client_id gateway\n client_secret secret-of-gateway\n endpoint %[1]s/introspect\n }\n}", issuer.URL)
	g := startGateway(t, gatewayConfig{
		Global: "servers {\n trusted_proxies static 127.0.0.1/32 ::1/128\n}\n", Site: mount("/mcp", newUpstream(t), accept),
	})
	ask := func(address, token string) int {
		r, err := http.NewRequest(http.MethodPost, g.url("/mcp"), strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Forwarded-For", address)
		res, _ := g.do(r)
		return res.StatusCode
	}
	for i := range 100 {
		if code := ask("192.0.2.1", fmt.Sprint("made-up-", i)); code == http.StatusServiceUnavailable {
			break
		} else if i == 99 {
			t.Fatal("made-up tokens are not limited")
		}
	}
	if code := ask("192.0.2.2", "good"); code == http.StatusServiceUnavailable || code == http.StatusUnauthorized {
		t.Errorf("somebody else gets %d", code)
	}
}

func TestARequestWithoutAClientAddressStaysAsItIs(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	if got := fromClient(r); got != r {
		t.Errorf("it comes from %s", got.RemoteAddr)
	}
}
