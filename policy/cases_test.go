package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestCasesAreReadAsTheyAreWritten(t *testing.T) {
	cases, err := ParseCases("t.yaml", []byte(`
- as:
    id: "workos:user_1"
    email: ann@example.com
    name: Ann
    org: org_1
    roles: [engineer, member]
    permissions: [images]
    groups: [staff]
    claims: { level: 3, tags: [a] }
    client: { id: c-1, name: Agent }
  server: github
  tool: create_issue
  args: { owner: acme, n: 9007199254740993, hex: 0x10, f: 1.5, e: 1e3, yes: true, none: null, day: 2026-01-31, list: [1, {a: "b"}] }
  annotations: { readOnlyHint: true, openWorldHint: false }
  now: 2026-01-31T18:00:00Z
  want: allow
  name: engineers write
- { as: { machine: true }, server: s, template: "a://{b}", want: deny }
`))
	if err != nil || len(cases) != 2 {
		t.Fatal(err, len(cases))
	}
	c := cases[0]
	if got, want := string(c.Args), `{"owner":"acme","n":9007199254740993,"hex":16,"f":1.5,"e":1e3,"yes":true,"none":null,"day":"2026-01-31","list":[1,{"a":"b"}]}`; got != want {
		t.Errorf("args %s, want %s", got, want)
	}
	s := c.Subject
	if s.ID != "workos:user_1" || s.Email != "ann@example.com" || s.Name != "Ann" || s.Org != "org_1" || len(s.Roles) != 2 || len(s.Permissions) != 1 ||
		len(s.Groups) != 1 || s.Claims["level"] != 3.0 || s.Client != (Client{"c-1", "Agent"}) || s.Machine {
		t.Errorf("as %+v", s)
	}
	if c.Tool != (Annotations{Known: true, ReadOnly: true, Destructive: true}) || !c.Now.Equal(time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC)) ||
		c.Want != VerdictAllow || c.Title != "engineers write" || c.Kind != Tool || c.Name != "create_issue" || c.Server != "github" || c.At.String() != "t.yaml:2" {
		t.Errorf("%+v", c)
	}
	if c = cases[1]; !c.Subject.Machine || c.Kind != Template || c.Args != nil || c.At.Line != 19 {
		t.Errorf("%+v", c)
	}
}

func TestWrongCasesAreRefusedWithTheirLines(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "t.yaml:1: the file of cases is empty"},
		{"an empty list", "[]", "t.yaml:1: there is no case in the file"},
		{"no list", "server: s", "must be a list"},
		{"no want", "- {server: s, tool: t}", "t.yaml:1: want is missing: write allow, ask, deny"},
		{"a wrong want", "- {server: s, tool: t, want: alow}", `want: "alow" is no decision; did you mean allow?`},
		{"no server", "\n- {tool: t, want: deny}", "t.yaml:2: a case needs a server"},
		{"nothing asked", "- {server: s, want: deny}", "exactly one of tool, prompt, resource and template"},
		{"two things asked", "- {server: s, tool: t, prompt: p, want: deny}", "exactly one of tool, prompt, resource and template"},
		{"a misspelt key", "- {server: s, tol: t, want: deny}", `unknown key "tol"; did you mean tool?`},
		{"a misspelt key of as", "- {server: s, tool: t, want: deny, as: {role: [x]}}", `unknown key "role"; did you mean roles?`},
		{"a misspelt key of client", "- {server: s, tool: t, want: deny, as: {client: {nme: x}}}", `unknown key "nme"; did you mean name?`},
		{"a misspelt annotation", "- {server: s, tool: t, want: deny, annotations: {readOnly: true}}", "readOnly is no annotation of a tool"},
		{"an annotation that is a text", `- {server: s, tool: t, want: deny, annotations: {readOnlyHint: "yes"}}`, "must be true or false, not text"},
		{"a role that is no list", "- {server: s, tool: t, want: deny, as: {roles: x}}", "roles must be a list"},
		{"arguments that are no object", "- {server: s, tool: t, want: deny, args: [1]}", "args must be a mapping"},
		{"arguments with a name twice", "- {server: s, tool: t, want: deny, args: {a: 1, a: 2}}", `"a" is written twice`},
		{"a number that JSON does not have", "- {server: s, tool: t, want: deny, args: {a: .inf}}", "which JSON does not have"},
		{"an alias", "- {server: s, tool: &x t, want: deny}\n- {server: s, tool: *x, want: deny}", "anchors are not supported"},
		{"no time", "- {server: s, tool: t, want: deny, now: today}", "now must be a time such as"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseCases("t.yaml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAQuestionInJSONIsReadStrictly(t *testing.T) {
	var q Question
	if err := json.Unmarshal([]byte(`{"as":{"roles":["a"]},"server":"s","tool":"t","args":{"n":9007199254740993,"x":1.0}}`), &q); err != nil {
		t.Fatal(err)
	}
	if string(q.Args) != `{"n":9007199254740993,"x":1.0}` || q.Subject.Roles[0] != "a" {
		t.Errorf("%+v", q)
	}
	for text, want := range map[string]string{
		`{"server":"s","tool":"t","Tool":"u"}`:               "unknown key",
		`{"server":"s","tool":"t","tool":"u"}`:               "written twice",
		`{"server":"s","tool":"t","want":"deny"}`:            "unknown key",
		`{"server":"s","tool":"t","args":{"a":1,"a":2}}`:     "written twice",
		`{"server":"s","tool":"t","args":null}`:              "args must be a mapping",
		`{"server":"s"}`:                                     "exactly one of",
		`[]`:                                                 "must be a mapping",
		`{"server":"s","tool":"t","as":{"claims":{"a":"b"}}`: "unexpected",
		`{"server":"s","tool":"t","annotations":{"x":true}}`: "is no annotation",
		`{"server":"s","tool":"t","as":{"machine":"yes"}}`:   "must be true or false",
		`{"server":"s","tool":"t","args":` + strings.Repeat(`{"a":`, 80) + `1` + strings.Repeat(`}`, 81): "deep",
	} {
		if err := new(Question).UnmarshalJSON([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
	}
}

func TestParseArgs(t *testing.T) {
	for _, good := range []string{`{}`, `{"a":{"b":[1,2]}}`} {
		if got, err := ParseArgs(good); err != nil || string(got) != good {
			t.Errorf("%s: %s %v", good, got, err)
		}
	}
	for _, bad := range []string{``, `[]`, `1`, `{"a":1,"a":2}`, `{"a":1} x`, `{a:1}`, "{\"a\":\"\xff\"}"} {
		if _, err := ParseArgs(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// FuzzCases holds that whatever is read as cases can be asked, with arguments that are a JSON object.
func FuzzCases(f *testing.F) {
	p := mustCompile(f, explained)
	f.Add([]byte("- {as: {roles: [engineer]}, server: github, tool: create_issue, args: {owner: acme}, want: allow}"))
	f.Add([]byte("- server: docs\n  resource: \"a://b/../c\"\n  want: deny\n  args: {a: 0o17, b: .5, c: 1_000, d: !!binary aGk=}\n"))
	f.Add([]byte("- {as: {claims: {a: [1, {b: null}]}, client: {id: x}}, server: \"*\", prompt: \"\\0\", now: 2026-01-31T18:00:00Z, want: ask}"))
	f.Add([]byte("- {server: s, tool: t, want: deny, args: {\"\\ud800\": ~, ? [a] : b}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cases, err := ParseCases("t.yaml", data)
		if err != nil {
			if len(Mistakes(err)) == 0 {
				t.Errorf("%v is no mistake", err)
			}
			return
		}
		for i := range cases {
			c := &cases[i]
			if c.Args != nil && !json.Valid(c.Args) {
				t.Errorf("args %q", c.Args)
			}
			if x := p.Explain(&c.Question); x.Allowed != (x.Verdict != VerdictDeny) || x.Rule == "" {
				t.Errorf("%+v", x)
			}
		}
	})
}
