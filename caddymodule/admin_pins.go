package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
)

// adminPin is the pin of a tool, as the admin API shows it.
type adminPin struct {
	Server string `json:"server"`
	Tool   string `json:"tool"`
	// State is seen (pinned since it was seen first), approved, changed (and not approved since), or new (and never approved).
	State     string          `json:"state"`
	Pinned    *catalog.Digest `json:"pinned,omitempty"`
	PinnedAt  time.Time       `json:"pinned_at,omitzero"`
	Pending   *catalog.Digest `json:"pending,omitempty"`
	PendingAt time.Time       `json:"pending_at,omitzero"`
	Changes   int             `json:"changes,omitempty"`
	// Hidden says that the newest definition has characters that people can't see.
	Hidden bool `json:"hidden_characters,omitempty"`
}

// showPin makes a pin fit for the admin API.
func showPin(p catalog.Pin) adminPin {
	pin := adminPin{
		Server: p.Server, Tool: p.Tool, State: "seen", Pinned: p.Pinned, PinnedAt: p.PinnedAt, Pending: p.Pending, PendingAt: p.PendingAt,
		Changes: p.Changes, Hidden: p.Concealed,
	}
	switch {
	case p.Pinned == nil:
		pin.State = "new"
	case p.Pending != nil:
		pin.State = "changed"
	case p.Approved:
		pin.State = "approved"
	}
	return pin
}

// listPins answers with the pins of all tools.
func listPins(app *App, r *http.Request) (any, error) {
	all, err := app.shared.pins.List(r.Context(), "", "")
	pins := make([]adminPin, len(all))
	for i, p := range all {
		pins[i] = showPin(p)
	}
	return pins, err
}

// adminPinDiff is the pin of a tool with what differs in it.
type adminPinDiff struct {
	adminPin
	// Diff leads from what is pinned to what waits, as a unified diff in which nothing is hidden. Where nothing waits, it has
	// the whole definition.
	Diff string `json:"diff"`
}

// getPin answers with the pin of one tool.
func getPin(app *App, r *http.Request) (any, error) {
	pins, err := app.shared.pins.List(r.Context(), r.PathValue("server"), r.PathValue("tool"))
	switch {
	case err != nil:
		return nil, err
	case len(pins) == 0:
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no such tool was seen")}
	}
	answer := make([]adminPinDiff, len(pins))
	for i, p := range pins {
		answer[i] = adminPinDiff{adminPin: showPin(p)}
		if p.Pending == nil {
			answer[i].Diff = catalog.Diff("", p.PinnedText)
		} else {
			answer[i].Diff = catalog.Diff(p.PinnedText, p.PendingText)
		}
	}
	return answer, nil
}

// approvePins approves what its body names: the tool of a server, or all of the server's that wait; with a digest, if it is
// still that definition.
func approvePins(app *App, r *http.Request) (any, error) {
	var ask struct {
		Server string         `json:"server"`
		Tool   string         `json:"tool"`
		Digest catalog.Digest `json:"digest"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxAdminBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&ask); err != nil || ask.Server == "" || ask.Tool == "" && ask.Digest != (catalog.Digest{}) {
		return nil, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(`the body must be {"server":"…"}, with "tool":"…", and "digest":"…" of what was looked at`)}
	}
	tools, err := app.shared.pins.Approve(r.Context(), ask.Server, ask.Tool, ask.Digest)
	switch {
	case errors.Is(err, catalog.ErrNothingWaits):
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	case errors.Is(err, catalog.ErrChangedAgain):
		return nil, caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
	case err != nil:
		return nil, err
	}
	for _, tool := range tools {
		app.auditor.Record(&audit.Record{
			Time: app.now(), Event: "tool_approved", Decision: "allow", Server: ask.Server, Kind: "tool", Name: tool, Reason: "through the admin API",
		})
	}
	return map[string]any{"server": ask.Server, "approved": tools}, nil
}
