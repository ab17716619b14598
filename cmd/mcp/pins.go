package mcpcmd

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// pinsCommand is `caddy mcp pins`.
func pinsCommand() *cobra.Command {
	return group("pins", "Shows which tools are not what they were, and approves them", pinsListCommand(), pinsDiffCommand(), pinsApproveCommand())
}

// pinRow is the pin of a tool, as the admin API shows it.
type pinRow struct {
	Server    string    `json:"server"`
	Tool      string    `json:"tool"`
	State     string    `json:"state"`
	Pinned    string    `json:"pinned,omitempty"`
	PinnedAt  time.Time `json:"pinned_at,omitzero"`
	Pending   string    `json:"pending,omitempty"`
	PendingAt time.Time `json:"pending_at,omitzero"`
	Changes   int       `json:"changes,omitempty"`
	Hidden    bool      `json:"hidden_characters,omitempty"`
	Diff      string    `json:"diff,omitempty"`
}

// pinFlags choose tools.
type pinFlags struct {
	adminFlags
	server, tool string
}

// add adds the flags to a command.
func (f *pinFlags) add(cmd *cobra.Command) {
	f.adminFlags.add(cmd)
	cmd.Flags().StringVar(&f.server, "server", "", "only tools of this server")
	cmd.Flags().StringVar(&f.tool, "tool", "", "only the tool of this name")
}

// pins returns the pins that the flags choose.
func (f *pinFlags) pins() ([]pinRow, error) {
	var all []pinRow
	if err := f.ask(http.MethodGet, []string{"pins"}, nil, &all); err != nil {
		return nil, err
	}
	chosen := all[:0]
	for _, pin := range all {
		if (f.server == "" || pin.Server == f.server) && (f.tool == "" || pin.Tool == f.tool) {
			chosen = append(chosen, pin)
		}
	}
	return chosen, nil
}

func pinsListCommand() *cobra.Command {
	var flags pinFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the tools that were seen, and which of them changed or wait for approval",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pins, err := flags.pins()
			if err != nil {
				return err
			}
			if flags.asJSON {
				return printJSON(cmd.OutOrStdout(), pins)
			}
			rows := make([][]string, len(pins))
			for i, p := range pins {
				since, hidden := p.PinnedAt, ""
				if p.Pending != "" {
					since = p.PendingAt
				}
				if p.Hidden {
					hidden = "hidden characters"
				}
				rows[i] = []string{p.Server, p.Tool, p.State, moment(since), hidden}
			}
			return table(cmd.OutOrStdout(), []string{"SERVER", "TOOL", "STATE", "SINCE", "WARNING"}, rows)
		},
	}
	flags.add(cmd)
	return cmd
}

func pinsDiffCommand() *cobra.Command {
	var flags pinFlags
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Shows what changed in the tools that wait for approval",
		Long: `
Shows what changed in the tools that are not what they were: the definition that
is pinned, and the one that the server has now. A tool that is named is shown also
if nothing changed. Characters that can't be seen are written as escapes.

Exit status: 0 nothing changed, 1 something did, 2 not understood.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pins, err := flags.pins()
			if err != nil {
				return err
			}
			waits := false
			var diffs []pinRow
			for _, pin := range pins {
				if pin.Pending == "" && flags.tool == "" {
					continue
				}
				var found []pinRow
				if err := flags.ask(http.MethodGet, []string{"pins", pin.Server, pin.Tool}, nil, &found); err != nil {
					return err
				}
				waits = waits || pin.Pending != ""
				diffs = append(diffs, found...)
			}
			if err := flags.printDiffs(cmd, diffs); err != nil {
				return err
			}
			if waits {
				return no(cmd)
			}
			return nil
		},
	}
	flags.add(cmd)
	return cmd
}

// printDiffs writes what changed.
func (f *pinFlags) printDiffs(cmd *cobra.Command, diffs []pinRow) error {
	out := cmd.OutOrStdout()
	if f.asJSON {
		return printJSON(out, append([]pinRow{}, diffs...))
	}
	for _, p := range diffs {
		name := plainLine(p.Server, 200) + " " + plainLine(p.Tool, 200)
		was, now := p.Pinned, p.Pending
		if now == "" {
			was, now = "", p.Pinned
		}
		fmt.Fprintf(out, "--- %s %s %s\n+++ %s %s %s\n", name, short(was), moment(p.PinnedAt), name, now, moment(p.PendingAt))
		if p.Hidden {
			fmt.Fprintln(out, "! it has characters that people can't see and models read: look for \\u{…}")
		}
		if p.Diff == "" {
			p.Diff = "  (the definitions are too large to be kept)\n"
		}
		fmt.Fprintln(out, strings.TrimSuffix(p.Diff, "\n"))
	}
	return nil
}

// short is the beginning of a digest.
func short(digest string) string {
	if digest == "" {
		return "(none)"
	}
	return digest[:min(12, len(digest))]
}

func pinsApproveCommand() *cobra.Command {
	var flags pinFlags
	var digest string
	cmd := &cobra.Command{
		Use:   "approve --server SERVER [--tool TOOL [--digest DIGEST]]",
		Short: "Approves what tools are now",
		Long: `
Approves the definition that a tool has now, or those of all tools of the server
that wait. With the digest that 'caddy mcp pins diff' shows, the tool is approved
only if it is still what was looked at.`,
		Example: "  caddy mcp pins approve --server github --tool create_issue",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case flags.server == "":
				return usage(cmd, fmt.Errorf("--server is missing"))
			case digest != "" && flags.tool == "":
				return usage(cmd, fmt.Errorf("--digest needs --tool"))
			}
			ask := map[string]string{"server": flags.server}
			if flags.tool != "" {
				ask["tool"] = flags.tool
			}
			if digest != "" {
				ask["digest"] = digest
			}
			var answer struct {
				Server   string   `json:"server"`
				Approved []string `json:"approved"`
			}
			if err := flags.ask(http.MethodPost, []string{"pins", "approve"}, ask, &answer); err != nil {
				return err
			}
			if flags.asJSON {
				return printJSON(cmd.OutOrStdout(), answer)
			}
			for _, tool := range answer.Approved {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s: approved\n", plainLine(answer.Server, 200), plainLine(tool, 200))
			}
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&digest, "digest", "", "approve only this definition")
	return cmd
}
