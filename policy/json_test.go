package policy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestJSONIsAsStrictAsYAML(t *testing.T) {
	tests := map[string]string{ // JSON → the errors
		`{"rolse":{}}`:                           `policy.rolse: unknown key "rolse"; did you mean roles?`,
		`{"Roles":{}}`:                           `policy.Roles: unknown key "Roles"; did you mean roles?`,
		`{"roles":{},"roles":{}}`:                `policy.roles: "roles" is written twice in the policy`,
		`{"roles":{"a":{},"\u0061":{}}}`:         `policy.roles.a: "a" is written twice in roles`,
		`{"roles":{"a":null}}`:                   `policy.roles.a: a must be a mapping of keys to values, not empty; write {} for none`,
		`{"everyone":{"ask":{}}}`:                `policy.everyone.ask: ask must be a list, not a mapping; for example - tools: [get_*]`,
		`{"everyone":{"allow":{}}}`:              `policy.everyone.allow: allow must be a list, not a mapping; for example - tools: [get_*]`,
		`{"everyone":{"allow":[{"tools":[]}]}}`:  `policy.everyone.allow[0].tools: tools is an empty list and names nothing; write ["*"] to name all, or leave the key out`,
		`{"everyone":{"allow":[{"tools":"a"}]}}`: `policy.everyone.allow[0].tools: tools must be a list, not text; for example [a]`,
		`{"everyone":{"allow":[{"tools":["a",7,true,null,"b?"]}]}}`: `policy.everyone.allow[0].tools[1]: tools must be text, not a number; if it is meant as a name, put it in quotes: "7"
policy.everyone.allow[0].tools[2]: tools must be text, not true or false; if it is meant as a name, put it in quotes: "true"
policy.everyone.allow[0].tools[3]: tools must be text, not empty
policy.everyone.allow[0].tools[4]: tools: "b?" contains ?; only * is a wildcard, and alternatives are written as several entries`,
		`{"everyone":{"allow":[{"tools":["a"],"annotations":{"readOnlyHint":1}}]}}`: `policy.everyone.allow[0].annotations.readOnlyHint: readOnlyHint must be true or false, not a number`,
		`{"everyone":{"allow":[{"tools":["a\ud800"]}]}}`:                            "policy.everyone.allow[0].tools[0]: tools: \"a\ufffd\" contains U+FFFD, which a broken encoding leaves behind",
		`{"everyone":{"allow":[{"tools":["a\u0000"]}]}}`:                            `policy.everyone.allow[0].tools[0]: tools: "a\x00" contains a control character`,
		"{\"mode\":\"\xff\"}":        `policy: the policy is not UTF-8`,
		`null`:                       `policy: the policy must be a mapping of keys to values, not empty; write {} for none`,
		`[]`:                         `policy: the policy must be a mapping of keys to values, not a list`,
		`{} {}`:                      `policy: there is something after the policy's value`,
		`{"roles":`:                  `policy: unexpected EOF`,
		strings.Repeat("[", 100_000): `policy: the policy is nested too deeply`,
	}
	for text, want := range tests {
		d := &Document{Mode: "untouched"}
		err := d.UnmarshalJSON([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%.100s\ngot:  %v\nwant: %s", text, err, want)
		}
		if d.Mode != "untouched" {
			t.Errorf("%.100s has changed the document", text)
		}
	}
}

// A policy means the same in both forms, and when it is written out and read again.
func TestJSONRoundTrip(t *testing.T) {
	const text = company + "mode: observe\n"
	fromYAML := mustParse(t, text)
	data, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Policy *Document `json:"policy,omitempty"`
	}
	if err := json.Unmarshal([]byte(`{"policy":`+string(data)+`}`), &config); err != nil {
		t.Fatal(err)
	}
	p, err := Compile(config.Policy)
	if err != nil {
		t.Fatal(err)
	}
	if p.Hash() != mustCompile(t, text).Hash() {
		t.Error("the JSON form means something else")
	}
	if got := p.View(&Subject{Roles: []string{"member"}}, "github").Decide(Tool, "get_secret").Rule; got != "policy.roles.member.deny[0] (role member, deny)" {
		t.Error(got)
	}
	again, err := json.Marshal(config.Policy)
	if err != nil || !reflect.DeepEqual(again, data) {
		t.Errorf("%v\n%s\n%s", err, again, data)
	}
}
