package mcpcmd

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// trial is what came of one case, in the JSON form of the answer of `caddy mcp policy test`.
type trial struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Name  string `json:"name,omitempty"`
	Asked string `json:"asked"`
	Want  string `json:"want"`
	OK    bool   `json:"ok"`
	policy.Explanation
}

// trials is the JSON form of the answer of `caddy mcp policy test`.
type trials struct {
	Passed int     `json:"passed"`
	Failed int     `json:"failed"`
	Cases  []trial `json:"cases"`
}

func casesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test FILE TESTS.yaml",
		Short: "Says whether a policy decides as a list of cases wants it",
		Long: `
Asks a policy each question of a list, and compares what it decides with what the list
wants. A case names who asks, what for, and the decision that is wanted:

  - as: { roles: [engineer], email: ann@example.com }
    server: github
    tool: create_issue
    args: { owner: acme, title: Hello }
    want: allow        # or ask, or deny
    name: engineers write in our own repositories

Besides tool there are prompt, resource and template. Without args it is asked whether
it is listed. as can have id, email, name, org, roles, permissions, groups, claims,
client and machine; annotations is what the server says of the tool, and now the time.`,
		Example: "  caddy mcp policy test mcp-policy.yaml mcp-policy.tests.yaml",
		Args:    arguments("FILE", "TESTS.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			compiled, err := compile(args[0])
			if err != nil {
				return usage(cmd, err)
			}
			cases, err := readCases(args[1])
			if err != nil {
				return usage(cmd, err)
			}
			answer := try(compiled, cases)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), answer)
			} else {
				err = answer.print(cmd.OutOrStdout())
			}
			if err != nil || answer.Failed == 0 {
				return err
			}
			return no(cmd)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// readCases reads a file of cases.
func readCases(file string) ([]policy.Case, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, policy.MaxDocument+1))
	if err != nil {
		return nil, err
	}
	return policy.ParseCases(file, data)
}

// try asks a policy every question.
func try(p *policy.Policy, cases []policy.Case) *trials {
	answer := new(trials)
	now := time.Now()
	for i := range cases {
		c := &cases[i]
		if c.Now.IsZero() {
			c.Now = now
		}
		t := trial{File: c.At.File, Line: c.At.Line, Name: c.Title, Asked: asked(&c.Question), Want: c.Want, Explanation: p.Explain(&c.Question)}
		if t.OK = t.Verdict == c.Want; t.OK {
			answer.Passed++
		} else {
			answer.Failed++
		}
		answer.Cases = append(answer.Cases, t)
	}
	return answer
}

// asked says in a few words what a question is.
func asked(q *policy.Question) string {
	who := cmp.Or(q.Subject.Email, q.Subject.ID)
	for _, names := range [][]string{q.Subject.Roles, q.Subject.Permissions} {
		if len(names) > 0 {
			who = strings.TrimSpace(who + " " + strings.Join(names, "+"))
		}
	}
	return fmt.Sprintf("%s: %s %s of %s", cmp.Or(who, "anybody"), q.Kind, q.Name, q.Server)
}

// print writes what failed, and why, and how many did not.
func (a *trials) print(out io.Writer) error {
	for i := range a.Cases {
		t := &a.Cases[i]
		if t.OK {
			continue
		}
		title := plainLine(t.Asked, mostOfReason)
		if t.Name != "" {
			title = plainLine(t.Name, mostOfReason) + " (" + title + ")"
		}
		fmt.Fprintf(out, "%s: FAIL: %s: want %s\n", policy.Position{File: t.File, Line: t.Line}, title, t.Want)
		if err := printExplanation(out, "  ", &t.Explanation); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%d cases: %d as wanted, %d not\n", len(a.Cases), a.Passed, a.Failed)
	return err
}
