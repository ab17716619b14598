package policy

import (
	"strings"
	"testing"
)

// What a server says of a tool counts only if it is known, and then as it says. What is not known is in nobody's favour.
func TestAnnotationsOfRules(t *testing.T) {
	reads := Annotations{Known: true, ReadOnly: true}
	writes := Annotations{Known: true, Destructive: true, OpenWorld: true}
	for _, tt := range []struct {
		name, wanted     string
		tool             Annotations
		allow, ask, deny bool // whether it is allowed, held and not denied under such a rule
	}{
		{"it says so", `readOnlyHint: true`, reads, true, true, false},
		{"it says otherwise", `readOnlyHint: true`, writes, false, false, true},
		{"it says no", `readOnlyHint: false`, writes, true, true, false},
		{"all of two", `readOnlyHint: false, destructiveHint: true`, writes, true, true, false},
		{"one of two", `readOnlyHint: true, openWorldHint: true`, writes, false, false, true},
		{"idempotent", `idempotentHint: true`, writes, false, false, true},
		{"nothing is known", `readOnlyHint: true`, Annotations{}, false, true, false},
		{"nothing is known, and no is wanted", `destructiveHint: false`, Annotations{}, false, true, false},
		{"what is not known says nothing", `readOnlyHint: true`, Annotations{ReadOnly: true}, false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := "{tools: [t], annotations: {" + tt.wanted + "}}"
			for name, policy := range map[string]string{
				"allow": "everyone: {allow: [" + rule + "]}",
				"ask":   "everyone: {allow: [{tools: [t]}], ask: [" + rule + "]}",
				"deny":  "everyone: {allow: [{tools: [t]}], deny: [" + rule + "]}",
			} {
				v := mustCompile(t, policy).View(&Subject{}, "s")
				for _, args := range [][]byte{nil, []byte("{}")} {
					d := v.Judge(Tool, "t", &Facts{Tool: tt.tool, Args: args})
					want := map[string]Decision{"allow": {Allowed: tt.allow}, "ask": {Allowed: true, Ask: tt.ask}, "deny": {Allowed: tt.deny}}[name]
					if d.Allowed != want.Allowed || d.Ask != want.Ask || d.Seen {
						t.Errorf("%s, %s: %+v", name, args, d)
					}
				}
			}
		})
	}
}

// Annotations are of tools: what else a rule names they say nothing about.
func TestAnnotationsAreOfTools(t *testing.T) {
	v := mustCompile(t, `everyone: {allow: [{tools: ["*"], annotations: {readOnlyHint: true}, prompts: ["*"], resources: ["docs://**"]}]}`).View(&Subject{}, "docs")
	if !v.Judge(Prompt, "p", &Facts{}).Allowed || !v.Judge(Resource, "docs://a", &Facts{}).Allowed || v.Judge(Tool, "t", &Facts{}).Allowed {
		t.Error("prompts and resources are judged by annotations")
	}
	_, err := parseAndCompile(t, `everyone: {allow: [{prompts: ["*"], annotations: {readOnlyHint: true}}]}`)
	if err == nil || err.Error() != "p.yaml:1: annotations are of tools, and the rule names none; add tools, or leave annotations out" {
		t.Error(err)
	}
}

func TestRulesThatNeedAnnotations(t *testing.T) {
	p := mustCompile(t, `
everyone:
  allow:
    - {server: docs, tools: [a], annotations: {readOnlyHint: true}}
    - {server: github, tools: [b]}
    - {server: git*, tools: [c], when: 'tool.annotations.readOnlyHint'}
  deny:
    - {server: files, tools: [d], when: 'tool.name == "annotations"'}
`)
	for server, line := range map[string]string{"docs": "p.yaml:4: ", "github": "p.yaml:6: ", "files": "", "gitlab": "p.yaml:6: ", "other": ""} {
		err := p.NeedsAnnotations(server)
		if (err == nil) != (line == "") || err != nil && (!strings.HasPrefix(err.Error(), line) || !strings.Contains(err.Error(), server+" is not trusted; write trust annotations there")) {
			t.Errorf("%s: %v", server, err)
		}
	}
}
