package caddymodule

import (
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// TestDocumentsAreKeptOverReloads holds that a config goes on with the documents of the one before it, unless what they may be
// fetched from is another, and that the last one takes them along.
func TestDocumentsAreKeptOverReloads(t *testing.T) {
	join := func(private ...string) (*App, *oauth.DocumentCache) {
		t.Helper()
		app := new(App)
		app.Clients.MetadataDocuments = &MetadataDocuments{PrivateAddresses: private}
		documents, err := app.joinDocuments()
		if err != nil {
			t.Fatal(err)
		}
		return app, documents.Cache
	}
	part := func(app *App) {
		t.Helper()
		if err := app.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
	first, known := join("192.0.2.1", "198.51.100.0/24")
	second, same := join("198.51.100.7/24", "192.0.2.1/32", "192.0.2.1")
	part(first)
	third, still := join("192.0.2.1", "198.51.100.0/24")
	if same != known || still != known {
		t.Error("documents are lost in a reload")
	}
	other, apart := join("192.0.2.1")
	if apart == known {
		t.Error("what a private address has said is known where it may not be asked")
	}
	part(second)
	part(third)
	last, fresh := join("192.0.2.1", "198.51.100.0/24")
	if fresh == known {
		t.Error("documents that no config uses are kept")
	}
	part(other)
	part(last)
	part(last)
}
