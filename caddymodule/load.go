package caddymodule

import (
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
				return nil, nil, fmt.Errorf("identity %s stands twice", provider.Name())
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

// loadAudit loads the audit modules.
func (app *App) loadAudit(ctx caddy.Context) (audit.Sink, error) {
	modules, err := ctx.LoadModule(app, "AuditRaw")
	if err != nil {
		return nil, err
	}
	var sinks []audit.Sink
	for _, module := range modules.([]any) {
		auditor, ok := module.(Auditor)
		if !ok {
			return nil, fmt.Errorf("module %T is no place for audit records", module)
		}
		sinks = append(sinks, auditor.Sink())
	}
	if len(sinks) == 1 {
		return sinks[0], nil
	}
	return audit.Multi(sinks...), nil
}
