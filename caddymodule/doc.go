// Package caddymodule is the Caddy face of the gateway: it wires the rooms together and decides nothing itself.
package caddymodule
