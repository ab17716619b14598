package mcpcmd

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// sightRow is one thing of a server, and who sees it, in the JSON form of the answer of `caddy mcp tools`.
type sightRow struct {
	Kind        string            `json:"kind"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Annotations map[string]bool   `json:"annotations,omitempty"`
	Seen        map[string]string `json:"seen"` // by who: allow, ask or deny
}

// sightTable is the JSON form of the answer of `caddy mcp tools`.
type sightTable struct {
	Server string     `json:"server"`
	Who    []string   `json:"who"`
	Rows   []sightRow `json:"offers"`
}

// viewer is one for whom a column stands.
type viewer struct {
	title   string
	subject policy.Subject
}

func toolsCommand() *cobra.Command {
	var flags serverFlags
	var file, server string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tools URL",
		Short: "Shows who sees which tools of a running server, by a policy",
		Long: `
Asks a running MCP server for its tools, prompts and resources, and a policy who sees
them: everyone, who has a role, and who has a permission and nothing else. What a rule
allows or denies only with some arguments is shown as a list would show it.`,
		Example: "  caddy mcp tools http://localhost:9000/mcp --policy mcp-policy.yaml --server files",
		Args:    arguments("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usage(cmd, errors.New("--policy is missing"))
			}
			document, err := policy.Load(file)
			if err != nil {
				return usage(cmd, err)
			}
			compiled, err := policy.Compile(document)
			if err != nil {
				return usage(cmd, err)
			}
			if server == "" {
				if server, err = serverIn(document, args[0]); err != nil {
					return usage(cmd, err)
				}
			}
			all, err := flags.list(cmd.Context(), args[0])
			if err != nil {
				return failure(cmd, err)
			}
			table := sights(compiled, server, all)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), table)
			}
			return table.print(cmd.OutOrStdout())
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&file, "policy", "", "the policy file")
	cmd.Flags().StringVar(&server, "server", "", "the server's name in the policy; needed if that has rules for several")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// serverIn finds out which server of a policy is meant: the one that the URL ends in, or the only one.
func serverIn(document *policy.Document, address string) (string, error) {
	var names []string
	for _, block := range blocksOf(document) {
		for _, rule := range slices.Concat(block.Allow, block.Ask, block.Deny) {
			if rule.Server != "" && !strings.Contains(rule.Server, "*") && !slices.Contains(names, rule.Server) {
				names = append(names, rule.Server)
			}
		}
	}
	slices.Sort(names)
	if u, err := url.Parse(address); err == nil && slices.Contains(names, path.Base(u.Path)) {
		return path.Base(u.Path), nil
	}
	switch len(names) {
	case 0:
		return "mcp", nil // the rules are for whatever server
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("--server is missing: the policy has rules for %s", list(names))
}

// blocksOf returns all that a policy says of roles, permissions and everyone.
func blocksOf(document *policy.Document) []*policy.Block {
	blocks := []*policy.Block{}
	if document.Everyone != nil {
		blocks = append(blocks, document.Everyone)
	}
	for _, some := range []map[string]*policy.Block{document.Roles, document.Permissions} {
		for _, block := range some {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// viewers are those that a policy tells apart, one by one.
func viewers(p *policy.Policy) []viewer {
	all := []viewer{{title: "everyone"}}
	for _, role := range p.Roles() {
		all = append(all, viewer{role, policy.Subject{Roles: []string{role}}})
	}
	for _, permission := range p.Permissions() {
		all = append(all, viewer{"+" + permission, policy.Subject{Permissions: []string{permission}}})
	}
	return all
}

// sights asks a policy who sees what.
func sights(p *policy.Policy, server string, all *offers) *sightTable {
	table := &sightTable{Server: server, Rows: []sightRow{}}
	who, now := viewers(p), time.Now()
	for _, v := range who {
		table.Who = append(table.Who, v.title)
	}
	for kind, list := range all.kinds {
		for _, o := range list {
			row := sightRow{Kind: policy.Kind(kind).String(), Name: o.name, Description: plainLine(o.about, 500), Seen: make(map[string]string)}
			if o.hints.Known {
				row.Annotations = map[string]bool{
					"readOnlyHint": o.hints.ReadOnly, "destructiveHint": o.hints.Destructive,
					"idempotentHint": o.hints.Idempotent, "openWorldHint": o.hints.OpenWorld,
				}
			}
			for _, v := range who {
				decision := p.View(&v.subject, server).Judge(policy.Kind(kind), o.name, &policy.Facts{Subject: &v.subject, Tool: o.hints, Now: now})
				row.Seen[v.title] = decision.Verdict()
			}
			table.Rows = append(table.Rows, row)
		}
	}
	return table
}

// print writes the table for people: what is denied is a dot, so that the rest stands out.
func (t *sightTable) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tHINTS\t%s\n", strings.ToUpper(plainLine(t.Server, 60)), strings.Join(t.Who, "\t"))
	for _, row := range t.Rows {
		fmt.Fprintf(w, "%s %s\t%s", row.Kind, plainLine(row.Name, 100), hintWords(row.Annotations))
		for _, who := range t.Who {
			seen := row.Seen[who]
			if seen == policy.VerdictDeny {
				seen = "·"
			}
			fmt.Fprintf(w, "\t%s", seen)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(t.Rows) == 0 {
		fmt.Fprintln(out, "the server offers nothing")
	}
	return nil
}

// hintWords says what a server says of a tool, shortly.
func hintWords(annotations map[string]bool) string {
	switch {
	case annotations == nil:
		return ""
	case annotations["readOnlyHint"]:
		return "reads"
	case annotations["destructiveHint"]:
		return "may destroy"
	}
	return "adds"
}
