package mcpcmd

import (
	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Prints a JSON schema of policy files, for editors",
		Long: `
Prints a JSON schema of policy files. Editors with the YAML language server check a file
by it, and complete its keys, if the file begins with

  # yaml-language-server: $schema=mcp-policy.schema.json`,
		Example: "  caddy mcp policy schema > mcp-policy.schema.json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(policy.Schema())
			return err
		},
	}
}
