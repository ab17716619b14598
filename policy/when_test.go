package policy

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// wanted compiles a policy with one rule under a condition.
func wanted(tb testing.TB, effect, when string) *View {
	tb.Helper()
	d := &Document{Everyone: &Block{Allow: []Rule{{Tools: []string{"*"}}}}}
	rule := Rule{Tools: []string{"t"}, When: when}
	switch effect {
	case "allow":
		d.Everyone.Allow = []Rule{rule}
	case "ask":
		d.Everyone.Ask = []Rule{rule}
	case "deny":
		d.Everyone.Deny = []Rule{rule}
	}
	p, err := Compile(d)
	if err != nil {
		tb.Fatalf("%s: %v", when, err)
	}
	return p.View(&Subject{}, "github")
}

// someone is who asks in the tests of conditions.
var someone = &Subject{
	ID: "workos:alice", Email: "alice@acme.example", Name: "Alice", Org: "org_a", Roles: []string{"engineer", "member"}, Permissions: []string{"draw"},
	Groups: []string{"eu"}, Claims: map[string]any{"level": 3.0, "team": map[string]any{"name": "core"}, "tags": []any{"a", "b"}, "none": nil},
	Client: Client{ID: "client_1", Name: "Claude Code"},
}

var noon = time.Date(2026, 7, 28, 12, 30, 0, 0, time.UTC)

// Each expression has one outcome, and each kind of rule makes of it what it is for: what is not certain stands in nobody's favour.
func TestConditions(t *testing.T) {
	const (
		isTrue  = "true"
		isFalse = "false"
		isError = "error"
	)
	tests := []struct{ name, when, args, want string }{
		{"a constant", `true`, `{}`, isTrue},
		{"a constant that is false", `false`, `{}`, isFalse},
		{"an argument", `args.owner == "acme"`, `{"owner":"acme"}`, isTrue},
		{"another argument", `args.owner == "acme"`, `{"owner":"evil"}`, isFalse},
		{"its case", `args.owner == "acme"`, `{"owner":"Acme"}`, isFalse},
		{"an argument that is not there", `args.owner == "acme"`, `{}`, isError},
		{"an argument of another type", `args.owner.startsWith("a")`, `{"owner":7}`, isError},
		{"another type is never equal", `args.owner == "7"`, `{"owner":7}`, isFalse},
		{"as the example has it", `args.owner == "acme" && size(args.title) < 200`, `{"owner":"acme","title":"short"}`, isTrue},
		{"as the example has it, too long", `args.owner == "acme" && size(args.title) < 200`, `{"owner":"acme","title":"` + strings.Repeat("x", 200) + `"}`, isFalse},
		{"false beats an error", `args.owner == "acme" && args.missing == 1`, `{"owner":"evil"}`, isFalse},
		{"true beats an error", `args.owner == "acme" || args.missing == 1`, `{"owner":"acme"}`, isTrue},
		{"an argument that may be missing", `!has(args.owner) || args.owner == "acme"`, `{}`, isTrue},
		{"an argument by index", `args["owner"] == "acme"`, `{"owner":"acme"}`, isTrue},
		{"a nested argument", `args.repo.owner.name == "acme"`, `{"repo":{"owner":{"name":"acme"}}}`, isTrue},
		{"all of a list", `args.files.all(f, f.path.startsWith("docs/"))`, `{"files":[{"path":"docs/a"},{"path":"docs/b"}]}`, isTrue},
		{"not all of a list", `args.files.all(f, f.path.startsWith("docs/"))`, `{"files":[{"path":"docs/a"},{"path":"src/b"}]}`, isFalse},
		{"a list that is none", `args.files.all(f, f == "a")`, `{"files":"a"}`, isError},
		{"in a list", `args.branch in ["dev", "test"]`, `{"branch":"dev"}`, isTrue},
		{"a name among the arguments", `"force" in args`, `{"force":false}`, isTrue},
		{"null", `args.x == null`, `{"x":null}`, isTrue},
		{"true itself", `args.dry_run`, `{"dry_run":true}`, isTrue},
		{"what is neither true nor false", `args.dry_run`, `{"dry_run":"yes"}`, isError},
		{"a pattern", `args.branch.matches("^feature/[a-z]+$")`, `{"branch":"feature/x"}`, isTrue},

		{"the largest exact number", `args.id == 9007199254740993`, `{"id":9007199254740993}`, isTrue},
		{"its neighbour is another", `args.id == 9007199254740992`, `{"id":9007199254740993}`, isFalse},
		{"nor is it the same the other way", `args.id > 9007199254740992`, `{"id":9007199254740993}`, isTrue},
		{"the largest whole number", `args.id == 18446744073709551615u`, `{"id":18446744073709551615}`, isTrue},
		{"a larger one", `args.id > 5`, `{"id":18446744073709551616}`, isError},
		{"a large one with a point", `args.id > 5`, `{"id":9007199254740993.0}`, isError},
		{"a large one with an exponent", `args.id > 5`, `{"id":1e400}`, isError},
		{"a fraction", `args.x > 0.25 && args.x < 1`, `{"x":0.5}`, isTrue},
		{"a whole number written as a fraction", `args.n == 30`, `{"n":3e1}`, isTrue},
		{"a number beyond what can be judged elsewhere", `args.ok == true`, `{"ok":true,"other":99999999999999999999}`, isError},

		{"user.id", `user.id == "workos:alice"`, `{}`, isTrue},
		{"user.email", `user.email.endsWith("@acme.example")`, `{}`, isTrue},
		{"user.name", `user.name == "Alice"`, `{}`, isTrue},
		{"user.org", `user.org == "org_a"`, `{}`, isTrue},
		{"user.roles", `"engineer" in user.roles && !("admin" in user.roles)`, `{}`, isTrue},
		{"user.permissions", `user.permissions == ["draw"]`, `{}`, isTrue},
		{"user.groups", `user.groups.exists(g, g == "eu")`, `{}`, isTrue},
		{"user.claims", `user.claims.level >= 3 && user.claims.team.name == "core" && "b" in user.claims.tags && user.claims.none == null`, `{}`, isTrue},
		{"a claim that is not there", `user.claims.missing == 1`, `{}`, isError},
		{"a claim that may be missing", `has(user.claims.missing)`, `{}`, isFalse},
		{"an argument that is the person's", `args.owner == user.name`, `{"owner":"Alice"}`, isTrue},
		{"client.id", `client.id == "client_1"`, `{}`, isTrue},
		{"client.name", `client.name.startsWith("Claude")`, `{}`, isTrue},
		{"tool.name", `tool.name == "t"`, `{}`, isTrue},
		{"tool.server", `tool.server == "github"`, `{}`, isTrue},
		{"tool.annotations", `tool.annotations.readOnlyHint && !tool.annotations.destructiveHint`, `{}`, isTrue},
		{"now", `now.getHours() == 12 && now < timestamp("2027-01-01T00:00:00Z")`, `{}`, isTrue},
		{"now elsewhere", `now.getHours("Asia/Tokyo") >= 9 && now.getHours("Asia/Tokyo") < 18`, `{}`, isFalse},

		{"no object", `size(args) == 0`, `[]`, isError},
		{"no JSON", `size(args) == 0`, `{`, isError},
		{"more than JSON", `size(args) == 0`, `{}{}`, isError},
		{"a name twice", `args.a == 1`, `{"a":1,"a":1}`, isError},
		{"too deep", `args.a == 1`, `{"a":1,"b":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, isError},
		{"too long", `args.a == 1`, `{"a":1,"b":"` + strings.Repeat("x", MaxArgs) + `"}`, isError},
		{"longer than a judgement takes", `args.l.all(a, args.l.all(b, args.l.all(c, a + b + c >= 0)))`, `{"l":[` + strings.Repeat("1,", 200) + `1]}`, isError},
		{"division by nothing", `1 / args.n == 1`, `{"n":0}`, isError},
		{"too large a sum", `args.n + 1 > 0`, `{"n":9223372036854775807}`, isError},
		{"a pattern with a counted repetition", `args.branch.matches("^rel-[0-9]{2,4}$")`, `{"branch":"rel-2026"}`, isTrue},
		{"a pattern with a counted repetition that is not met", `matches(args.branch, "^(rel|dev)-[0-9]{2}$")`, `{"branch":"rel-2026"}`, isFalse},
		{"a zone that is none", `now.getHours(args.tz) >= 0`, `{"tz":"../../etc/passwd"}`, isError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for effect, want := range map[string]map[string]string{
				"allow": {isTrue: "allow", isFalse: "deny", isError: "deny"},
				"ask":   {isTrue: "ask", isFalse: "allow", isError: "ask"},
				"deny":  {isTrue: "deny", isFalse: "allow", isError: "deny"},
			} {
				facts := &Facts{
					Subject: someone, Tool: Annotations{Known: true, ReadOnly: true}, Args: []byte(tt.args), Now: noon,
				}
				d := wanted(t, effect, tt.when).Judge(Tool, "t", facts)
				got := map[bool]string{true: "allow", false: "deny"}[d.Allowed]
				if d.Ask {
					got = "ask"
				}
				if got != want[tt.want] || d.Variant != "" || d.Rule == "" {
					t.Errorf("an %s rule whose condition is %s: %+v", effect, tt.want, d)
				}
			}
		})
	}
}

// While a list is made the arguments are not known: only what no arguments could change is hidden.
func TestConditionsWhileListing(t *testing.T) {
	tests := []struct {
		name, when  string
		allow, deny bool // whether an allow rule, and a deny rule, with the condition shows the tool
	}{
		{name: "the arguments decide", when: `args.owner == "acme"`, allow: true, deny: true},
		{name: "whether there are any", when: `size(args) > 0`, allow: true, deny: true},
		{name: "whether one is there", when: `has(args.owner)`, allow: true, deny: true},
		{name: "one of a list", when: `args.l.exists(x, x == 1)`, allow: true, deny: true},
		{name: "in a list of them", when: `[args.a, args.b].exists(x, x == 1)`, allow: true, deny: true},
		{name: "certainly not", when: `user.org == "org_b" && args.owner == "acme"`, allow: false, deny: true},
		{name: "certainly not, the other way round", when: `args.owner == "acme" && user.org == "org_b"`, allow: false, deny: true},
		{name: "certainly", when: `user.org == "org_a" || args.owner == "acme"`, allow: true, deny: false},
		{name: "certainly, the other way round", when: `args.owner == "acme" || user.org == "org_a"`, allow: true, deny: false},
		{name: "not yet", when: `user.org == "org_a" && args.owner == "acme"`, allow: true, deny: true},
		{name: "either way", when: `args.force ? user.org == "org_a" : user.org == "org_b"`, allow: true, deny: true},
		{name: "an error for whatever arguments", when: `user.claims.missing == 1`, allow: false, deny: false},
		{name: "an error for some arguments", when: `args.a == 1 || user.claims.missing == 1`, allow: true, deny: true},
		{name: "the person", when: `user.org == "org_b"`, allow: false, deny: true},
		{name: "the time", when: `now.getHours() >= 9`, allow: true, deny: false},
		{name: "the tool", when: `tool.name == "t"`, allow: true, deny: false},
		{name: "a local name that is not the arguments", when: `[1].exists(args, args == 1)`, allow: true, deny: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &Facts{Subject: someone, Now: noon}
			if d := wanted(t, "allow", tt.when).Judge(Tool, "t", f); d.Allowed != tt.allow {
				t.Errorf("an allow rule: %+v", d)
			}
			if d := wanted(t, "deny", tt.when).Judge(Tool, "t", f); d.Allowed != tt.deny {
				t.Errorf("a deny rule: %+v", d)
			}
		})
	}
}

// A call that is denied for its arguments is told from one of something that is hidden.
func TestWhatIsDeniedForItsArgumentsIsSeen(t *testing.T) {
	call := func(v *View, name, args string) Decision {
		return v.Judge(Tool, name, &Facts{Subject: someone, Now: noon, Args: []byte(args)})
	}
	for _, tt := range []struct {
		name, effect, when string
		seen               bool
	}{
		{"an allow rule that other arguments meet", "allow", `args.owner == "acme"`, true},
		{"an allow rule that none meet", "allow", `user.org == "org_b" && args.owner == "acme"`, false},
		{"an allow rule about the person", "allow", `user.org == "org_b"`, false},
		{"a deny rule that other arguments don't meet", "deny", `args.owner != "acme"`, true},
		{"a deny rule that all meet", "deny", `args.owner != "acme" || user.org == "org_a"`, false},
		{"a deny rule about the person", "deny", `user.org == "org_a"`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := wanted(t, tt.effect, tt.when)
			if d := call(v, "t", `{"owner":"evil"}`); d.Allowed || d.Seen != tt.seen {
				t.Errorf("%+v", d)
			}
			if d := v.Judge(Tool, "t", &Facts{Subject: someone, Now: noon}); d.Allowed != tt.seen {
				t.Errorf("listed: %+v", d)
			}
		})
	}
	if d := call(wanted(t, "allow", `args.owner == "acme"`), "other", `{}`); d.Allowed || d.Seen {
		t.Errorf("another tool: %+v", d)
	}
}

// Without facts nothing speaks for anybody.
func TestConditionsWithoutFacts(t *testing.T) {
	for effect, want := range map[string]Decision{"allow": {}, "ask": {Allowed: true, Ask: true}, "deny": {}} {
		d := wanted(t, effect, `true`).Decide(Tool, "t")
		if d.Allowed != want.Allowed || d.Ask != want.Ask {
			t.Errorf("%s: %+v", effect, d)
		}
	}
	for _, when := range []string{`user.org == ""`, `client.id == ""`, `now > timestamp("2000-01-01T00:00:00Z")`, `tool.annotations.readOnlyHint == false`} {
		if d := wanted(t, "allow", when).Judge(Tool, "t", &Facts{Args: []byte("{}")}); d.Allowed {
			t.Errorf("%s is true of nobody: %+v", when, d)
		}
	}
}

func TestConditionsThatCannotBe(t *testing.T) {
	tests := []struct{ rule, want string }{
		{`when: usr.id == "a"`, `p.yaml:4: when: nothing is called usr; did you mean user?`},
		{`when: User.id == "a"`, `p.yaml:4: when: nothing is called User; did you mean user?`},
		{`when: user.naem == "a"`, `p.yaml:4: when: user has no naem; did you mean name?`},
		{`when: user.role == "a"`, `p.yaml:4: when: user has no role; did you mean roles?`},
		{`when: client.version == "a"`, `p.yaml:4: when: client has no version; it has id, name`},
		{`when: tool.annotations.readonly`, `p.yaml:4: when: tool.annotations has no readonly; it has destructiveHint, idempotentHint, openWorldHint, readOnlyHint`},
		{`when: user == "a"`, `p.yaml:4: when: user is not a value of its own; it has id, email, name, org, roles, permissions, groups, claims`},
		{`when: has(user.email)`, `p.yaml:4: when: has() asks about args and user.claims only: user.email is always there, though it may be empty`},
		{`when: user.id`, `p.yaml:4: when: it must be true or false, but it is of type string; compare it with something`},
		{`when: size(args)`, `p.yaml:4: when: it must be true or false, but it is of type int; compare it with something`},
		{`when: user.id == 7`, `p.yaml:4: when: found no matching overload for '_==_' applied to '(string, int)', at "== 7"`},
		{`when: args.a = 1`, `p.yaml:4: when: Syntax error: token recognition error at: '= ', at "= 1"; texts stand in quotes, and conditions are joined by && and ||`},
		{`when: lower(args.a) == "x"`, `p.yaml:4: when: undeclared reference to 'lower', at "(args.a) == \"x\""`},
		{`when: "args.a.matches('(')"`, "p.yaml:4: when: error parsing regexp: missing closing ): `(`"},
		{`when: args.a.matches(args.b)`, `p.yaml:4: when: matches() needs a pattern that stands in quotes`},
		{`when: args.a.matches("(ab){900}")`, `p.yaml:4: when: the pattern "(ab){900}" is too large: it makes 3602 steps, and there may be 1000`},
		{`when: args.l.all(x, matches(x, "([a-z]{900}){900}"))`, "p.yaml:4: when: error parsing regexp: invalid repeat count"},
		{"when: |\n          args.a == 1 &&\n          usr == 2", `p.yaml:5: when: nothing is called usr; did you mean user?`},
		{"when: |\n          args.a == 1 &&\n          user.id == 2", `p.yaml:6: when: found no matching overload for '_==_' applied to '(string, int)', at "== 2"`},
		{`when: ` + strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), `p.yaml:4: when: `},
		{`when: ` + strings.Repeat("x", MaxWhen+1), `p.yaml:4: when: "`},
		{"when: tool.name == \"a\"\n        prompts: [p]", `p.yaml:4: when: it asks about the tool, and the rule names more than tools; write a rule for the tools alone`},
		{"when: args.a == \"a\"\n        resources: [\"docs://**\"]", `p.yaml:4: when: it asks about args, and resources have none; write a rule for the tools and prompts alone`},
	}
	for _, tt := range tests {
		_, err := parseAndCompile(t, "everyone:\n  allow:\n    -\n        "+tt.rule+"\n        tools: [a]\n")
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%.60s\ngot:  %v\nwant: %s", tt.rule, err, tt.want)
		}
	}
}

// parseAndCompile parses and compiles.
func parseAndCompile(t *testing.T, text string) (*Policy, error) {
	t.Helper()
	d, err := Parse("p.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	return Compile(d)
}

// One condition is judged for many calls at a time, each by its own arguments.
func TestConditionsAreSafeForConcurrentUse(t *testing.T) {
	v := wanted(t, "allow", `args.owner == user.name && args.l.all(x, x == args.owner)`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := &Subject{Name: strconv.Itoa(i)}
			for n := range 200 {
				owner := strconv.Itoa(n % 8)
				f := Facts{Subject: s, Now: noon, Args: []byte(`{"owner":"` + owner + `","l":["` + owner + `"]}`)}
				if d := v.Judge(Tool, "t", &f); d.Allowed != (owner == s.Name) || !d.Allowed && !d.Seen {
					t.Errorf("%s for %s: %+v", owner, s.Name, d)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestAttackCountedRepetitionsDoNotPanic: a policy that is edited while the gateway runs must not end it.
func TestAttackCountedRepetitionsDoNotPanic(t *testing.T) {
	for _, pattern := range []string{"a{2}", "^[0-9]{4}-[0-9]{2}$", "(a|b){1,9}?", "(?i)x{0,3}", "((a{2}){2}){2}"} {
		for _, when := range []string{`args.a.matches("` + pattern + `")`, `matches(args.a, "` + pattern + `")`, `args.l.exists(x, x.matches("` + pattern + `"))`} {
			f := &Facts{Subject: someone, Now: noon, Args: []byte(`{"a":"-","l":["-"]}`)}
			if d := wanted(t, "deny", when).Judge(Tool, "t", f); !d.Allowed && !strings.Contains(pattern, "{0,") {
				t.Errorf("%s: %+v", when, d)
			}
		}
	}
}

// TestAttackLongArgumentsDoNotKeepPatternsBusy: one call must not keep a core busy for seconds, whatever pattern an operator has written.
func TestAttackLongArgumentsDoNotKeepPatternsBusy(t *testing.T) {
	long := Facts{Subject: someone, Now: noon, Args: []byte(`{"a":"` + strings.Repeat("ab ", 300_000) + `"}`)}
	for when, want := range map[string]bool{`args.a.matches("(a|b|ab| ){1,90}$")`: false} {
		f := long
		if d := wanted(t, "deny", when).Judge(Tool, "t", &f); d.Allowed != want {
			t.Errorf("%s: %+v", when, d)
		}
		f.Args = []byte(`{"a":"?"}`)
		if d := wanted(t, "deny", when).Judge(Tool, "t", &f); !d.Allowed {
			t.Errorf("%s of a short one: %+v", when, d)
		}
	}
	f := long
	w := &evaluation{facts: f, kind: Tool}
	v := wanted(t, "allow", `args.a.matches("^(a|b|ab| ){1,90}$")`)
	if o := v.kinds[Tool].conditions[0].judge(w); o != failed || w.args != nil {
		t.Errorf("a long one was looked at: %v", o)
	}
}
