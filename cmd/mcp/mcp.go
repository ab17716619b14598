// Package mcpcmd is the `caddy mcp` command. It comes with the plugin: importing caddymodule is enough to have it.
//
// It never imports caddymodule, so that the gateway can import it. What it needs of the gateway it reaches as any
// operator would: by a Caddyfile, by the policy package, or over the admin API.
package mcpcmd

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "mcp",
		Short: "Guards MCP servers: demo and policy tools",
		Long: `
The MCP gateway's own commands. The gateway itself is configured in the Caddyfile
and started with 'caddy run', like everything else in Caddy.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = cobra.NoArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			cmd.AddCommand(demoCommand())
		},
	})
}
