package caddymodule

import (
	"net/http"
	"slices"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// adminClient is an OAuth client, as the admin API shows it.
type adminClient struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`

	// Origin is static, document or registered.
	Origin       string    `json:"origin"`
	RedirectURIs []string  `json:"redirect_uris,omitempty"`
	Created      time.Time `json:"created,omitzero"`
	Used         time.Time `json:"last_used,omitzero"`
	Expires      time.Time `json:"expires,omitzero"`

	// Grants is how many grants it has.
	Grants int `json:"grants"`
}

// listClients answers with all clients.
func listClients(app *App, r *http.Request) (any, error) {
	clients, err := app.oauth.Clients(r.Context())
	if err != nil {
		return nil, err
	}
	answer := make([]adminClient, len(clients))
	for i, client := range clients {
		answer[i] = adminClient(client)
	}
	return answer, nil
}

// getClient answers with one client.
func getClient(app *App, r *http.Request) (any, error) {
	clients, err := app.oauth.Clients(r.Context())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(clients, func(c oauth.Client) bool { return c.ID == r.PathValue("id") })
	if i < 0 {
		return nil, asNotFound(oauth.ErrNoClient)
	}
	return adminClient(clients[i]), nil
}

// adminEnded is what came of the end of a client.
type adminEnded struct {
	Grants int `json:"grants"` // that ended with it
}

// endClient ends all grants of a client, and forgets it.
func endClient(app *App, r *http.Request) (any, error) {
	ended, err := app.oauth.EndClient(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, asNotFound(err)
	}
	return adminEnded{ended}, nil
}
