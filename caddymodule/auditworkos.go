package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	auditworkos "github.com/mcpgateway/caddy-mcp-gateway/internal/audit/workos"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity/workos"
)

func init() { caddy.RegisterModule(AuditWorkOS{}) }

// auditQueues holds the queues of audit records for WorkOS, by directory: what a config has not sent yet, the next one sends.
var auditQueues = caddy.NewUsagePool()

const (
	// defaultAuditQueue is how long the queue may get, in bytes: more than an hour's outage at 100 calls a second.
	defaultAuditQueue = 1 << 30
	// minAuditQueue is enough for what is being sent, and what comes meanwhile.
	minAuditQueue = 16 << 20
)

// AuditWorkOS sends the audit records of people in organizations of WorkOS to WorkOS Audit Logs. The logger mcp_gateway.audit gets all records
// besides. What WorkOS has not taken yet is kept on disk, over outages, reloads and restarts.
type AuditWorkOS struct {
	// The API key of the WorkOS environment. Default: that of identity workos.
	APIKey string `json:"api_key,omitempty"`

	// The origin of the WorkOS API. Default: that of identity workos.
	BaseURL string `json:"base_url,omitempty"`

	// The directory of the queue, which no other process may use. Default: mcp_gateway/audit-workos in Caddy's data directory.
	Queue string `json:"queue,omitempty"`

	// How long the queue may get, in bytes. Default: 1 GiB, at least 16 MiB.
	MaxSize int64 `json:"max_size,omitempty"`

	// What happens when the queue is full, or can't be written to: drop leaves the records to the log, refuse has MCP requests answered 503 until
	// there is room. Default: drop.
	WhenFull string `json:"when_full,omitempty"`

	config auditworkos.Config
	sink   *auditworkos.Sink
	joined bool
}

// CaddyModule returns the Caddy module information.
func (AuditWorkOS) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway.audit.workos", New: func() caddy.Module { return new(AuditWorkOS) }}
}

// Provision sets up the module. It touches neither the disk nor the network.
func (a *AuditWorkOS) Provision(ctx caddy.Context) error {
	if a.Queue == "" {
		a.Queue = filepath.Join(caddy.AppDataDir(), "mcp_gateway", "audit-workos")
	}
	if a.MaxSize == 0 {
		a.MaxSize = defaultAuditQueue
	}
	if a.MaxSize < minAuditQueue {
		return fmt.Errorf("max_size of audit workos must be at least %d bytes", minAuditQueue)
	}
	switch a.WhenFull {
	case "", "drop", "refuse":
	default:
		return fmt.Errorf("when_full of audit workos can be drop or refuse, not %s", a.WhenFull)
	}
	dir, err := resolve("queue of audit workos", a.Queue)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("queue of audit workos: %w", err)
	}
	a.config = auditworkos.Config{MaxSize: a.MaxSize, Logger: ctx.Logger(), Now: time.Now}
	if a.APIKey != "" {
		if a.config.APIKey, err = resolve("api_key of audit workos", a.APIKey); err != nil {
			return err
		}
	}
	if a.BaseURL != "" {
		if a.config.BaseURL, err = resolve("base_url of audit workos", a.BaseURL); err != nil {
			return err
		}
		if err := workos.CheckBaseURL(a.config.BaseURL); err != nil {
			return fmt.Errorf("audit workos: %w", err)
		}
	}
	queue, _, err := auditQueues.LoadOrNew(dir, func() (caddy.Destructor, error) { return auditworkos.NewQueue(dir), nil })
	if err != nil {
		return err
	}
	a.Queue, a.joined = dir, true
	a.config.Queue = queue.(*auditworkos.Queue)
	return nil
}

// setUp completes the settings with those of identity workos, and makes the sink.
func (a *AuditWorkOS) setUp(providers []identity.Provider) error {
	for _, provider := range providers {
		if account, ok := provider.(*workos.Provider); ok && a.config.APIKey == "" {
			base, key := account.Account()
			a.config.APIKey = key
			if a.config.BaseURL == "" {
				a.config.BaseURL = base
			}
		}
	}
	if a.config.APIKey == "" {
		return errors.New("audit workos needs api_key, such as: api_key {env.WORKOS_API_KEY}; without it, identity workos has to be there")
	}
	if a.config.BaseURL == "" {
		a.config.BaseURL = workos.DefaultBaseURL
	}
	a.config.BaseURL = strings.TrimSuffix(a.config.BaseURL, "/")
	a.sink = auditworkos.New(a.config)
	return nil
}

// Sink implements Auditor.
func (a *AuditWorkOS) Sink() audit.Sink { return a.sink }

// Run sends what is in the queue until ctx ends.
func (a *AuditWorkOS) Run(ctx context.Context) { a.sink.Run(ctx) }

// Blocked says why MCP requests are not to be served now, or nil.
func (a *AuditWorkOS) Blocked() error {
	if a.WhenFull != "refuse" {
		return nil
	}
	return a.sink.Blocked()
}

// Cleanup gives back the queue.
func (a *AuditWorkOS) Cleanup() error {
	if !a.joined {
		return nil
	}
	a.joined = false
	_, err := auditQueues.Delete(a.Queue)
	return err
}

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	audit workos {
//	    api_key   <key>
//	    base_url  <url>
//	    queue     <directory>
//	    max_size  <size>
//	    when_full drop|refuse
//	}
func (a *AuditWorkOS) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return readBlock(d, nil, options{
		"api_key":   text(&a.APIKey),
		"base_url":  text(&a.BaseURL),
		"queue":     text(&a.Queue),
		"max_size":  size(&a.MaxSize),
		"when_full": oneOf(&a.WhenFull, "drop", "refuse"),
	})
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*AuditWorkOS)(nil)
	_ caddy.CleanerUpper    = (*AuditWorkOS)(nil)
	_ caddyfile.Unmarshaler = (*AuditWorkOS)(nil)
	_ Auditor               = (*AuditWorkOS)(nil)
	_ auditKeeper           = (*AuditWorkOS)(nil)
)
