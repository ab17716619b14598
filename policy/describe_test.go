package policy

import (
	"fmt"
	"testing"
)

func TestDescribe(t *testing.T) {
	tests := map[string]string{ // the rules of everyone → the abilities
		`{}`:                                "[]",
		`{deny: [{tools: [a]}]}`:            "[]",
		`{allow: [{tools: [add]}]}`:         "[the tool add]",
		`{allow: [{tools: [echo, add]}]}`:   "[the tools add and echo]",
		`{allow: [{tools: [c, b, "a_*"]}]}`: "[the tools a_*, b and c]",
		`{allow: [{tools: ["get_*"]}]}`:     "[the tools get_*]",
		`{allow: [{tools: ["*"]}]}`:         "[every tool]",
		`{allow: [{tools: [add, "*"]}]}`:    "[every tool]",
		`{allow: [{tools: [a]}, {server: "x*", tools: [a, b]}, {server: y, tools: [c]}]}`:                   "[the tools a and b]",
		`{allow: [{tools: ["*"]}], deny: [{tools: ["delete_*", reset]}]}`:                                   "[every tool, except delete_* or reset]",
		`{allow: [{tools: ["get_*", add]}], deny: [{tools: [get_secret, "*_admin", "put_*", drop, add]}]}`:  "[the tools get_*, but not *_admin or get_secret]",
		`{allow: [{tools: [add, echo]}], deny: [{tools: ["a*"]}]}`:                                          "[the tool echo]",
		`{allow: [{tools: [add]}], deny: [{tools: ["*"]}]}`:                                                 "[]",
		`{allow: [{tools: ["get_*"]}], deny: [{tools: ["get*"]}]}`:                                          "[]",
		`{allow: [{tools: ["get_*"]}], deny: [{tools: ["get_*"]}]}`:                                         "[]",
		`{allow: [{tools: ["*"], prompts: ["*"], resources: ["**"], templates: ["**"]}]}`:                   "[every tool every prompt every resource every resource template]",
		`{allow: [{resources: ["docs://**"], templates: ["docs://{x}"]}]}`:                                  "[the resources docs://** the resource template docs://{x}]",
		`{allow: [{resources: ["docs://**"]}], deny: [{resources: ["docs://*"]}]}`:                          "[the resources docs://**, but not docs://*]",
		`{allow: [{resources: ["docs://**"]}], deny: [{resources: ["docs://a/**"]}]}`:                       "[the resources docs://**, but not docs://a/**]",
		`{allow: [{resources: ["docs://a/*"]}], deny: [{resources: ["docs://**"]}]}`:                        "[]",
		`{allow: [{resources: ["docs://**"]}], deny: [{resources: ["docs://**"]}]}`:                         "[]",
		`{allow: [{resources: ["docs://**"]}], deny: [{resources: ["docs://*/*"]}]}`:                        "[the resources docs://**, but not docs://*/*]",
		`{allow: [{resources: ["docs://a", "docs://b"]}], deny: [{resources: ["docs://%61", "mail://x"]}]}`: "[the resource docs://b]",
		`{allow: [{resources: ["file:///*?v"]}], deny: [{resources: ["file:///*.pem"]}]}`:                   "[the resources file:///*?v, but not file:///*.pem]",
		`{allow: [{resources: ["file:///a?v"]}], deny: [{resources: ["file:///a"]}]}`:                       "[]",
		`{allow: [{resources: ["*"]}]}`:                                                                     "[the resources *]",
		`{allow: [{tools: ["*"]}, {prompts: [p]}], deny: [{tools: ["*"]}]}`:                                 "[the prompt p]",
		`{allow: [{tools: [a]}], deny: [{server: other, tools: [a]}]}`:                                      "[the tool a]",
		`{allow: [{tools: ["a*", "b*"]}], deny: [{tools: ["a*", "*x"]}]}`:                                   "[the tools b*, but not *x]",
	}
	for rules, want := range tests {
		v := mustView(t, mustParse(t, "everyone: "+rules), &Subject{})
		abilities := v.Describe()
		if got := fmt.Sprint(abilities); got != want {
			t.Errorf("%s\ngot:  %s\nwant: %s", rules, got, want)
		}
		if v.Empty() != (want == "[]") {
			t.Errorf("%s: Empty is %v", rules, v.Empty())
		}
	}
}
