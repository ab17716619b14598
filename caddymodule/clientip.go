package caddymodule

import (
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// fromClient returns a request that comes from the client's address, as Caddy knows it: behind proxies that are trusted
// (trusted_proxies), a header says it, and the address of the connection is the same for everyone. What is limited for
// one address, such as registrations and guesses of secrets, would otherwise be limited for all of them together.
func fromClient(r *http.Request) *http.Request {
	ip, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if !ok || ip == "" {
		return r
	}
	came := r.WithContext(r.Context())
	came.RemoteAddr = net.JoinHostPort(ip, "0")
	return came
}

// asker returns the request that shows an access token for a resource: from the client's address where that counts, which is
// where somebody elsewhere is asked about tokens. Our own cost no more for it.
func asker(r *http.Request, resource oauth.Resource) *http.Request {
	if len(resource.Accepts) == 0 {
		return r
	}
	return fromClient(r)
}
