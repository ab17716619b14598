package caddystore

import (
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

func TestFileStorageKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store {
		return New(&certmagic.FileStorage{Path: t.TempDir()}, "mcp_gateway", now)
	})
}
