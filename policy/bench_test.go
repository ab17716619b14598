package policy

import (
	"fmt"
	"strings"
	"testing"
)

// ruleShapes are ways in which people, and generators, write many rules.
var ruleShapes = map[string]func(i int) string{
	"exact":  func(i int) string { return fmt.Sprintf("tool_%d", i) },
	"prefix": func(i int) string { return fmt.Sprintf("get_%d_*", i) },
	"suffix": func(i int) string { return fmt.Sprintf("*_item%d", i) },
	"inner":  func(i int) string { return fmt.Sprintf("*_part%d_*", i) },
	"both":   func(i int) string { return fmt.Sprintf("get_*_item%d", i) },
}

// manyRules is a policy of n rules of one name each, every tenth of them a deny rule.
func manyRules(tb testing.TB, n int, shape func(i int) string) *Policy {
	tb.Helper()
	b := &Block{}
	for i := range n {
		r := Rule{Server: "github", Tools: []string{shape(i)}, At: Position{"mcp-policy.yaml", i + 1}}
		if i%10 == 9 {
			b.Deny = append(b.Deny, r)
		} else {
			b.Allow = append(b.Allow, r)
		}
	}
	p, err := Compile(&Document{Roles: map[string]*Block{"member": b}})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var (
	decisionSink Decision
	viewSink     *View
)

func BenchmarkDecide(b *testing.B) {
	for _, shape := range []string{"exact", "prefix", "suffix", "inner", "both"} {
		for _, n := range []int{10, 1_000, 100_000} {
			v := manyRules(b, n, ruleShapes[shape]).View(&Subject{Roles: []string{"member"}}, "github")
			allowed := strings.ReplaceAll(ruleShapes[shape](n/2), "*", "some")
			for what, name := range map[string]string{"allowed": allowed, "unknown": "tool_17_not_known"} {
				b.Run(fmt.Sprintf("%s/%d/%s", shape, n, what), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						decisionSink = v.Decide(Tool, name)
					}
					if want := what == "allowed"; decisionSink.Allowed != want {
						b.Fatalf("%s: %+v", name, decisionSink)
					}
				})
			}
		}
	}
}

func BenchmarkDecideURI(b *testing.B) {
	p := mustCompile(b, `
roles:
  member:
    allow: [{resources: ["docs://**", "file:///srv/*/public/**", "http://127.0.0.1:8080/*?page=*"]}]
    deny: [{resources: ["docs://secret/**"]}]
`)
	v := p.View(&Subject{Roles: []string{"member"}}, "github")
	for what, uri := range map[string]string{
		"plain": "docs://guide/chapter/7", "encoded": "docs://guide/chapter%207", "denied": "docs://secret/x",
		"glob": "file:///srv/a/public/b/c", "query": "file:///srv/a/public/b?c=d", "address": "http://127.0.0.1:8080/a?page=1",
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				decisionSink = v.Decide(Resource, uri)
			}
		})
	}
}

func BenchmarkView(b *testing.B) {
	p := manyRules(b, 1_000, ruleShapes["exact"])
	s := &Subject{Roles: []string{"member", "unknown"}, Permissions: []string{"none"}, Org: "org_1"}
	b.Run("kept", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			viewSink = p.View(s, "github")
		}
	})
	b.Run("built", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.views.Store(nil)
			viewSink = p.View(s, "github")
		}
	})
}

func BenchmarkParseAndCompile(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var text strings.Builder
			text.WriteString("roles:\n  member:\n    allow:\n")
			for i := range n {
				fmt.Fprintf(&text, "      - server: github\n        tools: [get_%d_*]\n", i)
			}
			data := []byte(text.String())
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				d, err := Parse("mcp-policy.yaml", data)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Compile(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What more than names decides: a condition about the person, one about the arguments, what the server says of a tool, a
// limit and a narrowing, each beside 1,000 rules that name others.
func BenchmarkJudge(b *testing.B) {
	for what, rule := range map[string]string{
		"nothing":     "{tools: [t]}",
		"limit":       "{tools: [t], limit: 30/m}",
		"annotations": "{tools: [t], annotations: {readOnlyHint: true}}",
		"when-user":   `{tools: [t], when: 'user.org == "org_a" && "engineer" in user.roles'}`,
		"when-args":   `{tools: [t], when: 'args.owner == "acme" && size(args.title) < 200'}`,
	} {
		var text strings.Builder
		text.WriteString("everyone:\n  allow:\n    - " + rule + "\n")
		for i := range 1_000 {
			fmt.Fprintf(&text, "    - {tools: [other_%d], when: 'user.org == \"org_%d\"'}\n", i, i%10)
		}
		v := mustCompile(b, text.String()).View(&Subject{}, "s")
		f := Facts{
			Subject: someone, Now: noon, Tool: Annotations{Known: true, ReadOnly: true}, Args: []byte(`{"owner":"acme","repo":"site","title":"A title of usual length","body":"And some text"}`),
		}
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.steady = nil // each call is judged on its own
				decisionSink = v.Judge(Tool, "t", &f)
			}
			if !decisionSink.Allowed {
				b.Fatalf("%+v", decisionSink)
			}
		})
	}
}

// A whole list, judged name by name, as a gateway does it while it filters.
func BenchmarkList(b *testing.B) {
	for what, rules := range map[string]string{
		"names": "{tools: [\"tool_*5*\"]}",
		"user":  `{tools: ["*"], when: 'user.org == "org_a"'}`,
		"args":  `{tools: ["*"], when: 'args.owner == "acme"'}`,
		"reads": "{tools: [\"*\"], annotations: {readOnlyHint: true}}",
	} {
		v := mustCompile(b, "everyone:\n  allow:\n    - "+rules+"\n").View(&Subject{}, "s")
		for _, n := range []int{10, 1_000, 10_000} {
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("tool_%d", i)
			}
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f := Facts{Subject: someone, Now: noon}
					for i, name := range names {
						f.Tool = Annotations{Known: true, ReadOnly: i%2 == 0}
						decisionSink = v.Judge(Tool, name, &f)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/name")
			})
		}
	}
}
