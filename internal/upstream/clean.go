package upstream

import "net/http"

// Clean takes off a request's header what must never reach an MCP server, and asks for an answer that can be inspected.
func Clean(h http.Header) {
	h.Del("Authorization")
	h.Del("Cookie")
}
