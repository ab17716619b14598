package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
)

func init() { caddy.RegisterModule(AuditLog{}) }

// Auditor is a guest module of the namespace mcp_gateway.audit: a place that is told of every decision.
type Auditor interface {
	// Sink returns the provisioned sink.
	Sink() audit.Sink
}

// AuditLog writes one record of every decision and of every OAuth event to the logger mcp_gateway.audit.
type AuditLog struct{ sink audit.Sink }

// auditLogger is the name of the logger that audit records go to, as operators name it in `log` blocks.
const auditLogger = "mcp_gateway.audit"

// CaddyModule returns the Caddy module information.
func (AuditLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway.audit.log", New: func() caddy.Module { return new(AuditLog) }}
}

// Provision sets up the module.
func (a *AuditLog) Provision(ctx caddy.Context) error {
	a.sink = audit.Log(ctx.Logger(loggerName(auditLogger)))
	return nil
}

// Sink implements Auditor.
func (a *AuditLog) Sink() audit.Sink { return a.sink }

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	audit log
func (a *AuditLog) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return readBlock(d, nil, nil) }

// loggerName stands in for a module where a logger has to have a name of its own: Caddy names loggers after modules.
type loggerName string

// CaddyModule returns the Caddy module information.
func (n loggerName) CaddyModule() caddy.ModuleInfo { return caddy.ModuleInfo{ID: caddy.ModuleID(n)} }

// Interface guards.
var (
	_ caddy.Provisioner     = (*AuditLog)(nil)
	_ caddyfile.Unmarshaler = (*AuditLog)(nil)
	_ Auditor               = (*AuditLog)(nil)
)
