package policy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestViewsAreSharedByEqualRights(t *testing.T) {
	p := mustCompile(t, company)
	base := &Subject{ID: "1", Roles: []string{"member", "guest"}, Permissions: []string{"reader"}, Org: "org_a"}
	v := p.View(base, "github")
	same := map[string]*Subject{
		"the same again":                base,
		"another person":                {ID: "2", Email: "b@example.com", Roles: base.Roles, Permissions: base.Permissions, Org: "org_a", Groups: []string{"g"}},
		"roles in another order":        {Roles: []string{"guest", "member"}, Permissions: base.Permissions, Org: "org_a"},
		"roles named twice":             {Roles: []string{"guest", "member", "member"}, Permissions: []string{"reader", "reader"}, Org: "org_a"},
		"roles the policy doesn't know": {Roles: []string{"guest", "x", "member", "y"}, Permissions: []string{"reader", "z"}, Org: "org_a"},
	}
	for name, s := range same {
		if got := p.View(s, "github"); got != v || got.ID() != v.ID() {
			t.Errorf("%s: another view", name)
		}
	}
	other := map[string]*View{
		"fewer roles":       p.View(&Subject{Roles: []string{"member"}, Permissions: base.Permissions, Org: "org_a"}, "github"),
		"fewer permissions": p.View(&Subject{Roles: base.Roles, Org: "org_a"}, "github"),
		"another org":       p.View(&Subject{Roles: base.Roles, Permissions: base.Permissions, Org: "org_b"}, "github"),
		"a machine":         p.View(&Subject{Roles: base.Roles, Permissions: base.Permissions, Org: "org_a", Machine: true}, "github"),
		"another server":    p.View(base, "gitlab"),
		"another policy":    mustCompile(t, company+"mode: observe").View(base, "github"),
		"nobody":            p.View(nil, "github"),
	}
	ids := map[string]string{v.ID(): "the view"}
	for name, got := range other {
		if before, ok := ids[got.ID()]; ok {
			t.Errorf("%s has the ID of %s", name, before)
		}
		ids[got.ID()] = name
	}
	if got := mustCompile(t, company).View(base, "github").ID(); got != v.ID() {
		t.Error("the same policy compiled again gives another ID")
	}
}

// Orgs that no rule names make no difference, so that a gateway with many organizations keeps few views.
func TestUnnamedOrgsShareAView(t *testing.T) {
	p := mustCompile(t, company)
	v := p.View(&Subject{Org: "org_x"}, "github")
	if p.View(&Subject{Org: "org_y"}, "github") != v || p.View(&Subject{}, "github") != v {
		t.Error("orgs that no rule names have views of their own")
	}
}

func TestViewsAreBounded(t *testing.T) {
	p := mustCompile(t, `roles: {member: {allow: [{server: docs, resources: ["docs://**"]}]}}`)
	s := &Subject{Roles: []string{"member"}}
	for i := range maxViews + 100 {
		p.View(s, fmt.Sprint("server", i))
		if n := p.views.Load().size(); n > maxViews {
			t.Fatalf("%d views are kept", n)
		}
	}
	if !p.View(s, "docs").Decide(Resource, "docs://guide/a").Allowed {
		t.Error("a view built late decides wrongly")
	}

	big := &Rule{Tools: make([]string, 400_000)}
	for i := range big.Tools {
		big.Tools[i] = "a"
	}
	q, err := Compile(&Document{Everyone: &Block{Allow: []Rule{*big}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		q.View(s, fmt.Sprint("server", i))
		if memo := q.views.Load(); memo.patterns > maxViewPatterns || memo.patterns != 400_000*memo.size() {
			t.Fatalf("%d views with %d patterns are kept", memo.size(), memo.patterns)
		}
	}
}

// A role that is inherited over many ways is applied once: there are 2^30 ways here.
func TestDiamondsOfInheritance(t *testing.T) {
	d := &Document{Roles: map[string]*Block{}}
	var above []string
	for i := range 30 {
		names := []string{fmt.Sprint("left", i), fmt.Sprint("right", i)}
		for _, name := range names {
			d.Roles[name] = &Block{Inherit: above, Allow: []Rule{{Tools: []string{name}}}}
		}
		above = names
	}
	v := mustView(t, d, &Subject{Roles: above})
	if v.patterns != 60 || !v.Decide(Tool, "left0").Allowed || !v.Decide(Tool, "right29").Allowed {
		t.Errorf("%d patterns apply", v.patterns)
	}
}

func TestViewsAreSafeForConcurrentUse(t *testing.T) {
	p := mustCompile(t, company)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 500 {
				s := &Subject{Roles: []string{"member", "admin"}[:1+(i+j)%2], Org: fmt.Sprintf("org_%c", 'a'+j%3)}
				v := p.View(s, fmt.Sprint("s", j%40))
				if got, want := v.Decide(Tool, "delete").Allowed, len(s.Roles) == 2; got != want {
					t.Errorf("%v: %v", s.Roles, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

// The hot path allocates nothing.
func TestAllocations(t *testing.T) {
	p := mustCompile(t, company)
	s := &Subject{Roles: []string{"member", "unknown", "admin", "guest", "partner"}, Permissions: []string{"reader", "no_search"}, Org: "org_a"}
	v := p.View(s, "github")
	denied := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["**"]}], deny: [{resources: ["docs://x/**", "file:///etc/**"]}]}`), s)
	conditional := mustView(t, mustParse(t, `everyone: {allow: [{tools: [a], limit: 3/m}, {tools: [b], annotations: {readOnlyHint: true}}, {tools: [c], when: 'user.org == "x"'}, {tools: [d]}]}`), s)
	narrow := p.View(&Subject{Roles: s.Roles, Narrowing: &Narrowing{ReadOnly: true, Tools: []string{"merge"}}}, "github")
	args := []byte("{}")
	judge := func(v *View, name string) func() {
		return func() {
			f := Facts{Subject: s, Tool: Annotations{Known: true, ReadOnly: true}, Args: args, Now: noon}
			decisionSink = v.Judge(Tool, name, &f)
		}
	}
	for what, f := range map[string]func(){
		"a limit":            judge(conditional, "a"),
		"annotations":        judge(conditional, "b"),
		"no condition of it": judge(conditional, "d"),
		"what is left":       judge(narrow, "merge"),
		"View":               func() { viewSink = p.View(s, "github") },
		"an exact name":      func() { decisionSink = v.Decide(Tool, "merge") },
		"a glob":             func() { decisionSink = v.Decide(Tool, "get_issue") },
		"a denied name":      func() { decisionSink = v.Decide(Tool, "get_secret") },
		"an unknown name":    func() { decisionSink = v.Decide(Prompt, "x") },
		"a URI":              func() { decisionSink = v.Decide(Resource, "file:///srv/a") },
		"an encoded URI":     func() { decisionSink = v.Decide(Resource, "docs://guide/a%20b") },
		"a URI with denies":  func() { decisionSink = denied.Decide(Resource, "file:///srv/a") },
		"a URI with a query": func() { decisionSink = v.Decide(Resource, "file:///srv/a?b#c") },
		"a URI of a host":    func() { decisionSink = v.Decide(Resource, "http://127.0.0.1:8080/a?b") },
		"a URI with a trap":  func() { decisionSink = v.Decide(Resource, "docs://guide/../b") },
		"a method":           func() { p.AllowsMethod("ext/ping") },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func TestHashFollowsTheMeaning(t *testing.T) {
	const text = `
roles:
  a: {allow: [{server: s, tools: [x, y]}, {prompts: [p]}]}
  b: {inherit: [a, c]}
  c: {}
`
	hash := func(text string) string { return mustCompile(t, text).Hash() }
	want := hash(text)
	if len(want) != 16 || strings.Trim(want, "0123456789abcdef") != "" {
		t.Errorf("hash %q", want)
	}
	for name, same := range map[string]string{
		"comments":       "# c\n" + text,
		"order of roles": "roles:\n  c: {}\n  b: {inherit: [c, a]}\n  a: {allow: [{prompts: [p]}, {server: s, tools: [y, x, x]}]}",
		"defaults":       "roles: {a: {deny: [], allow: [{server: s, tools: [x, y]}, {server: '*', prompts: [p]}]}, b: {inherit: [a, c]}, c: {}}\nmode: enforce\nmethods: []",
	} {
		if hash(same) != want {
			t.Errorf("%s changes the hash", name)
		}
	}
	seen := map[string]string{want: "the policy"}
	for name, other := range map[string]string{
		"a tool":         strings.Replace(text, "[x, y]", "[x, z]", 1),
		"a server":       strings.Replace(text, "server: s", "server: t", 1),
		"deny":           strings.Replace(text, "allow", "deny", 1),
		"kind":           strings.Replace(text, "prompts", "tools", 1),
		"org":            strings.Replace(text, "server: s", "server: s, org: o", 1),
		"inherit":        strings.Replace(text, "[a, c]", "[a]", 1),
		"a role":         text + "  d: {}\n",
		"mode":           text + "mode: observe\n",
		"methods":        text + "methods: [m]\n",
		"everyone":       text + "everyone: {}\n",
		"permission":     text + "permissions: {c: {}}\n",
		"names run over": strings.Replace(text, "[x, y]", "['x y']", 1),
		"rules joined":   strings.Replace(text, "[x, y]}, {prompts: [p]}", "[x, y], prompts: [p]}", 1),
	} {
		got := hash(other)
		if before, ok := seen[got]; ok {
			t.Errorf("%s has the hash of %s", name, before)
		}
		seen[got] = name
	}
}
