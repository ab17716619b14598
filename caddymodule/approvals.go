package caddymodule

import (
	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// auditing is a sink that finds out where to for each record.
type auditing func() audit.Sink

// Record implements audit.Sink.
func (to auditing) Record(r *audit.Record) { to().Record(r) }

// newApprovals makes the place where calls wait for people. It outlives the config that made it: where its pages are and its
// events go is up to the newest one.
func (app *App) newApprovals(rt *runtime, keeper store.Store) *approval.Desk {
	newest := func() *App {
		if app := rt.started.newest(); app != nil {
			return app
		}
		return app
	}
	return approval.New(approval.Config{
		Store: keeper, Sealer: rt.sealer, Now: app.now,
		Page:  func(id string) string { return newest().oauth.ApprovalPage(id) },
		Audit: auditing(func() audit.Sink { return newest().auditor }),
	})
}
