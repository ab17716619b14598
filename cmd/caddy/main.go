// Command caddy is Caddy with the MCP gateway in it: what `xcaddy build` makes, as a plain `go build`.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/mcpgateway/caddy-mcp-gateway/caddymodule"
)

func main() {
	caddycmd.Main()
}
