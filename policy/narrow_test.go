package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestWhatAPersonLeftAnAgent(t *testing.T) {
	p := mustCompile(t, `
roles:
  member:
    allow:
      - {tools: [get_*, put, drop], prompts: [p], resources: ["docs://**"]}
      - {tools: [merge], when: 'args.owner == "acme"'}
    ask: [{tools: [put]}]
    deny: [{tools: [drop]}]
`)
	reads, writes, unknown := Annotations{Known: true, ReadOnly: true}, Annotations{Known: true}, Annotations{ReadOnly: true}
	for _, tt := range []struct {
		name string
		left *Narrowing
		tool string
		says Annotations
		want bool
		rule string
	}{
		{"all", nil, "get_a", unknown, true, ""},
		{"all, in other words", &Narrowing{}, "get_a", unknown, true, ""},
		{"a tool that is left", &Narrowing{Tools: []string{"put", "get_a"}}, "get_a", unknown, true, ""},
		{"one that is not", &Narrowing{Tools: []string{"put", "get_a"}}, "get_b", unknown, false, narrowTools},
		{"its case", &Narrowing{Tools: []string{"Get_a"}}, "get_a", unknown, false, narrowTools},
		{"a name is no glob", &Narrowing{Tools: []string{"get_*"}}, "get_a", unknown, false, narrowTools},
		{"none", &Narrowing{Tools: []string{}}, "get_a", unknown, false, narrowTools},
		{"it never adds", &Narrowing{Tools: []string{"other"}}, "other", unknown, false, NoRule},
		{"nor undoes a deny", &Narrowing{Tools: []string{"drop"}}, "drop", unknown, false, "p.yaml:8 (role member, deny)"},
		{"only what reads", &Narrowing{ReadOnly: true}, "get_a", reads, true, ""},
		{"not what writes", &Narrowing{ReadOnly: true}, "get_a", writes, false, narrowReads},
		{"not what nothing is known of", &Narrowing{ReadOnly: true}, "get_a", unknown, false, narrowReads},
		{"both", &Narrowing{ReadOnly: true, Tools: []string{"get_a"}}, "get_a", reads, true, ""},
		{"both, but it writes", &Narrowing{ReadOnly: true, Tools: []string{"get_a"}}, "get_a", writes, false, narrowReads},
		{"both, but it is another", &Narrowing{ReadOnly: true, Tools: []string{"get_a"}}, "get_b", reads, false, narrowTools},
		{"what is left is still asked for", &Narrowing{Tools: []string{"put"}}, "put", unknown, true, ""},
		{"what is left is still under its condition", &Narrowing{Tools: []string{"merge"}}, "merge", unknown, false, NoRule},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := p.View(&Subject{Roles: []string{"member"}, Narrowing: tt.left}, "s")
			d := v.Judge(Tool, tt.tool, &Facts{Tool: tt.says, Args: []byte("{}")})
			if d.Allowed != tt.want || tt.rule != "" && d.Rule != tt.rule || d.Ask != (tt.tool == "put") || d.Seen != (tt.tool == "merge") {
				t.Errorf("%+v", d)
			}
			if !v.Decide(Prompt, "p").Allowed || !v.Decide(Resource, "docs://a").Allowed {
				t.Error("a narrowing takes away what is no tool")
			}
		})
	}
	if d := p.View(&Subject{Roles: []string{"member"}, Narrowing: &Narrowing{ReadOnly: true}}, "s").Decide(Tool, "get_a"); d.Allowed {
		t.Errorf("without facts: %+v", d)
	}
}

// Views are shared by those who left their agents the same, and by nobody else.
func TestNarrowedViews(t *testing.T) {
	p := mustCompile(t, company)
	view := func(left *Narrowing) *View {
		return p.View(&Subject{Roles: []string{"member"}, Narrowing: left}, "github")
	}
	whole := view(nil)
	if view(&Narrowing{}) != whole {
		t.Error("what takes nothing away makes another view")
	}
	if first := view(&Narrowing{Tools: []string{"a"}}); view(&Narrowing{Tools: []string{"a"}}) != first {
		t.Error("equal narrowings make different views")
	}
	ids, sights := map[string]bool{whole.ID(): true}, map[Sight]bool{whole.Sight(Tool): true, {}: true}
	for _, left := range []*Narrowing{{ReadOnly: true}, {Tools: []string{"a"}}, {Tools: []string{"b"}}, {Tools: []string{"a", "b"}}, {Tools: []string{"ab"}}, {ReadOnly: true, Tools: []string{"a"}}} {
		v := view(left)
		if ids[v.ID()] || sights[v.Sight(Tool)] {
			t.Errorf("%+v has the ID or the sight of another", left)
		}
		ids[v.ID()], sights[v.Sight(Tool)] = true, true
		if v.Sight(Prompt) != whole.Sight(Prompt) {
			t.Errorf("%+v changes what is seen of prompts", left)
		}
	}
	if none := view(&Narrowing{Tools: []string{}}); none.Sight(Tool) != (Sight{}) || ids[none.ID()] {
		t.Error("no tool at all is a sight")
	}
	for i := range maxViews + 100 {
		view(&Narrowing{Tools: []string{fmt.Sprint(i)}})
	}
	if n := p.views.Load().size(); n > maxViews {
		t.Errorf("%d views are kept", n)
	}
}

func TestDescriptionsOfWhatIsLeft(t *testing.T) {
	const rules = `everyone: {allow: [{tools: [get_*, put], prompts: [p]}], ask: [{tools: [put, other]}], deny: [{tools: [get_secret]}]}`
	for _, tt := range []struct {
		left  *Narrowing
		want  string
		empty bool
	}{
		{nil, "[the tools get_* and put, but not get_secret; each use of put has to be approved the prompt p]", false},
		{&Narrowing{ReadOnly: true}, "[the tools get_* and put, but not get_secret, as far as they only read; each use of put has to be approved the prompt p]", false},
		{&Narrowing{Tools: []string{"put", "get_b", "get_secret", "nothing", "get_*"}}, "[the tools get_b and put; each use of put has to be approved the prompt p]", false},
		{&Narrowing{Tools: []string{"nothing"}}, "[the prompt p]", false},
	} {
		v := mustView(t, mustParse(t, rules), &Subject{Narrowing: tt.left})
		if got := fmt.Sprint(v.Describe()); got != tt.want || v.Empty() != tt.empty {
			t.Errorf("%+v\ngot:  %s\nwant: %s", tt.left, got, tt.want)
		}
	}
	if v := mustView(t, mustParse(t, `everyone: {allow: [{tools: [a]}]}`), &Subject{Narrowing: &Narrowing{Tools: []string{"b"}}}); !v.Empty() || v.Describe() != nil {
		t.Error("nothing is left, and it is not empty")
	}
}

// A narrowing never adds: what it leaves was allowed without it, in the same way.
func TestNarrowingsNeverAdd(t *testing.T) {
	r := randomPolicy{rand.New(rand.NewPCG(9, 10))}
	left, taken := 0, 0
	for range 60 {
		d := r.document()
		p, err := Compile(d)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			s := r.subject()
			narrow := *s
			narrow.Narrowing = &Narrowing{ReadOnly: r.IntN(3) == 0, Tools: r.some(6, r.name)}
			for k := range kinds {
				name := r.name()
				if k.uri() {
					name = r.uri()
				}
				f := &Facts{Subject: s, Tool: Annotations{Known: r.IntN(2) == 0, ReadOnly: r.IntN(2) == 0}}
				whole, got := p.View(s, "s1").Judge(k, name, f), p.View(&narrow, "s1").Judge(k, name, f)
				want := whole
				if n := narrow.Narrowing; k == Tool && (n.Tools != nil && !slices.Contains(n.Tools, name) || n.ReadOnly && !(f.Tool.Known && f.Tool.ReadOnly)) {
					want.Allowed = false
				}
				if got.Allowed != want.Allowed {
					t.Fatalf("%v %q with %+v is %+v, and %+v without", k, name, narrow.Narrowing, got, whole)
				}
				if whole.Allowed && got.Allowed {
					left++
				} else if whole.Allowed {
					taken++
				}
			}
		}
	}
	if left < 100 || taken < 100 {
		t.Errorf("%d left, %d taken: the test shows little", left, taken)
	}
}

// What is left is said in words, also of many tools.
func TestNarrowingsInWords(t *testing.T) {
	var many []string
	for i := range 30 {
		many = append(many, "t"+strconv.Itoa(i))
	}
	for want, n := range map[string]*Narrowing{
		"everything that the role allows": nil,
		"only tools that only read":       {ReadOnly: true},
		"no tools":                        {Tools: []string{}},
		"only the tool add":               {Tools: []string{"add"}},
		"only the tools add and echo, as far as they only read":            {ReadOnly: true, Tools: []string{"add", "echo"}},
		"only the tools " + strings.Join(many[:20], ", ") + " and 10 more": {Tools: many},
	} {
		if got := n.String(); got != want {
			t.Errorf("%+v: %q, want %q", n, got, want)
		}
	}
	if len(many) != 30 || many[20] != "t20" {
		t.Error("saying it changes it")
	}
}
