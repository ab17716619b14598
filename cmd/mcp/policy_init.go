package mcpcmd

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// initFlags are the flags of `caddy mcp policy init`.
type initFlags struct {
	serverFlags
	server        string
	reads, writes string
	out           string
	force, asJSON bool
}

func initCommand() *cobra.Command {
	var flags initFlags
	cmd := &cobra.Command{
		Use:   "init URL",
		Short: "Writes a policy to begin with, of what a running server offers",
		Long: `
Asks a running MCP server for its tools, prompts and resources and writes a policy
of their names: one role for what only reads, a second for the rest. What the server
itself calls destructive has to be approved each time. Which tools only read is the
server's word: read the policy before you use it.`,
		Example: "  caddy mcp policy init http://localhost:9000/mcp --server files --output mcp-policy.yaml",
		Args:    arguments("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := flags.list(cmd.Context(), args[0])
			if err != nil {
				return failure(cmd, err)
			}
			if flags.server == "" {
				flags.server = serverName(args[0], all.name)
			}
			return flags.write(cmd, args[0], all)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.server, "server", "", "the server's name in the policy, which is that of its mount")
	cmd.Flags().StringVar(&flags.reads, "role", "member", "the role that may use what only reads")
	cmd.Flags().StringVar(&flags.writes, "second-role", "editor", "the role that may use the rest as well")
	cmd.Flags().StringVarP(&flags.out, "output", "o", "", "the file to write; it must not be there yet")
	cmd.Flags().BoolVar(&flags.force, "force", false, "replace the file if it is there")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "answer in JSON: the policy in its JSON form")
	return cmd
}

// write writes the policy to where it belongs.
func (f *initFlags) write(cmd *cobra.Command, address string, all *offers) error {
	text, err := f.draft(address, all).checked()
	if err != nil {
		return err
	}
	if f.asJSON {
		if text, err = policyJSON(text); err != nil {
			return err
		}
	}
	if f.out == "" {
		_, err = fmt.Fprint(cmd.OutOrStdout(), text)
		return err
	}
	if err := writeNew(f.out, text, f.force); err != nil {
		return err
	}
	cmd.PrintErrf("wrote %s: read it, then try it with: caddy mcp policy explain %s --role %s --server %s --tool NAME\n", f.out, f.out, f.reads, f.server)
	return nil
}

// policyJSON turns a policy in YAML into its JSON form.
func policyJSON(text string) (string, error) {
	document, err := policy.Parse("policy", []byte(text))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = printJSON(&out, document)
	return out.String(), err
}

// draft makes a policy of what a server offers.
func (f *initFlags) draft(address string, all *offers) *draft {
	reads, writes, asks := draftRule{server: f.server}, draftRule{server: f.server}, draftRule{server: f.server}
	for kind, list := range all.kinds {
		for _, o := range list {
			entry := draftEntry{o.name, o.about}
			if policy.Kind(kind) == policy.Template {
				reads.kinds[policy.Resource] = append(reads.kinds[policy.Resource], draftEntry{namedBy(o.name), "by a template, see below"})
			}
			if kind := policy.Kind(kind); kind != policy.Tool || o.hints.ReadOnly {
				reads.kinds[kind] = append(reads.kinds[kind], entry)
				continue
			}
			writes.kinds[kind] = append(writes.kinds[kind], entry)
			if o.warned {
				asks.kinds[kind] = append(asks.kinds[kind], draftEntry{name: o.name})
			}
		}
	}
	from := plainLine(bareURL(address), 200)
	if who := plainLine(all.server, 100); who != "" {
		from += " (" + who + ")"
	}
	d := &draft{
		head: fmt.Sprintf("A policy to begin with, of what %s offers. What is not named here is denied.\n"+
			"Which tools only read is the server's own word: read this before you use it.", from),
		roles: []draftBlock{{name: f.reads, about: "what the server says only reads", allow: []draftRule{reads}}},
	}
	if len(reads.kinds[policy.Tool]) == 0 && len(writes.kinds[policy.Tool]) > 0 {
		d.roles[0].about = "the server says of no tool that it only reads: move here what you know to be harmless"
	}
	if len(writes.kinds[policy.Tool]) > 0 {
		second := draftBlock{name: f.writes, about: "and the rest of its tools", inherit: []string{f.reads}, allow: []draftRule{writes}}
		if !asks.empty() {
			second.about += "; a person approves each use of what the server itself calls destructive"
			second.ask = []draftRule{asks}
		}
		d.roles = append(d.roles, second)
	}
	return d
}

// bareURL leaves out of a URL what credentials are put in.
func bareURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// notSlug are the characters that do not belong into a server's name.
var notSlug = regexp.MustCompile(`[^a-z0-9._-]+`)

// nameless are the ends of paths that MCP endpoints have everywhere.
var nameless = []string{"", "mcp", "sse"}

// serverName guesses what the policy calls a server: by the path of its URL, as behind a gateway, by its host, if it has a name
// of its own, or by what it calls itself.
func serverName(address, says string) string {
	name := path.Base(says)
	if u, err := url.Parse(address); err == nil {
		last := path.Base("/" + strings.Trim(u.Path, "/"))
		labels := strings.Split(u.Hostname(), ".")
		switch {
		case !slices.Contains(nameless, strings.Trim(last, "/")):
			name = last
		case u.Hostname() == "localhost" || net.ParseIP(u.Hostname()) != nil:
		case len(labels) > 2 && (labels[0] == "mcp" || labels[0] == "api" || labels[0] == "www"):
			name = labels[1]
		default:
			name = labels[0]
		}
	}
	name = strings.Trim(notSlug.ReplaceAllString(strings.ToLower(name), "-"), "-.")
	if name == "" {
		return "mcp"
	}
	return cutSlug(name)
}

// expression is one expression of a URI template (RFC 6570 section 2.2).
var expression = regexp.MustCompile(`\{([^{}]*)\}`)

// plainVariable is an expression that stands for one value in which nothing reserved is left (RFC 6570 section 3.2.2).
var plainVariable = regexp.MustCompile(`^\w+(:\d+)?$`)

// namedBy returns a glob of the URIs that a template stands for.
func namedBy(template string) string {
	glob := expression.ReplaceAllStringFunc(template, func(e string) string {
		if plainVariable.MatchString(strings.Trim(e, "{}")) {
			return "*"
		}
		return "**"
	})
	for strings.Contains(glob, "***") {
		glob = strings.ReplaceAll(glob, "***", "**")
	}
	return glob
}

// cutSlug bounds a name that a server made up.
func cutSlug(name string) string { return strings.TrimRight(name[:min(len(name), 64)], "-.") }
