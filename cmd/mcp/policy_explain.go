package mcpcmd

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// questionFlags are the flags that make a question.
type questionFlags struct {
	question    policy.Question
	names       [policy.Template + 1]string
	args, now   string
	annotations []string
}

// add adds the flags to a command.
func (f *questionFlags) add(cmd *cobra.Command) {
	flags, subject := cmd.Flags(), &f.question.Subject
	flags.StringSliceVar(&subject.Roles, "role", nil, "a role the person has; may be repeated")
	flags.StringSliceVar(&subject.Permissions, "permission", nil, "a permission the person has; may be repeated")
	flags.StringSliceVar(&subject.Groups, "group", nil, "a group the person is in; may be repeated")
	flags.StringVar(&subject.Org, "org", "", "the organization the person is signed in to")
	flags.StringVar(&subject.ID, "user", "", "the person's id")
	flags.StringVar(&subject.Email, "email", "", "the person's e-mail address")
	flags.StringVar(&subject.Client.ID, "client", "", "the id of the agent's OAuth client")
	flags.BoolVar(&subject.Machine, "machine", false, "ask for a machine client instead of a person")
	flags.StringVar(&f.question.Server, "server", "", "the server's name in the policy")
	flags.StringVar(&f.names[policy.Tool], "tool", "", "the tool's name")
	flags.StringVar(&f.names[policy.Prompt], "prompt", "", "the prompt's name")
	flags.StringVar(&f.names[policy.Resource], "resource", "", "the resource's URI")
	flags.StringVar(&f.names[policy.Template], "template", "", "the resource template")
	flags.StringVar(&f.args, "args", "", "the arguments of the call, a JSON object; without, it is asked whether it is listed")
	flags.StringArrayVar(&f.annotations, "annotation", nil, "what the server says of the tool, such as readOnlyHint=true; may be repeated")
	flags.StringVar(&f.now, "now", "", "the time of the call, such as 2026-01-31T18:00:00Z; default now")
}

// read makes the question.
func (f *questionFlags) read() (*policy.Question, error) {
	q := &f.question
	var err error
	if q.Kind, err = onlyKind(f.names); err != nil {
		return nil, err
	}
	if q.Name = f.names[q.Kind]; q.Server == "" {
		return nil, errors.New("--server is missing")
	}
	if f.args != "" {
		if q.Args, err = policy.ParseArgs(f.args); err != nil {
			return nil, fmt.Errorf("--args: %w", err)
		}
	}
	if len(f.annotations) > 0 {
		if q.Tool, err = readAnnotations(f.annotations); err != nil {
			return nil, fmt.Errorf("--annotation: %w", err)
		}
	}
	q.Now = time.Now()
	if f.now != "" {
		if q.Now, err = time.Parse(time.RFC3339, f.now); err != nil {
			return nil, fmt.Errorf("--now: %q is no time such as 2026-01-31T18:00:00Z", f.now)
		}
	}
	return q, nil
}

// readAnnotations reads values of --annotation.
func readAnnotations(words []string) (policy.Annotations, error) {
	said := make(map[string]bool)
	for _, word := range words {
		name, text, _ := strings.Cut(word, "=")
		value, err := strconv.ParseBool(text)
		if err != nil {
			return policy.Annotations{}, fmt.Errorf("%q is not NAME=true or NAME=false", word)
		}
		said[name] = value
	}
	return policy.NewAnnotations(said)
}

func explainCommand() *cobra.Command {
	var flags questionFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain FILE",
		Short: "Says whether someone may use something, and which rule decides it",
		Example: "  caddy mcp policy explain mcp-policy.yaml --role member --server github --tool create_issue\n" +
			"  caddy mcp policy explain mcp-policy.yaml --role engineer --server github --tool create_issue --args '{\"owner\":\"acme\"}'",
		Args: arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			question, err := flags.read()
			if err != nil {
				return usage(cmd, err)
			}
			compiled, err := compile(args[0])
			if err != nil {
				return usage(cmd, err)
			}
			warnUnknown(cmd, "role", question.Subject.Roles, compiled.Roles())
			warnUnknown(cmd, "permission", question.Subject.Permissions, compiled.Permissions())

			explanation := compiled.Explain(question)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), explanation)
			} else {
				err = printExplanation(cmd.OutOrStdout(), "", &explanation)
			}
			if err != nil || explanation.Allowed {
				return err
			}
			return no(cmd)
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// applies says of a rule whether it applies, for people.
var applies = map[string]string{
	"no": "does not apply", "error": "can't be judged", "unknown": "depends on the arguments (--args)",
}

// printExplanation writes an explanation for people, each line indented.
func printExplanation(out io.Writer, indent string, x *policy.Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s: %s\n", indent, x.Verdict, plainLine(x.Rule, mostOfReason))
	if x.Limit != "" {
		fmt.Fprintf(&b, "%s  at most %s\n", indent, x.Limit)
	}
	for _, rule := range x.Rules {
		if how, told := applies[rule.Applies]; told {
			fmt.Fprintf(&b, "%s  %s %s", indent, plainLine(rule.Rule, mostOfReason), how)
			if rule.Why != "" {
				fmt.Fprintf(&b, ": %s", plainLine(rule.Why, mostOfReason))
			}
			b.WriteByte('\n')
		}
	}
	if !x.Allowed && x.Listed {
		fmt.Fprintf(&b, "%s  it is listed all the same: with other arguments it may be allowed\n", indent)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// mostOfReason bounds a reason, in characters.
const mostOfReason = 1000

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
