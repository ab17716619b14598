package caddymodule

import (
	"fmt"
	"slices"
)

// answering are the directives of Caddy that answer requests themselves, hand them to an upstream, or change what others
// answer. Before the gateway, each of them would be a way around it. Those that only refuse (abort, error, basic_auth)
// and those that prepare something may stand there.
var answering = []string{
	"redir", "forward_auth", "intercept", "templates", "invoke", "handle", "handle_path", "route", "copy_response", "respond", "metrics",
	"reverse_proxy", "php_fastcgi", "file_server", "acme_server",
}

// checkOrder says what is wrong with an order of directives, which is nil where the Caddyfile leaves it as it is.
func checkOrder(order []string) error {
	ours := slices.Index(order, "mcp_gateway")
	for _, directive := range order[:max(ours, 0)] {
		if slices.Contains(answering, directive) {
			return fmt.Errorf("the global option order puts %s before mcp_gateway, where it would answer unguarded; leave out that option, or write: order mcp_gateway before redir",
				directive)
		}
	}
	return nil
}
