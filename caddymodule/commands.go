package caddymodule

import (
	_ "github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp" // `caddy mcp …` comes with the plugin
)
