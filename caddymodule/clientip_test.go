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

func TestARequestWithoutAClientAddressStaysAsItIs(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	if got := fromClient(r); got != r {
		t.Errorf("it comes from %s", got.RemoteAddr)
	}
}
