package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
)

// loopback is where requests of the gateway's own come from, for those that ask.
const loopback = "127.0.0.1:0"

// errNoCredential says that the gateway can't ask an MCP server in the name of one person.
var errNoCredential = errors.New("the gateway has no credentials of this person's to ask the MCP server with")

// ask sends a request of the gateway's own to the MCP server, by the same way and with the same credentials as those of
// agents.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, credential string) error {
	if credential != "" {
		return errNoCredential
	}
	r.RemoteAddr = loopback
	return h.proxy(w, caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, h.httpServer))
}

// toolsOf returns the tools of a server, by its name in the policy, whether anybody may use them or not. The server is asked
// if nobody has yet, so this may take a while, and fails if the server does.
func (app *App) toolsOf(ctx context.Context, server string) ([]catalog.Offer, error) {
	err := fmt.Errorf("there is no server %s", server)
	for _, h := range app.handlers[server] {
		var offers []catalog.Offer
		// Where a server has several mounts, some may lead to what can't be asked, such as its older transport.
		if offers, err = h.guard.Offers(ctx, ""); err == nil {
			return offers, nil
		}
	}
	return nil, err
}
