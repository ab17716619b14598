// Package storetest holds the contract of store.Store as a test that every implementation runs.
package storetest

import (
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Opener makes an empty store that reads the time from now.
type Opener func(t *testing.T, now func() time.Time) store.Store

// Run tests that the stores that open makes keep the contract of store.Store.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) store.Store) {
	t.Run("nothing is there at first", func(t *testing.T) {
		if _, err := open(t, time.Now).Get(t.Context(), "kind", "id"); err == nil {
			t.Fatal("an empty store returned a record")
		}
	})
}
