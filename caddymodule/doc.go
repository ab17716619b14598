// Package caddymodule is the Caddy face of the gateway: the app `mcp_gateway`, the HTTP handler of the same name, their
// guest modules, the Caddyfile syntax, the admin API and the metrics. It wires the rooms together and decides nothing
// itself: who may come in is the business of oauth, what may pass that of guard, as whom we go on that of upstream.
package caddymodule
