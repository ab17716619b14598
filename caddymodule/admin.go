package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func init() { caddy.RegisterModule(adminAPI{}) }

// adminAPI is the gateway's part of Caddy's admin API:
//
//	GET    /mcp_gateway/policy       which policy is in force
//	POST   /mcp_gateway/policy/explain  what somebody, or a grant, may do, and why
//	GET    /mcp_gateway/grants       what people have granted agents
//	GET    /mcp_gateway/grants/<id>
//	DELETE /mcp_gateway/grants/<id>  ends a grant, and the streams opened under it
//	GET    /mcp_gateway/clients      which OAuth clients there are
//	GET    /mcp_gateway/clients/<id>
//	DELETE /mcp_gateway/clients/<id> ends all grants of a client, and forgets it if it registered itself
//	GET    /mcp_gateway/pins         which tools were seen, and which changed
//	GET    /mcp_gateway/pins/<server>/<tool>
//	POST   /mcp_gateway/pins/approve approves what tools are now
//	POST   /mcp_gateway/keys/rotate  begins the use of a new key for access tokens
//
// Its routes are set up before the apps of a config are, so every request asks the app that runs at that time.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.mcp_gateway", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes implements caddy.AdminRouter.
func (adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "GET /mcp_gateway/policy", Handler: adminHandler(getPolicy)},
		{Pattern: "POST /mcp_gateway/policy/explain", Handler: adminHandler(explainPolicy)},
		{Pattern: "GET /mcp_gateway/grants", Handler: adminHandler(listGrants)},
		{Pattern: "GET /mcp_gateway/grants/{id}", Handler: adminHandler(getGrant)},
		{Pattern: "DELETE /mcp_gateway/grants/{id}", Handler: adminHandler(revokeGrant)},
		{Pattern: "GET /mcp_gateway/clients", Handler: adminHandler(listClients)},
		{Pattern: "GET /mcp_gateway/clients/{id}", Handler: adminHandler(getClient)},
		{Pattern: "DELETE /mcp_gateway/clients/{id}", Handler: adminHandler(endClient)},
		{Pattern: "GET /mcp_gateway/pins", Handler: adminHandler(listPins)},
		{Pattern: "GET /mcp_gateway/pins/{server}/{tool}", Handler: adminHandler(getPin)},
		{Pattern: "POST /mcp_gateway/pins/approve", Handler: adminHandler(approvePins)},
		{Pattern: "POST /mcp_gateway/keys/rotate", Handler: adminHandler(rotateKeys)},
	}
}

// errNotRunning is what is answered while no config has an mcp_gateway app.
var errNotRunning = errors.New("the running config has no mcp_gateway app")

// adminHandler makes an admin handler of a function that answers with a JSON value; nil is 204.
type adminHandler func(app *App, r *http.Request) (any, error)

// ServeHTTP implements caddy.AdminHandler.
func (h adminHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	app := running.newest()
	if app == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errNotRunning}
	}
	answer, err := h(app, r)
	switch {
	case err != nil:
		return err
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// adminPolicy is the policy, as the admin API shows it.
type adminPolicy struct {
	// Hash is a digest of what the policy means: it changes exactly if that does.
	Hash        string   `json:"hash"`
	Mode        string   `json:"mode"`
	File        string   `json:"file,omitempty"`
	Roles       []string `json:"roles"`
	Permissions []string `json:"permissions"`
	Servers     []string `json:"servers"`

	// Since is when it came into force.
	Since time.Time `json:"since"`

	// Error is what is wrong with the file, if what it says is not in force.
	Error *adminPolicyError `json:"error,omitempty"`
}

// adminPolicyError is what keeps a policy file from coming into force.
type adminPolicyError struct {
	Since    time.Time       `json:"since"`
	Mistakes []*policy.Error `json:"mistakes"`
}

// getPolicy answers which policy is in force.
func getPolicy(app *App, _ *http.Request) (any, error) {
	state := app.policy.state.Load()
	answer := adminPolicy{
		Hash: state.policy.Hash(), Mode: "enforce", File: app.policy.file, Since: state.since,
		Roles: state.policy.Roles(), Permissions: state.policy.Permissions(), Servers: app.serverNames(),
	}
	if state.policy.Observe() {
		answer.Mode = "observe"
	}
	if state.fault != nil {
		answer.Error = &adminPolicyError{Since: state.faultSince, Mistakes: policy.Mistakes(state.fault)}
	}
	return answer, nil
}

// adminGrant is a grant, as the admin API shows it.
type adminGrant struct {
	ID         string   `json:"id"`
	ClientID   string   `json:"client_id"`
	ClientName string   `json:"client_name,omitempty"`
	Resource   string   `json:"resource"`
	Scope      string   `json:"scope,omitempty"`
	UserID     string   `json:"user_id,omitempty"`
	Email      string   `json:"email,omitempty"`
	Org        string   `json:"org,omitempty"`
	Roles      []string `json:"roles,omitempty"`
	Personal   bool     `json:"personal_token,omitempty"`
	// Narrowing is what the person left the agent of what their role allows; without it, that is all.
	Narrowing *policy.Narrowing `json:"narrowing,omitempty"`
	Created   time.Time         `json:"created"`
	LastUsed  time.Time         `json:"last_used,omitzero"`
	Expires   time.Time         `json:"expires,omitzero"`
}

// listGrants answers with all grants.
func listGrants(app *App, r *http.Request) (any, error) {
	grants := []adminGrant{}
	err := app.oauth.Grants(r.Context(), func(g oauth.Grant) error {
		grants = append(grants, adminGrant(g))
		return nil
	})
	return grants, err
}

// getGrant answers with one grant.
func getGrant(app *App, r *http.Request) (any, error) {
	grant, err := app.oauth.Grant(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, asNotFound(err)
	}
	return adminGrant(*grant), nil
}

// revokeGrant ends a grant.
func revokeGrant(app *App, r *http.Request) (any, error) {
	return nil, asNotFound(app.oauth.EndGrant(r.Context(), r.PathValue("id")))
}

// asNotFound answers 404 where there is nothing of an id.
func asNotFound(err error) error {
	if errors.Is(err, oauth.ErrNoGrant) || errors.Is(err, oauth.ErrNoClient) {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	}
	return err
}

// Interface guards.
var (
	_ caddy.AdminRouter  = (*adminAPI)(nil)
	_ caddy.AdminHandler = (adminHandler)(nil)
)
