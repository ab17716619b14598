package policy

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// complaints parses and compiles, and returns the errors, one a line.
func complaints(t *testing.T, file, text string) string {
	t.Helper()
	d, err := Parse(file, []byte(text))
	if err == nil {
		_, err = Compile(d)
	}
	if err == nil {
		return ""
	}
	for _, e := range flatten(err) {
		var one *Error
		if !errors.As(e, &one) || one.File != file {
			t.Errorf("%v is not an *Error of %s", e, file)
		}
	}
	return err.Error()
}

func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func TestParseReportsWhatIsWrongAndWhere(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string // the errors, one a line
	}{
		{"empty file", "", `p.yaml:1: the policy is empty; write roles: {} to deny everything`},
		{"only a comment", "# nothing yet\n", `p.yaml:1: the policy is empty; write roles: {} to deny everything`},
		{"null", "~", `p.yaml:1: the policy must be a mapping of keys to values, not empty; write {} for none`},
		{"a list", "- roles", `p.yaml:1: the policy must be a mapping of keys to values, not a list`},
		{"misspelt key", "rolse: {}", `p.yaml:1: unknown key "rolse"; did you mean roles?`},
		{"key in another case", "Roles: {}", `p.yaml:1: unknown key "Roles"; did you mean roles?`},
		{"unknown key", "\nsubjects: {}", `p.yaml:2: unknown key "subjects"; known here: roles, permissions, everyone, methods, mode`},
		{"duplicate key", "roles: {}\nmode: enforce\nroles: {}", `p.yaml:3: "roles" is written twice in the policy`},
		{"duplicate role", "roles:\n  a: {}\n  'a': {}", `p.yaml:3: "a" is written twice in roles`},
		{"duplicate key of a rule", inRule("tools: [a]\n        tools: [b]"), `p.yaml:5: "tools" is written twice in a rule`},
		{"role without body", "roles:\n  a:\n  b: {}", `p.yaml:2: a must be a mapping of keys to values, not empty; write {} for none`},
		{"roles as a list", "roles: [a]", `p.yaml:1: roles must be a mapping of keys to values, not a list`},
		{"number as role", "roles: {1: {}}", `p.yaml:1: a key must be text, not a number; put it in quotes`},
		{"null as role", "roles: {~: {}}", `p.yaml:1: a key must be text, not empty; put it in quotes`},
		{"glob as role", "roles: {'*': {}}", `p.yaml:1: a key of roles contains *, which is no wildcard here`},
		{"control character in a role", "roles: {\"a\\x01\": {}}", `p.yaml:1: a key of roles contains a control character`},
		{"misspelt verdict", "everyone:\n  alow: []", `p.yaml:2: unknown key "alow"; did you mean allow?`},
		{"text for ask", "everyone:\n  ask: a", `p.yaml:2: ask must be a list, not text; for example - tools: [get_*]`},
		{"when", inRule(`tools: [a]` + "\n        " + `when: true`), `p.yaml:5: when must be text, not true or false; if it is meant as a name, put it in quotes: "true"`},
		{"empty when", inRule(`tools: [a]` + "\n        " + `when: ""`), `p.yaml:5: when: "" is empty; leave the key out if there is no condition`},
		{"limit", inRule(`tools: [a]` + "\n        " + `limit: 30/w`), `p.yaml:5: limit: "30/w" is not a limit; write a number from 1 to 1000000, a slash and s, m, h or d, such as 30/m, and if you like per user, per client or per tool`},
		{"limit of a number", inRule(`tools: [a]` + "\n        " + `limit: 30`), `p.yaml:5: limit must be text, not a number; if it is meant as a name, put it in quotes: "30"`},
		{"annotations", inRule(`annotations: {readonlyHint: true}`), `p.yaml:4: annotations: "readonlyHint" is no annotation of a tool; did you mean readOnlyHint?`},
		{"annotations of text", inRule(`annotations: {readOnlyHint: "yes"}`), `p.yaml:4: readOnlyHint must be true or false, not text`},
		{"empty annotations", inRule(`annotations: {}`), `p.yaml:4: annotations says nothing; name a hint such as readOnlyHint: true, or leave the key out`},
		{"annotations as a list", inRule(`annotations: [readOnlyHint]`), `p.yaml:4: annotations must be a mapping of keys to values, not a list`},
		{"misspelt key of a rule", inRule(`tool: [a]`), `p.yaml:4: unknown key "tool"; did you mean tools?`},
		{"text for a list", inRule(`tools: get_*`), `p.yaml:4: tools must be a list, not text; for example [get_*]`},
		{"mapping for a list", inRule(`tools: {a: b}`), `p.yaml:4: tools must be a list, not a mapping; for example [name]`},
		{"nothing for a list", inRule(`tools:`), `p.yaml:4: tools must be a list, not empty; for example [name]`},
		{"mapping for rules", "everyone:\n  allow:\n    tools: [a]", `p.yaml:3: allow must be a list, not a mapping; for example - tools: [get_*]`},
		{"empty list", inRule(`tools: []`), `p.yaml:4: tools is an empty list and names nothing; write ["*"] to name all, or leave the key out`},
		{"empty list beside another", inRule("prompts: [a]\n        tools: []"), `p.yaml:5: tools is an empty list and names nothing; write ["*"] to name all, or leave the key out`},
		{"rule that names nothing", inRule(`server: github`), `p.yaml:4: the rule names nothing; add tools, prompts, resources or templates (tools: ["*"] names all tools)`},
		{"number as tool", inRule(`tools: [17]`), `p.yaml:4: tools must be text, not a number; if it is meant as a name, put it in quotes: "17"`},
		{"true as tool", inRule(`tools: [true]`), `p.yaml:4: tools must be text, not true or false; if it is meant as a name, put it in quotes: "true"`},
		{"date as tool", inRule(`tools: [2026-07-28]`), `p.yaml:4: tools must be text, not a date; if it is meant as a name, put it in quotes: "2026-07-28"`},
		{"null as tool", inRule(`tools: [~]`), `p.yaml:4: tools must be text, not empty`},
		{"list as tool", inRule(`tools: [[a]]`), `p.yaml:4: tools must be text, not a list`},
		{"empty tool", inRule("tools:\n          - a\n          - ''"), `p.yaml:6: tools: "" is empty`},
		{"list as server", inRule(`server: [a]`), `p.yaml:4: server must be text, not a list`},
		{"empty server", inRule(`server: ""`), `p.yaml:4: server: "" is empty`},
		{"empty org", inRule(`org: ""`), `p.yaml:4: org: "" is empty`},
		{"glob as org", inRule(`org: org_*`), `p.yaml:4: org: "org_*" contains *, which is no wildcard here`},
		{"character class", inRule(`tools: ["get_[ab]"]`), `p.yaml:4: tools: "get_[ab]" contains [; only * is a wildcard, and alternatives are written as several entries`},
		{"unclosed character class", inRule(`tools: ["get_["]`), `p.yaml:4: tools: "get_[" contains [; only * is a wildcard, and alternatives are written as several entries`},
		{"question mark", inRule(`prompts: ["get_?"]`), `p.yaml:4: prompts: "get_?" contains ?; only * is a wildcard, and alternatives are written as several entries`},
		{"braces", inRule(`server: "{a,b}"`), `p.yaml:4: server: "{a,b}" contains {; only * is a wildcard, and alternatives are written as several entries`},
		{"negation", inRule(`tools: ["!delete"]`), `p.yaml:4: tools: "!delete" begins with !; what is excepted is written as a deny rule`},
		{"space at the end", inRule(`tools: ["get_x "]`), `p.yaml:4: tools: "get_x " begins or ends with a space`},
		{"NUL in a glob", inRule(`tools: ["get_\0"]`), `p.yaml:4: tools: "get_\x00" contains a control character`},
		{"replacement character", inRule(`tools: ["caf�"]`), `p.yaml:4: tools: "caf�" contains U+FFFD, which a broken encoding leaves behind`},
		{"three stars", inRule(`resources: ["docs://***"]`), `p.yaml:4: resources: "docs://***" has three stars in a row; ** stands for any run of characters, * for any run without a slash`},
		{"template as resource", inRule(`resources: ["docs://{x}"]`), `p.yaml:4: resources: "docs://{x}" has braces, which no URI has; alternatives are written as several entries, and URI templates are named under templates`},
		{"capital scheme", inRule(`resources: ["Docs://**"]`), `p.yaml:4: resources: "Docs://**" can never match: the URI's scheme has capital letters`},
		{"dot segment", inRule(`templates: ["docs://a/../**"]`), `p.yaml:4: templates: "docs://a/../**" can never match: the URI has a dot segment`},
		{"encoded slash", inRule(`resources: ["docs://a%2Fb"]`), `p.yaml:4: resources: "docs://a%2Fb" can never match: the URI encodes a slash, dot, backslash, percent or control character`},
		{"user info", inRule(`resources: ["docs://*@a/**"]`), `p.yaml:4: resources: "docs://*@a/**" can never match: the URI contains user info`},
		{"mode", "mode: observed", `p.yaml:1: mode: "observed" is not a mode; did you mean observe?`},
		{"another mode", "mode: off", `p.yaml:1: mode: "off" is not a mode; write enforce or observe`},
		{"glob as method", "roles: {}\nmethods: [a, ext/*]", `p.yaml:2: methods: "ext/*" contains *, which is no wildcard here`},
		{"unknown inherited role", "roles:\n  member: {}\n  admin:\n    inherit: [membr]", `p.yaml:4: inherit: no role named membr; did you mean member?`},
		{"unlike any role", "roles:\n  member: {}\n  admin:\n    inherit: [x]", `p.yaml:4: inherit: no role named x`},
		{"inherited permission", "permissions:\n  a: {}\neveryone:\n  inherit: [a]", `p.yaml:4: inherit: no role named a`},
		{"role that inherits itself", "roles:\n  a:\n    inherit: [a]", `p.yaml:3: inherit: a role inherits itself: a > a`},
		{"circle", "roles:\n  a:\n    inherit: [b]\n  b:\n    inherit: [c]\n  c:\n    inherit: [b]", `p.yaml:5: inherit: a role inherits itself: b > c > b`},
		{"inherit as text", "roles:\n  a: {}\n  b:\n    inherit: a", `p.yaml:4: inherit must be a list, not text; for example [a]`},
		{"star without quotes", inRule(`tools: [*]`), `p.yaml:4: a name that begins with * must be in quotes: "*"`},
		{"glob without quotes", inRule(`tools: [*_x]`), `p.yaml:4: a name that begins with * must be in quotes: "*_x"`},
		{"alias", "roles:\n  a: &x {}\n  b: *x", `p.yaml:2: anchors are not supported; write the value out, or use inherit
p.yaml:3: aliases are not supported; if *x is meant as a glob, put it in quotes: "*x"`},
		{"aliases as list, text and mapping", "roles:\n  a:\n    inherit: *x\nmode: *y\neveryone: *z", "p.yaml:3: a name that begins with * must be in quotes: \"*x\""},
		{"anchored list, text and mapping", "methods: &x [a]\nmode: &y observe\neveryone: &z {}", `p.yaml:1: anchors are not supported; write the value out, or use inherit
p.yaml:2: anchors are not supported; write the value out, or use inherit
p.yaml:3: anchors are not supported; write the value out, or use inherit`},
		{"anchored key", "roles: {&x a: {}}", `p.yaml:1: anchors are not supported; write the value out, or use inherit`},
		{"binary", "mode: !!binary aGk=", `p.yaml:1: mode must be text, not a value tagged !!binary; if it is meant as a name, put it in quotes: "aGk="`},
		{"long name", inRule("tools: [" + strings.Repeat("a", MaxURI+1) + "]"), `p.yaml:4: tools: "` + strings.Repeat("a", maxMessage-len(`tools: "`)) + "..."},
		{"merge", "roles:\n  <<: {a: {}}", `p.yaml:2: a key must be text, not a merge; put it in quotes`},
		{"tag", "roles: !roles {}", `p.yaml:1: tags such as !roles are not supported`},
		{"second document", "roles: {}\n---\nroles: {}", `p.yaml:2: the file has a second YAML document; only the first would count`},
		{"broken second document", "roles: {}\n---\nroles: [", `p.yaml:3: did not find expected node content`},
		{"tab", "roles:\n\tmember: {}", `p.yaml:2: found character that cannot start any token; indent with spaces, not tabs, and put names with special characters in quotes`},
		{"unclosed list", "roles:\n  a:\n    inherit: [b\n  c: {}", `p.yaml:3: did not find expected ',' or ']'`},
		{"not indented", "roles:\n  a: {}\n b: {}", `p.yaml:3: did not find expected key`},
		{"not UTF-8", "roles:\n  a: {}\n  \xff: {}", `p.yaml:3: the policy is not UTF-8`},
		{"UTF-16", "\xff\xfer\x00", `p.yaml:1: the policy is not UTF-8`},
		{"NUL", "roles: {}\n# \x00", `p.yaml:1: control characters are not allowed`},
		{"several at once", "rolse: {}\nroles:\n  a:\n    alow: []\n    deny:\n      - tools: [\"a?\", 1]", `p.yaml:1: unknown key "rolse"; did you mean roles?
p.yaml:4: unknown key "alow"; did you mean allow?
p.yaml:6: tools: "a?" contains ?; only * is a wildcard, and alternatives are written as several entries
p.yaml:6: tools must be text, not a number; if it is meant as a name, put it in quotes: "1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := complaints(t, "p.yaml", tt.text); got != tt.want {
				t.Errorf("%s\ngot:  %s\nwant: %s", tt.text, got, tt.want)
			}
		})
	}
}

// inRule puts the lines of a rule, from line 4 on, into a policy.
func inRule(lines string) string { return "roles:\n  member:\n    allow:\n      - " + lines + "\n" }

func TestParseReadsEverything(t *testing.T) {
	got := mustParse(t, `# a comment
roles:
  engineer:
    inherit: [member, guest]
    allow:
      - server: github
        tools: [create_issue, "*_x"]
        prompts: ["*"]
        resources: ["docs://**"]
        templates: ["docs://{x}"]
        org: org_01H
    deny:
      - tools: [delete_*]
  member: {}
  guest: {allow: [], deny: []}
permissions:
  images: {allow: [{tools: [draw]}]}
everyone:
  deny:
    - tools: [y]
methods: [ext/ping]
mode: observe
`)
	at := func(line int) Position { return Position{"p.yaml", line} }
	want := &Document{
		Roles: map[string]*Block{
			"engineer": {
				Inherit: []string{"member", "guest"},
				Allow: []Rule{{
					Server: "github", Tools: []string{"create_issue", "*_x"}, Prompts: []string{"*"}, Resources: []string{"docs://**"},
					Templates: []string{"docs://{x}"}, Org: "org_01H", At: at(6),
				}},
				Deny:      []Rule{{Tools: []string{"delete_*"}, At: at(13)}},
				At:        at(3),
				InheritAt: at(4),
			},
			"member": {At: at(14)},
			"guest":  {At: at(15)},
		},
		Permissions: map[string]*Block{"images": {Allow: []Rule{{Tools: []string{"draw"}, At: at(17)}}, At: at(17)}},
		Everyone:    &Block{Deny: []Rule{{Tools: []string{"y"}, At: at(20)}}, At: at(18)},
		Methods:     []string{"ext/ping"}, MethodsAt: at(21),
		Mode: "observe", ModeAt: at(22),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseBoundsItsErrors(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		b.WriteString("key" + strings.Repeat("x", i) + ": 1\n")
	}
	_, err := Parse("p.yaml", []byte(b.String()))
	all := flatten(err)
	if len(all) != maxErrors+1 || !strings.Contains(all[maxErrors].Error(), "and 150 more") {
		t.Errorf("%d errors, the last: %v", len(all), all[len(all)-1])
	}
}

func TestDocumentsAreBounded(t *testing.T) {
	if _, err := Parse("p.yaml", make([]byte, MaxDocument+1)); err == nil || err.Error() != "p.yaml:1: the policy is larger than 16 MiB" {
		t.Error("a large file:", err)
	}
	if err := new(Document).UnmarshalJSON(make([]byte, MaxDocument+1)); err == nil || err.Error() != "policy: the policy is larger than 16 MiB" {
		t.Error("a large JSON value:", err)
	}
	chain := &Document{Roles: map[string]*Block{"r0": {}}}
	name := func(i int) string { return "r" + strings.Repeat("x", i) }
	for i := range MaxInheritDepth - 1 {
		chain.Roles[name(i+1)] = &Block{Inherit: []string{name(i)}}
	}
	chain.Roles["r"] = &Block{}
	if _, err := Compile(chain); err != nil {
		t.Error("the longest chain:", err)
	}
	chain.Roles[name(MaxInheritDepth)] = &Block{Inherit: []string{name(MaxInheritDepth - 1)}}
	if _, err := Compile(chain); err == nil || !strings.Contains(err.Error(), "more than 32 roles inherit one another in a row") {
		t.Error("a longer chain:", err)
	}
	patterns := make([]string, MaxPatterns+1)
	for i := range patterns {
		patterns[i] = "a"
	}
	if _, err := Compile(&Document{Everyone: &Block{Allow: []Rule{{Tools: patterns}}}}); err == nil || err.Error() != "policy: the policy has more than 1048576 names and globs" {
		t.Error("too many patterns:", err)
	}
	rules := make([]Rule, MaxRules+1)
	for i := range rules {
		rules[i].Tools = patterns[:1]
	}
	if _, err := Compile(&Document{Everyone: &Block{Allow: rules}}); err == nil || err.Error() != "policy: the policy has more than 250000 rules" {
		t.Error("too many rules:", err)
	}
	roles := make(map[string]*Block)
	for i := range MaxBlocks + 1 {
		roles[strings.Repeat("x", i%100)+string(rune('a'+i/100))] = &Block{}
	}
	if _, err := Compile(&Document{Roles: roles}); err == nil || err.Error() != "policy: the policy has more than 10000 roles and permissions" {
		t.Error("too many roles:", err)
	}
}

func TestCompileChecksDocumentsMadeByHand(t *testing.T) {
	at := Position{"Caddyfile", 7}
	one := func(r Rule) *Document { r.At = at; return &Document{Everyone: &Block{Allow: []Rule{r}}} }
	tests := map[string]*Document{
		`Caddyfile:7: tools is an empty list`:                      one(Rule{Tools: []string{}, Prompts: []string{"x"}}),
		`Caddyfile:7: the rule names nothing`:                      one(Rule{Server: "x"}),
		`Caddyfile:7: tools: "a?" contains ?`:                      one(Rule{Tools: []string{"a?"}}),
		`Caddyfile:7: server: "a?" contains ?`:                     one(Rule{Server: "a?", Tools: []string{"a"}}),
		`Caddyfile:7: org: "a*" contains *`:                        one(Rule{Org: "a*", Tools: []string{"a"}}),
		`Caddyfile:7: role: "" is empty`:                           {Roles: map[string]*Block{"": {At: at}}},
		`policy: role a has no body`:                               {Roles: map[string]*Block{"a": nil}},
		`Caddyfile:7: mode: "x" is not a mode`:                     {Mode: "x", ModeAt: at},
		`Caddyfile:7: methods: "" is empty`:                        {Methods: []string{""}, MethodsAt: at},
		`Caddyfile:7: inherit: no role named b`:                    {Permissions: map[string]*Block{"a": {Inherit: []string{"b"}, InheritAt: at}}},
		`Caddyfile:7: inherit: a role inherits itself: a > b > a`:  {Roles: map[string]*Block{"a": {Inherit: []string{"b"}, InheritAt: at}, "b": {Inherit: []string{"a"}}}},
		`Caddyfile:7: permission: "a\xff" is not UTF-8`:            {Permissions: map[string]*Block{"a\xff": {At: at}}},
		`Caddyfile:7: resources: "x:/.." can never match: the URI`: one(Rule{Resources: []string{"x:/.."}}),
	}
	for want, d := range tests {
		if p, err := Compile(d); err == nil || p != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, %v; want %s", p, err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mcp-policy.yaml")
	if _, err := Load(file); !errors.Is(err, os.ErrNotExist) {
		t.Error("a missing file:", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory is read as a policy")
	}
	if err := os.WriteFile(file, []byte(company), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Load(file)
	if err != nil || d.Roles["guest"].Allow[0].At != (Position{file, 5}) {
		t.Error(d, err)
	}
}
