package policy

import (
	"testing"
	"time"
)

// TestSightsTellWhatChanged compares what two policies show the same person, kind by kind.
func TestSightsTellWhatChanged(t *testing.T) {
	const before = "roles:\n  member:\n    allow:\n      - {server: files, tools: [a, b], prompts: [p]}\n"
	alice := &Subject{ID: "alice", Roles: []string{"member"}}
	sight := func(text, server string, k Kind) Sight { return mustCompile(t, text).View(alice, server).Sight(k) }
	for name, c := range map[string]struct {
		after   string
		changed []Kind
	}{
		"the same in another order":  {"roles:\n  member:\n    allow:\n      - {server: files, prompts: [p]}\n      - {tools: [b, a], server: f*}\n", nil},
		"another role":               {before + "  other:\n    allow:\n      - {tools: [c]}\n", nil},
		"another server":             {before + "      - {server: mail, tools: [c], prompts: [q]}\n", nil},
		"a tool more":                {before + "      - {server: files, tools: [c]}\n", []Kind{Tool}},
		"a tool denied":              {before + "    deny:\n      - {tools: [b]}\n", []Kind{Tool}},
		"a resource and a template":  {before + "      - {resources: [\"docs://**\"], templates: [\"docs://**\"]}\n", []Kind{Resource, Template}},
		"what nothing allows denied": {before + "    deny:\n      - {resources: [\"docs://**\"]}\n", nil},
		"nothing left":               {"roles:\n  member: {}\n", []Kind{Tool, Prompt}},
	} {
		changed := map[Kind]bool{}
		for _, k := range c.changed {
			changed[k] = true
		}
		for _, k := range []Kind{Tool, Prompt, Resource, Template} {
			if got := sight(c.after, "files", k) != sight(before, "files", k); got != changed[k] {
				t.Errorf("%s: %v changed: %v", name, k, got)
			}
		}
	}
	if new(View).Sight(Tool) != sight("roles:\n  member: {}\n", "files", Tool) {
		t.Error("to see nothing is not always the same")
	}
}

// Under conditions a sight changes with whatever changes what a list shows, and with nothing else.
func TestSightsUnderConditions(t *testing.T) {
	p := mustCompile(t, `
everyone:
  allow:
    - {tools: [a], when: 'user.org == "o1" && args.x == 1'}
    - {tools: [b], when: 'now.getHours() < 13'}
    - {tools: [c], when: 'client.id == "c1" || tool.name == "c"'}
    - {tools: [d], when: 'args.y == 2'}
    - {prompts: [p]}
  deny:
    - {tools: [e], when: 'user.claims.level > 2'}
`)
	view := p.View(&Subject{}, "s")
	sight := func(f Facts) Sight { return view.SightBy(Tool, &f) }
	person := func(org, client string, level any) *Subject {
		return &Subject{Org: org, Client: Client{ID: client}, Claims: map[string]any{"level": level}}
	}
	base := Facts{Subject: person("o1", "c1", 1), Now: noon}
	same := map[string]Facts{
		"again":           base,
		"an hour before":  {Subject: base.Subject, Now: noon.Add(-time.Hour)},
		"other arguments": {Subject: base.Subject, Now: noon, Args: []byte(`{"x":1,"y":2}`)},
		"another person":  {Subject: person("o1", "c1", 2), Now: noon},
		"another tool":    {Subject: base.Subject, Now: noon, Tool: Annotations{Known: true}},
	}
	for name, f := range same {
		if sight(f) != sight(base) {
			t.Errorf("%s: another sight", name)
		}
	}
	seen := map[Sight]string{sight(base): "the first"}
	for name, f := range map[string]Facts{
		"another organization": {Subject: person("o2", "c1", 1), Now: noon},
		"another agent":        {Subject: person("o1", "c2", 1), Now: noon},
		"an hour later":        {Subject: base.Subject, Now: noon.Add(time.Hour)},
		"a higher level":       {Subject: person("o1", "c1", 3), Now: noon},
		"no level":             {Subject: person("o1", "c1", nil), Now: noon},
	} {
		if before, ok := seen[sight(f)]; ok {
			t.Errorf("%s has the sight of %s", name, before)
		}
		seen[sight(f)] = name
	}
	if view.SightBy(Prompt, &base) != view.Sight(Prompt) || !view.Conditional(Tool) || view.Conditional(Prompt) {
		t.Error("prompts are under conditions")
	}
}

func TestWhoseAnnotationsMatter(t *testing.T) {
	p := mustCompile(t, `
everyone:
  allow:
    - {tools: [a*], annotations: {readOnlyHint: true}}
    - {tools: [b]}
  ask: [{tools: [c], annotations: {destructiveHint: true}}]
  deny: [{tools: [d], when: 'tool.annotations.openWorldHint'}, {tools: [e], when: 'tool.name == "e"'}]
`)
	v, reads := p.View(&Subject{}, "s"), p.View(&Subject{Narrowing: &Narrowing{ReadOnly: true}}, "s")
	for tool, want := range map[string]bool{"ab": true, "b": false, "c": true, "d": true, "e": false, "f": false} {
		if v.WantsAnnotations(tool) != want || !reads.WantsAnnotations(tool) {
			t.Errorf("%s: not %v", tool, want)
		}
	}
	if plain := mustCompile(t, `everyone: {allow: [{tools: [a], limit: 1/m}]}`).View(&Subject{}, "s"); plain.Conditional(Tool) || plain.WantsAnnotations("a") {
		t.Error("a limit needs facts")
	}
}
