// Package upstream is what the gateway presents to an MCP server: what it takes off an agent's request, and
// as whom it goes on.
package upstream

import (
	"context"
	"net/http"
)

// Credentials are what the gateway proves itself with to an MCP server.
type Credentials interface {
	// Apply sets the credentials in the header of a request that Clean has been over. With an error the
	// request must not be sent.
	Apply(ctx context.Context, h http.Header) error
}
