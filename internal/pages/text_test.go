package pages

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		altered  bool
	}{
		"plain":                {"Claude Code", "Claude Code", false},
		"nothing":              {"", "", false},
		"white space":          {" \t Claude\r\n\u00a0\u2003Code\u2028 ", "Claude Code", false},
		"other scripts":        {"شات 聊天 Чат", "شات 聊天 Чат", false},
		"accents":              {"Cafe\u0301", "Cafe\u0301", false},
		"emoji":                {"🤖 Robot", "🤖 Robot", false},
		"control":              {"a\x00b\x1b[31mc\x7f", "ab[31mc", true},
		"direction":            {"\u202eedoC\u202c \u2066x\u2069\u200f", "edoC x", true},
		"no width":             {"Cl\u200bau\u200dde\ufeff\u2060", "Claude", true},
		"soft hyphen":          {"Clau\u00adde", "Claude", true},
		"tags":                 {"x\U000e0041\U000e0042", "x", true},
		"variation selectors":  {"x\ufe0f\U000e0101", "x", true},
		"blank letters":        {"a\u3164\u115f\uffa0\u2800b", "ab", true},
		"private use":          {"a\ue000\U000f0000b", "ab", true},
		"unassigned":           {"a\u0378b", "ab", true},
		"piled marks":          {"Z\u0301\u0302\u0303\u0304\u0305algo", "Z\u0301\u0302algo", true},
		"broken UTF-8":         {"a\xff\xfeb", "ab", true},
		"replacement":          {"a\ufffdb", "ab", true},
		"only what is unseen":  {"\u200b\u202e\u00ad", "", true},
		"long":                 {strings.Repeat("ä", 100), strings.Repeat("ä", 60) + "…", false},
		"exactly long enough":  {strings.Repeat("ä", 60), strings.Repeat("ä", 60), false},
		"a space at the limit": {strings.Repeat("ä", 59) + " ä", strings.Repeat("ä", 59) + "…", false},
		"long with much space": {"a" + strings.Repeat(" ", 100000) + "b", "a…", false},
		"long and hidden":      {strings.Repeat("\u200b", 10000) + "evil", "…", true},
	} {
		got := clean(c.in, maxClientName)
		if got.Text != c.want || got.Altered != c.altered {
			t.Errorf("%s: got %q, %v, want %q, %v", name, got.Text, got.Altered, c.want, c.altered)
		}
	}
}

func TestHostsShowWhatIsLookedUp(t *testing.T) {
	for in, want := range map[string]string{
		"claude.ai": "claude.ai", "claude.ai:8443": "claude.ai:8443", "localhost:51234": "localhost:51234", "127.0.0.1:80": "127.0.0.1:80",
		"[::1]:51234": "[::1]:51234", "Claude.AI": "claude.ai", "сlaude.ai": "xn--laude-0ye.ai", "müller.test:1": "xn--mller-kva.test:1",
		"a_b.test": "a_b.test", "exa\u200bmple.test": "example.test", "сa_b.test": "xn--a_b-3ed.test", "": "",
	} {
		got := hostText(in)
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestBelongs(t *testing.T) {
	for _, c := range []struct {
		host, domain string
		want         bool
	}{
		{"claude.ai", "claude.ai", true}, {"claude.ai:8443", "claude.ai", true}, {"insiders.vscode.dev", "vscode.dev", true},
		{"CLAUDE.ai.", "claude.ai", true}, {"claude.ai", "claude.ai:8443", true},
		{"evilclaude.ai", "claude.ai", false}, {"claude.ai.evil.test", "claude.ai", false}, {"ai", "claude.ai", false}, {"", "claude.ai", false},
	} {
		if got := belongs(c.host, c.domain); got != c.want {
			t.Errorf("%s of %s: %v", c.host, c.domain, got)
		}
	}
}

func TestLongHostsBreakBeforeTheirDots(t *testing.T) {
	if got := breakable("claude.ai"); got != "claude.ai" {
		t.Errorf("got %s", got)
	}
	if got := breakable("<accounts>.google.com.evil-site.test"); got != "&lt;accounts&gt;<wbr>.google<wbr>.com<wbr>.evil-site<wbr>.test" {
		t.Errorf("got %s", got)
	}
}

// FuzzClean holds that nothing unseen and nothing long gets through, and that what is clean stays as it is.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"Claude", "\u202e\u200b", "Z\u0301\u0302\u0303", "a\xff", strings.Repeat("x", 200), " a  b "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := clean(in, maxClientName)
		if !utf8.ValidString(got.Text) || utf8.RuneCountInString(got.Text) > maxClientName+1 {
			t.Errorf("%q became %q", in, got.Text)
		}
		for _, r := range got.Text {
			if r != ' ' && (!unicode.IsGraphic(r) || unicode.IsSpace(r) || invisible(r)) {
				t.Errorf("%q became %q with %U", in, got.Text, r)
			}
		}
		if again := clean(got.Text, maxClientName+1); again.Text != got.Text || again.Altered {
			t.Errorf("%q became %q, which became %q", in, got.Text, again.Text)
		}
		_ = hostText(in)
	})
}
