package mcpcmd

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// draft is a policy that a command writes for a person to go on with.
type draft struct {
	head        string // what is said at its top
	roles       []draftBlock
	permissions []draftBlock
	everyone    *draftBlock
}

// draftBlock is what a role, a permission or everyone may do.
type draftBlock struct {
	name, about string
	inherit     []string
	allow, ask  []draftRule
}

// draftRule is a rule for one server.
type draftRule struct {
	server, org string
	kinds       [policy.Template + 1][]draftEntry
}

// draftEntry is one name, with what is said of it.
type draftEntry struct{ name, about string }

// empty reports whether a rule has nothing that can be named.
func (r *draftRule) empty() bool {
	for kind, entries := range r.kinds {
		for _, entry := range entries {
			if draftFault(policy.Kind(kind), entry.name) == "" {
				return false
			}
		}
	}
	return true
}

// draftFault says why a name can't stand in a policy, or returns "".
func draftFault(kind policy.Kind, name string) string {
	if strings.Contains(name, "*") && kind <= policy.Prompt {
		return "it has a *, which would stand for other names, too"
	}
	rule := policy.Rule{}
	switch list := []string{name}; kind {
	case policy.Tool:
		rule.Tools = list
	case policy.Prompt:
		rule.Prompts = list
	case policy.Resource:
		rule.Resources = list
	default:
		rule.Templates = list
	}
	_, err := policy.Compile(&policy.Document{Everyone: &policy.Block{Allow: []policy.Rule{rule}}})
	if err == nil {
		return ""
	}
	_, fault, _ := strings.Cut(policy.Mistakes(err)[0].Message, strconv.Quote(name)+" ")
	return "it " + plainLine(fault, 200)
}

// draftKeys are the keys of the lists.
var draftKeys = [...]string{policy.Tool: "tools", policy.Prompt: "prompts", policy.Resource: "resources", policy.Template: "templates"}

// draftWriter writes a draft as YAML, with what is said of it as comments.
type draftWriter struct{ strings.Builder }

// line writes a line.
func (w *draftWriter) line(indent int, format string, args ...any) {
	w.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// comment writes lines of text as comments.
func (w *draftWriter) comment(indent int, text string) {
	for line := range strings.Lines(text) {
		w.line(indent, "# %s", strings.TrimSpace(line))
	}
}

// String writes the draft.
func (d *draft) String() string {
	w := new(draftWriter)
	w.comment(0, d.head)
	w.blocks("roles", d.roles)
	w.blocks("permissions", d.permissions)
	if d.everyone != nil {
		w.comment(0, d.everyone.about)
		w.blockHead(0, "everyone", d.everyone)
		w.block(1, d.everyone)
	}
	if len(d.roles)+len(d.permissions) == 0 && d.everyone == nil {
		w.line(0, "roles: {}")
	}
	return w.Builder.String()
}

// blocks writes roles or permissions.
func (w *draftWriter) blocks(key string, blocks []draftBlock) {
	if len(blocks) == 0 {
		return
	}
	w.line(0, "%s:", key)
	for i := range blocks {
		w.comment(1, blocks[i].about)
		w.blockHead(1, word(blocks[i].name), &blocks[i])
		w.block(2, &blocks[i])
	}
}

// blockHead writes what stands above the rules of a block, or in their place if there are none.
func (w *draftWriter) blockHead(indent int, name string, b *draftBlock) {
	nothing := ""
	if len(b.inherit) == 0 && !slices.ContainsFunc(b.allow, func(r draftRule) bool { return !r.empty() }) {
		nothing = " {}"
	}
	w.line(indent, "%s:%s", name, nothing)
}

// block writes the rules of a block.
func (w *draftWriter) block(indent int, b *draftBlock) {
	if len(b.inherit) > 0 {
		words := make([]string, len(b.inherit))
		for i, name := range b.inherit {
			words[i] = word(name)
		}
		w.line(indent, "inherit: [%s]", strings.Join(words, ", "))
	}
	w.rules(indent, "allow", b.allow)
	w.rules(indent, "ask", b.ask)
}

// rules writes allow or ask. Rules with nothing that can be named are comments as a whole.
func (w *draftWriter) rules(indent int, verdict string, rules []draftRule) {
	if slices.ContainsFunc(rules, func(r draftRule) bool { return !r.empty() }) {
		w.line(indent, "%s:", verdict)
	}
	for i := range rules {
		r := &rules[i]
		if !r.empty() {
			w.line(indent+1, "- server: %s", word(r.server))
			if r.org != "" {
				w.line(indent+2, "org: %s", word(r.org))
			}
		}
		for kind, entries := range r.kinds {
			w.entries(indent+2, policy.Kind(kind), entries)
		}
	}
}

// entries writes a list. What can't be named is a comment that says why.
func (w *draftWriter) entries(indent int, kind policy.Kind, entries []draftEntry) {
	var lines []string
	var abouts []string
	width := 0
	for _, entry := range entries {
		if fault := draftFault(kind, entry.name); fault != "" {
			w.line(indent, "# left out: the %s %s: %s", kind, plainLine(strconv.Quote(entry.name), 100), fault)
			continue
		}
		lines, abouts = append(lines, "- "+word(entry.name)), append(abouts, plainLine(entry.about, mostOfAbout))
		width = max(width, min(utf8.RuneCountInString(lines[len(lines)-1]), mostIndented))
	}
	if len(lines) > 0 {
		w.line(indent, "%s:", draftKeys[kind])
	}
	for i, line := range lines {
		if abouts[i] == "" {
			w.line(indent+1, "%s", line)
			continue
		}
		w.line(indent+1, "%-*s # %s", width, line, abouts[i])
	}
}

const (
	mostOfAbout  = 100 // characters of a description
	mostIndented = 40  // columns to which comments are moved to stand below one another
)

// bare are the words that mean themselves in YAML without quotes, whatever stands around them in a policy.
var bare = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$|^[a-z][a-z0-9+.-]*://[A-Za-z0-9_./~-]*$`)

// special are the words that mean something else in YAML, of whatever version, in small letters.
var special = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// word writes a text as a YAML scalar.
func word(text string) string {
	if bare.MatchString(text) && !slices.Contains(special, strings.ToLower(text)) {
		return text
	}
	return quoteYAML(text)
}

// quoteYAML writes a text in double quotes, with what can't be seen in it escaped (YAML 1.2, 5.7).
func quoteYAML(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case seen(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// checked returns the draft as text, if it is a policy: what a server or a log said must not have made it another.
func (d *draft) checked() (string, error) {
	text := d.String()
	document, err := policy.Parse("policy", []byte(text))
	if err == nil {
		_, err = policy.Compile(document)
	}
	if err != nil {
		return "", fmt.Errorf("no policy comes of this: %w", err)
	}
	return text, nil
}

// writeNew writes a file that must not be there yet, or may be replaced.
func writeNew(file, text string, replace bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if replace {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(file, flags, 0o644)
	if os.IsExist(err) {
		return fmt.Errorf("%s is there already; --force replaces it", file)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}
