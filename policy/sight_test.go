package policy

import "testing"

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
