// Package mcpcmd is the `caddy mcp` command. It comes with the plugin: importing caddymodule is enough to have it.
//
// It never imports caddymodule, so that the gateway can import it. What it needs of the gateway it reaches as any
// operator would: by a Caddyfile, by the policy package, or over the admin API.
package mcpcmd

import (
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "mcp",
		Short: "Guards MCP servers: a demo, tools for policies, and what was granted",
		Long: `
The MCP gateway's own commands. The gateway itself is configured in the Caddyfile
and started with 'caddy run', like everything else in Caddy.

Exit status: 0 yes or fine, 1 no or failed, 2 not understood.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usage(cmd, fmt.Errorf("there is no command %q", args[0]))
				}
				return nil
			}
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			cmd.SetFlagErrorFunc(usage)
			cmd.AddCommand(demoCommand(), policyCommand(), toolsCommand(), grantsCommand(), clientsCommand(), pinsCommand())
		},
	})
}
