package mcpcmd

import (
	"errors"
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
	cmd.AddCommand(validateCommand(), explainCommand(), initCommand(), suggestCommand())
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

// explanation is the JSON form of the answer of `caddy mcp policy explain`.
type explanation struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule"`
}

func explainCommand() *cobra.Command {
	var (
		subject policy.Subject
		server  string
		names   [policy.Template + 1]string
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:     "explain FILE",
		Short:   "Says whether someone may use something, and which rule decides it",
		Example: "  caddy mcp policy explain mcp-policy.yaml --role member --server github --tool create_issue",
		Args:    arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := onlyKind(names)
			if err != nil {
				return usage(cmd, err)
			}
			if server == "" {
				return usage(cmd, errors.New("--server is missing"))
			}
			compiled, err := compile(args[0])
			if err != nil {
				return usage(cmd, err)
			}
			warnUnknown(cmd, "role", subject.Roles, compiled.Roles())
			warnUnknown(cmd, "permission", subject.Permissions, compiled.Permissions())

			decision := compiled.View(&subject, server).Decide(kind, names[kind])
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), explanation{decision.Allowed, decision.Rule})
			} else {
				verdict := "deny"
				if decision.Allowed {
					verdict = "allow"
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", verdict, decision.Rule)
			}
			if err != nil || decision.Allowed {
				return err
			}
			return no(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&subject.Roles, "role", nil, "a role the person has; may be repeated")
	flags.StringSliceVar(&subject.Permissions, "permission", nil, "a permission the person has; may be repeated")
	flags.StringVar(&subject.Org, "org", "", "the organization the person is signed in to")
	flags.BoolVar(&subject.Machine, "machine", false, "ask for a machine client instead of a person")
	flags.StringVar(&server, "server", "", "the server's name in the policy")
	flags.StringVar(&names[policy.Tool], "tool", "", "the tool's name")
	flags.StringVar(&names[policy.Prompt], "prompt", "", "the prompt's name")
	flags.StringVar(&names[policy.Resource], "resource", "", "the resource's URI")
	flags.StringVar(&names[policy.Template], "template", "", "the resource template")
	flags.BoolVar(&asJSON, "json", false, "answer in JSON")
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

// onlyKind is the one kind of thing that has been named.
func onlyKind(names [policy.Template + 1]string) (kind policy.Kind, err error) {
	named := 0
	for k, name := range names {
		if name != "" {
			kind = policy.Kind(k)
			named++
		}
	}
	if named != 1 {
		return 0, errors.New("exactly one of --tool, --prompt, --resource and --template is needed")
	}
	return kind, nil
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
