package mcpcmd

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestPlainLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"one line":               "one line",
		" two\n\n lines\t":       "two lines",
		"a\u200bb\u202ec\u2028d": "abc d",
		"\x1b[31mred":            "[31mred",
		"h\U000e0069\ufe0fi":     "hi",
		"\u3164a\u2800b":         "ab",
		"\xff\xfe a":             "a",
		"0123456789abc":          "0123456789…",
		"müde":                   "müde",
	} {
		if got := plainLine(text, 10); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// FuzzDraft holds that whatever a server says, a policy comes of it that allows what was offered, and nothing else.
func FuzzDraft(f *testing.F) {
	f.Add("get_x", "Gets x.", "x://{id}", "server 1")
	f.Add("yes", "a\n- b: *c", "x://y/{+z}", "\n")
	f.Add("a*", "", "file:///../x", "")
	f.Add("\"\\\u202e", "#", "%zz", "\x00")
	f.Fuzz(func(t *testing.T, name, about, template, server string) {
		all := &offers{server: server, name: server}
		all.kinds[policy.Tool] = []offer{{name: name, about: about, hints: policy.Annotations{Known: true, ReadOnly: len(about)%2 == 0}, warned: len(about)%3 == 0}}
		all.kinds[policy.Template] = []offer{{name: template, about: about}}
		flags := initFlags{server: serverName("http://localhost/mcp", server), reads: "member", writes: "editor"}
		text, err := flags.draft("http://localhost/mcp", all).checked()
		if err != nil {
			t.Fatal(err)
		}
		document, err := policy.Parse("policy", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := policy.Compile(document)
		if err != nil {
			t.Fatal(err)
		}
		view := compiled.View(&policy.Subject{Roles: []string{"member", "editor"}}, flags.server)
		if allowed := view.Decide(policy.Tool, name).Allowed; allowed != (draftFault(policy.Tool, name) == "") {
			t.Errorf("%q is allowed: %v\n%s", name, allowed, text)
		}
		if view.Decide(policy.Tool, name+"x").Allowed {
			t.Errorf("%q is allowed\n%s", name+"x", text)
		}
		for line := range strings.Lines(text) {
			if rest := strings.TrimSuffix(line, "\n"); strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 || !utf8.ValidString(rest) {
				t.Errorf("a line that can't be read: %q", line)
			}
		}
	})
}
