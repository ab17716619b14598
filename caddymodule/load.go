package caddymodule

import (
	"context"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// loadIdentities loads the identity modules, and lists the roles they give.
func (app *App) loadIdentities(ctx caddy.Context) (providers []identity.Provider, named []mention, err error) {
	modules, err := ctx.LoadModule(app, "IdentitiesRaw")
	if err != nil {
		return nil, nil, err
	}
	list, _ := modules.([]any)
	for _, module := range list {
		guest, ok := module.(Identity)
		if !ok {
			return nil, nil, fmt.Errorf("module %T is no identity provider", module)
		}
		provider := guest.Provider()
		for _, other := range providers {
			if other.Name() == provider.Name() {
				return nil, nil, fmt.Errorf("identity %s stands twice%s", provider.Name(), nameThem(guest, provider.Name()))
			}
		}
		providers = append(providers, provider)
		if giver, ok := module.(mentioner); ok {
			named = append(named, giver.mentions()...)
		}
	}
	return providers, named, nil
}

// loadStore loads the store module and opens it.
func (app *App) loadStore(ctx caddy.Context) (store.Store, error) {
	module, err := ctx.LoadModule(app, "StoreRaw")
	if err != nil {
		return nil, err
	}
	opener, ok := module.(StoreOpener)
	if !ok {
		return nil, fmt.Errorf("module %T is no store", module)
	}
	return opener.Open(app.now)
}

// auditKeeper is an Auditor that keeps records until another place has taken them.
type auditKeeper interface {
	// Run hands them on until ctx ends.
	Run(ctx context.Context)
	// Blocked says why nothing may be done now that would have to be recorded, or nil. It is asked for each request, and quick.
	Blocked() error
}

// loadAudit loads the audit modules. The log is always among them.
func (app *App) loadAudit(ctx caddy.Context) (audit.Sink, error) {
	modules, err := ctx.LoadModule(app, "AuditRaw")
	if err != nil {
		return nil, err
	}
	var sinks []audit.Sink
	logged := false
	for _, module := range modules.([]any) {
		auditor, ok := module.(Auditor)
		if !ok {
			return nil, fmt.Errorf("module %T is no place for audit records", module)
		}
		switch m := module.(type) {
		case *AuditLog:
			logged = true
		case *AuditWorkOS:
			if err := m.setUp(app.providers); err != nil {
				return nil, err
			}
		}
		if keeper, ok := module.(auditKeeper); ok {
			app.auditKeepers = append(app.auditKeepers, keeper)
		}
		sinks = append(sinks, auditor.Sink())
	}
	if !logged {
		sinks = append(sinks, audit.Log(ctx.Logger(loggerName(auditLogger))))
	}
	if len(sinks) == 1 {
		return sinks[0], nil
	}
	return audit.Multi(sinks...), nil
}

// unaudited says why MCP requests can't be recorded as they have to be, or nil.
func (app *App) unaudited() error {
	for _, keeper := range app.auditKeepers {
		if err := keeper.Blocked(); err != nil {
			return err
		}
	}
	return nil
}
