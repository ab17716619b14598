package mcpcmd

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// grantsCommand is `caddy mcp grants`.
func grantsCommand() *cobra.Command {
	return group("grants", "Lists and revokes what people have granted agents", grantsListCommand(), revokeCommand("grants",
		"Ends grants, with their tokens and their open streams", "  caddy mcp grants revoke 4kQ1"))
}

// clientsCommand is `caddy mcp clients`.
func clientsCommand() *cobra.Command {
	return group("clients", "Lists and revokes OAuth clients", clientsListCommand(), revokeCommand("clients",
		"Ends all grants of clients, and forgets those that registered themselves", "  caddy mcp clients revoke mcp-3kd2"))
}

// grantRow is a grant, as the admin API shows it, as far as it is listed.
type grantRow struct {
	ID         string    `json:"id"`
	ClientID   string    `json:"client_id"`
	ClientName string    `json:"client_name"`
	Resource   string    `json:"resource"`
	UserID     string    `json:"user_id"`
	Email      string    `json:"email"`
	LastUsed   time.Time `json:"last_used"`
	Created    time.Time `json:"created"`

	Narrowing *policy.Narrowing `json:"narrowing"`
}

func grantsListCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists what people have granted agents, at the running gateway",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.asJSON {
				return flags.passOn(cmd, "grants")
			}
			var grants []grantRow
			if err := flags.ask(http.MethodGet, []string{"grants"}, nil, &grants); err != nil {
				return err
			}
			rows := make([][]string, len(grants))
			for i, g := range grants {
				rows[i] = []string{g.ID, cmp.Or(g.Email, g.UserID), cmp.Or(g.ClientName, g.ClientID), g.Resource, moment(g.Created), moment(g.LastUsed), g.Narrowing.String()}
			}
			return table(cmd.OutOrStdout(), []string{"ID", "PERSON", "AGENT", "SERVER", "SINCE", "LAST USED", "MAY USE"}, rows)
		},
	}
	flags.add(cmd)
	return cmd
}

// clientRow is a client, as the admin API shows it, as far as it is listed.
type clientRow struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Origin   string    `json:"origin"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"`
	Grants   int       `json:"grants"`
}

func clientsListCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the OAuth clients of the running gateway",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.asJSON {
				return flags.passOn(cmd, "clients")
			}
			var clients []clientRow
			if err := flags.ask(http.MethodGet, []string{"clients"}, nil, &clients); err != nil {
				return err
			}
			rows := make([][]string, len(clients))
			for i, c := range clients {
				rows[i] = []string{c.ID, c.Name, c.Origin, fmt.Sprint(c.Grants), moment(c.Created), moment(c.LastUsed)}
			}
			return table(cmd.OutOrStdout(), []string{"ID", "NAME", "KNOWN AS", "GRANTS", "SINCE", "LAST USED"}, rows)
		},
	}
	flags.add(cmd)
	return cmd
}

// passOn prints what the admin API answers, as it is.
func (f *adminFlags) passOn(cmd *cobra.Command, path ...string) error {
	var answer any
	if err := f.ask(http.MethodGet, path, nil, &answer); err != nil {
		return err
	}
	return printJSON(cmd.OutOrStdout(), answer)
}

// revoked is what came of one revocation.
type revoked struct {
	ID     string `json:"id"`
	Grants *int   `json:"grants,omitempty"` // that ended with a client
	Error  string `json:"error,omitempty"`
}

// revokeCommand ends things of a kind, by their ids. One that fails does not keep the others from it.
func revokeCommand(kind, short, example string) *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:     "revoke ID...",
		Short:   short,
		Example: example,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return arguments("ID")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			failed := false
			all := make([]revoked, len(args))
			for i, id := range args {
				all[i].ID = id
				var answer struct {
					Grants *int `json:"grants"`
				}
				err := flags.ask(http.MethodDelete, []string{kind, id}, nil, &answer)
				all[i].Grants = answer.Grants
				if err != nil {
					failed, all[i].Error = true, err.Error()
				}
			}
			if err := flags.printRevoked(cmd, all); err != nil {
				return err
			}
			if failed {
				return no(cmd)
			}
			return nil
		},
	}
	flags.add(cmd)
	return cmd
}

// printRevoked says what came of revocations.
func (f *adminFlags) printRevoked(cmd *cobra.Command, all []revoked) error {
	if f.asJSON {
		return printJSON(cmd.OutOrStdout(), all)
	}
	for _, one := range all {
		switch {
		case one.Error != "":
			cmd.PrintErrf("%s: %s\n", plainLine(one.ID, 200), one.Error)
		case one.Grants != nil:
			fmt.Fprintf(cmd.OutOrStdout(), "%s: revoked, with %d grants\n", plainLine(one.ID, 200), *one.Grants)
		default:
			fmt.Fprintf(cmd.OutOrStdout(), "%s: revoked\n", plainLine(one.ID, 200))
		}
	}
	return nil
}
