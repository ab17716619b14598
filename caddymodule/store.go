package caddymodule

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/caddystore"
)

func init() { caddy.RegisterModule(CaddyStore{}) }

// StoreOpener is a guest module of the namespace mcp_gateway.stores: where grants, codes, clients and keys are kept.
type StoreOpener interface {
	// Open returns the store. It touches nothing yet.
	Open(now func() time.Time) (store.Store, error)
}

// CaddyStore keeps the gateway's state in Caddy's configured storage: the disk, or what a storage plugin makes of it.
type CaddyStore struct {
	// The folder of the gateway's records in the storage. Gateways that share a storage and must not share state need
	// different ones. Default: mcp_gateway.
	Prefix string `json:"prefix,omitempty"`

	ctx caddy.Context
}

// CaddyModule returns the Caddy module information.
func (CaddyStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway.stores.caddy", New: func() caddy.Module { return new(CaddyStore) }}
}

// Provision sets up the module.
func (s *CaddyStore) Provision(ctx caddy.Context) error {
	s.ctx = ctx
	if s.Prefix == "" {
		s.Prefix = "mcp_gateway"
	}
	return checkPrefix(s.Prefix)
}

// checkPrefix refuses a folder outside the storage. Storages differ in what they make of such a name.
func checkPrefix(prefix string) error {
	if !fs.ValidPath(prefix) || prefix == "." || strings.ContainsAny(prefix, "\\:\x00") {
		return fmt.Errorf("prefix %q must be a folder within the storage, such as mcp_gateway or gateways/one", prefix)
	}
	return nil
}

// Open implements StoreOpener.
func (s *CaddyStore) Open(now func() time.Time) (store.Store, error) {
	return caddystore.New(s.ctx.Storage(), s.Prefix, now, caddystore.Logger(s.ctx.Slogger())), nil
}

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	store caddy {
//	    prefix <folder>
//	}
func (s *CaddyStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return readBlock(d, nil, options{
		"prefix": func(d *caddyfile.Dispenser) error {
			if err := oneArg(d, &s.Prefix); err != nil {
				return err
			}
			if err := checkPrefix(s.Prefix); err != nil {
				return d.WrapErr(err)
			}
			return nil
		},
	})
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*CaddyStore)(nil)
	_ caddyfile.Unmarshaler = (*CaddyStore)(nil)
	_ StoreOpener           = (*CaddyStore)(nil)
)
