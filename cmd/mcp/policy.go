package mcpcmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// policyCommand is `caddy mcp policy`.
func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Checks and explains policy files",
		Args:  arguments(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(validateCommand(), explainCommand(), initCommand(), suggestCommand(), casesCommand(), schemaCommand())
	return cmd
}

// validation is the JSON form of the answer of `caddy mcp policy validate`.
type validation struct {
	Valid       bool            `json:"valid"`
	Hash        string          `json:"hash,omitempty"`
	Roles       []string        `json:"roles,omitempty"`
	Permissions []string        `json:"permissions,omitempty"`
	Errors      []*policy.Error `json:"errors,omitempty"`
}

func validateCommand() *cobra.Command {
	var servers []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "validate FILE",
		Short:   "Says whether a policy file is right, and if not, what is wrong where",
		Example: "  caddy mcp policy validate mcp-policy.yaml --servers github,docs",
		Args:    arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			compiled, err := compile(args[0])
			if err == nil && len(servers) > 0 {
				err = compiled.CheckServers(servers)
			}
			out := cmd.OutOrStdout()
			switch {
			case err != nil && asJSON:
				if err := printJSON(out, validation{Errors: policy.Mistakes(err)}); err != nil {
					return err
				}
				return no(cmd)
			case err != nil:
				for _, m := range policy.Mistakes(err) {
					cmd.PrintErrln(line(m))
				}
				return no(cmd)
			case asJSON:
				return printJSON(out, validation{Valid: true, Hash: compiled.Hash(), Roles: compiled.Roles(), Permissions: compiled.Permissions()})
			}
			_, err = fmt.Fprintf(out, "%s is fine: roles %s; permissions %s\n", args[0], list(compiled.Roles()), list(compiled.Permissions()))
			return err
		},
	}
	cmd.Flags().StringSliceVar(&servers, "servers", nil, "names of the servers there are; a rule for any other is a mistake")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// compile reads a policy file.
func compile(file string) (*policy.Policy, error) {
	document, err := policy.Load(file)
	if err != nil {
		return nil, err
	}
	return policy.Compile(document)
}

// warnUnknown says which of the given names the policy has no rules for: allowed, but often a slip of the keyboard.
func warnUnknown(cmd *cobra.Command, what string, given, known []string) {
	for _, name := range given {
		if slices.Contains(known, name) {
			continue
		}
		hint := ""
		if suggestion := policy.Suggest(name, known); suggestion != "" {
			hint = "; did you mean " + suggestion + "?"
		}
		cmd.PrintErrf("note: the policy has no rules for the %s %s%s\n", what, name, hint)
	}
}

// line writes a mistake as compilers do.
func line(m *policy.Error) string {
	if m.File == "" {
		return m.Message
	}
	return m.Error()
}

// list writes names for a person to read.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
