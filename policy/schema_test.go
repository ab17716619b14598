package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

// readSchema reads the schema.
func readSchema(tb testing.TB) (*jsonschema.Schema, *jsonschema.Resolved) {
	tb.Helper()
	s := new(jsonschema.Schema)
	if err := json.Unmarshal(Schema(), s); err != nil {
		tb.Fatal(err)
	}
	resolved, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		tb.Fatal(err)
	}
	return s, resolved
}

func TestTheSchemaKnowsTheKeysOfTheLanguage(t *testing.T) {
	s, _ := readSchema(t)
	bars := slices.DeleteFunc(slices.Clone(ruleKeys), func(key string) bool { return key == "limit" })
	for _, c := range []struct {
		name string
		in   *jsonschema.Schema
		keys []string
	}{
		{"the policy", s, documentKeys},
		{"a block", s.Definitions["block"], blockKeys},
		{"an allow rule", s.Definitions["allow"], ruleKeys},
		{"a deny or ask rule", s.Definitions["bar"], bars},
		{"annotations", s.Definitions["annotations"], hintNames},
	} {
		if got, want := slices.Sorted(maps.Keys(c.in.Properties)), slices.Sorted(slices.Values(c.keys)); !slices.Equal(got, want) {
			t.Errorf("%s has %q in the schema, and %q in a policy", c.name, got, want)
		}
	}
}

// bySchema says what the schema says of a policy.
func bySchema(tb testing.TB, resolved *jsonschema.Resolved, text string) error {
	tb.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		tb.Fatal(err)
	}
	return resolved.Validate(value)
}

func TestTheSchemaAndTheReaderAgree(t *testing.T) {
	_, resolved := readSchema(t)
	for _, good := range []string{
		"roles: {}", explained,
		"roles: {a: {}, b: {inherit: [a], allow: [], ask: [], deny: []}}",
		"everyone: {allow: [{tools: [\"*\"], org: org_1}]}\nmethods: [ext/ping]\nmode: observe",
		"permissions: {p: {allow: [{server: \"x*\", prompts: [a], resources: [\"a://**\"], templates: [\"a://{b}\"]}]}}",
		"roles: {a: {allow: [{tools: [x], limit: 30/m per client}]}}",
		"roles: {a: {deny: [{tools: [x], when: \"true\", annotations: {readOnlyHint: false, openWorldHint: true}}]}}",
	} {
		if document, err := Parse("p.yaml", []byte(good)); err != nil {
			t.Errorf("the reader refuses\n%s\n%v", good, err)
		} else if _, err := Compile(document); err != nil {
			t.Errorf("the compiler refuses\n%s\n%v", good, err)
		}
		if err := bySchema(t, resolved, good); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", good, err)
		}
	}
	for _, bad := range []string{
		"[]", "rules: {}", "roles: []", "roles: {a: }", "roles: {a: {alow: []}}", "roles: {\"a*\": {}}", "roles: {\"\": {}}",
		"roles: {a: {inherit: b}}", "roles: {a: {inherit: [1]}}", "roles: {a: {inherit: [\"b*\"]}}",
		"roles: {a: {allow: [{}]}}", "roles: {a: {allow: [{server: x}]}}", "roles: {a: {allow: [{tools: []}]}}", "roles: {a: {allow: [{tools: x}]}}",
		"roles: {a: {allow: [{tools: [\"x?\"]}]}}", "roles: {a: {allow: [{tools: [\"!x\"]}]}}", "roles: {a: {allow: [{tools: [\"\"]}]}}",
		"roles: {a: {allow: [{tools: [1]}]}}", "roles: {a: {allow: [{tol: [x]}]}}", "roles: {a: {allow: [{server: \"{x}\", tools: [x]}]}}",
		"roles: {a: {allow: [{resources: [\"a://{x}\"]}]}}", "roles: {a: {allow: [{tools: [x], org: \"*\"}]}}",
		"roles: {a: {allow: [{tools: [x], when: \"\"}]}}", "roles: {a: {allow: [{tools: [x], when: true}]}}",
		"roles: {a: {allow: [{tools: [x], limit: 30}]}}", "roles: {a: {allow: [{tools: [x], limit: 30/x}]}}", "roles: {a: {allow: [{tools: [x], limit: 30/m per role}]}}",
		"roles: {a: {deny: [{tools: [x], limit: 30/m}]}}", "roles: {a: {ask: [{tools: [x], limit: 30/m}]}}",
		"roles: {a: {allow: [{tools: [x], annotations: {}}]}}", "roles: {a: {allow: [{tools: [x], annotations: {readOnly: true}}]}}",
		"roles: {a: {allow: [{tools: [x], annotations: {readOnlyHint: \"true\"}}]}}",
		"everyone: []", "methods: x", "methods: [\"a*\"]", "mode: watch", "mode: true",
	} {
		document, err := Parse("p.yaml", []byte(bad))
		if err == nil {
			_, err = Compile(document)
		}
		if err == nil {
			t.Errorf("the reader accepts\n%s", bad)
		}
		if bySchema(t, resolved, bad) == nil {
			t.Errorf("the schema accepts\n%s", bad)
		}
	}
}

// FuzzSchema holds that the schema accepts whatever a policy can be, in its JSON form.
func FuzzSchema(f *testing.F) {
	_, resolved := readSchema(f)
	f.Add([]byte(`{"roles":{"a":{"allow":[{"server":"x*","tools":["get_*"],"limit":"30/m per tool","when":"true"}],"inherit":["b"]},"b":{}}}`))
	f.Add([]byte(`{"everyone":{"deny":[{"resources":["a://**"],"templates":["a://{b}"],"org":"o"}]},"methods":["x/y"],"mode":"observe"}`))
	f.Add([]byte(`{"permissions":{"p":{"ask":[{"prompts":["*"],"annotations":{"readOnlyHint":true}}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		document := new(Document)
		if document.UnmarshalJSON(data) != nil {
			return
		}
		if _, err := Compile(document); err != nil {
			return
		}
		var value any
		if err := json.Unmarshal(data, &value); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(value); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", data, err)
		}
	})
}
