package policy

import (
	"reflect"
	"strings"
	"testing"
)

// readInline reads the inline form as a Caddyfile would hand it over: a line's words, and whether a block begins.
func readInline(text string) (*Document, error) {
	d := &Document{}
	var block *Block
	for i, line := range strings.Split(text, "\n") {
		at := Position{"Caddyfile", i + 1}
		words := strings.Fields(line)
		var err error
		switch {
		case len(words) == 0:
		case words[0] == "}":
			block = nil
		case words[len(words)-1] == "{":
			block, err = d.AddBlock(at, words[:len(words)-1]...)
		case block != nil:
			err = block.AddLine(at, words...)
		default:
			err = d.AddSetting(at, words...)
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func TestInlineFormMeansTheSame(t *testing.T) {
	inline, err := readInline(`role member {
	inherit guest
	inherit reader
	allow github tools get_* list_* prompts review org org_01H
	allow github tools create_issue when user.org=="acme" annotations readOnlyHint false openWorldHint true limit 30/m per client
	ask github tools merge
	deny * tools delete_*
}
role guest {
}
role reader {
	allow docs resources docs://** templates docs://{x}
}
permission image_generation {
	allow images tools generateImage
}
everyone {
	allow status tools *
}
methods ext/ping
methods ext/pong
mode observe`)
	if err != nil {
		t.Fatal(err)
	}
	fromYAML := mustCompile(t, `
roles:
  member:
    inherit: [guest, reader]
    allow:
      - {server: github, tools: [get_*, list_*], prompts: [review], org: org_01H}
      - {server: github, tools: [create_issue], when: 'user.org=="acme"', annotations: {openWorldHint: true, readOnlyHint: false}, limit: 30/m per client}
    ask:
      - {server: github, tools: [merge]}
    deny:
      - tools: [delete_*]
  guest: {}
  reader:
    allow:
      - {server: docs, resources: ["docs://**"], templates: ["docs://{x}"]}
permissions:
  image_generation: {allow: [{server: images, tools: [generateImage]}]}
everyone: {allow: [{server: status, tools: ["*"]}]}
methods: [ext/ping, ext/pong]
mode: observe
`)
	p, err := Compile(inline)
	if err != nil {
		t.Fatal(err)
	}
	if p.Hash() != fromYAML.Hash() {
		t.Errorf("the inline form means something else: %+v", inline)
	}
	want := Rule{Server: "github", Tools: []string{"get_*", "list_*"}, Prompts: []string{"review"}, Org: "org_01H", At: Position{"Caddyfile", 4}}
	if got := inline.Roles["member"].Allow[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	rule := p.View(&Subject{Roles: []string{"member"}, Org: "org_01H"}, "github").Decide(Tool, "get_x").Rule
	if rule != "Caddyfile:4 (role member, allow)" {
		t.Error(rule)
	}
}

func TestInlineFormIsStrict(t *testing.T) {
	inRole := func(line string) string { return "role a {\n" + line + "\n}" }
	tests := map[string]string{
		"rule a {\n}":                                      `Caddyfile:1: unknown key "rule"; did you mean role?`,
		"{\n}":                                             `Caddyfile:1: unknown key ""; known here: role, permission, everyone, methods, mode`,
		"role {\n}":                                        `Caddyfile:1: role takes exactly one name`,
		"role a b {\n}":                                    `Caddyfile:1: role takes exactly one name`,
		"role a* {\n}":                                     `Caddyfile:1: role: "a*" contains *, which is no wildcard here`,
		"role a {\n}\nrole a {\n}":                         `Caddyfile:3: role a is written twice`,
		"permission a {\n}\npermission a {\n}":             `Caddyfile:3: permission a is written twice`,
		"everyone a {\n}":                                  `Caddyfile:1: everyone takes no name, but there is "a"`,
		"everyone {\n}\neveryone {\n}":                     `Caddyfile:3: everyone is written twice`,
		"mode":                                             `Caddyfile:1: mode takes exactly one value: enforce or observe`,
		"mode observe\nmode observe":                       `Caddyfile:2: mode takes exactly one value: enforce or observe`,
		"mode watch":                                       `Caddyfile:1: mode: "watch" is not a mode; write enforce or observe`,
		"methods":                                          `Caddyfile:1: methods needs at least one value`,
		"methods a/*":                                      `Caddyfile:1: methods: "a/*" contains *, which is no wildcard here`,
		"method a":                                         `Caddyfile:1: unknown key "method"; did you mean methods?`,
		inRole("alow x tools y"):                           `Caddyfile:2: unknown key "alow"; did you mean allow?`,
		inRole("ask x tool y"):                             `Caddyfile:2: ask takes a server and what it names there: ask SERVER tools NAME...; there is "tool" after the server; did you mean tools?`,
		inRole("inherit"):                                  `Caddyfile:2: inherit needs at least one value`,
		inRole("inherit b*"):                               `Caddyfile:2: inherit: "b*" contains *, which is no wildcard here`,
		inRole("allow"):                                    `Caddyfile:2: allow: server "" is empty`,
		inRole("allow github"):                             `Caddyfile:2: allow takes a server and what it names there: allow SERVER tools NAME...`,
		inRole("deny tools delete_*"):                      `Caddyfile:2: deny takes a server and what it names there: deny SERVER tools NAME...; for every server write *`,
		inRole("allow github get_*"):                       `Caddyfile:2: allow takes a server and what it names there: allow SERVER tools NAME...; there is "get_*" after the server`,
		inRole("allow github tool get_*"):                  `Caddyfile:2: allow takes a server and what it names there: allow SERVER tools NAME...; there is "tool" after the server; did you mean tools?`,
		inRole("allow github tools"):                       `Caddyfile:2: tools needs at least one value`,
		inRole("allow github tools prompts x"):             `Caddyfile:2: tools needs at least one value`,
		inRole("allow github tools a tools b"):             `Caddyfile:2: tools is written twice in one rule`,
		inRole("allow github tools a?"):                    `Caddyfile:2: tools: "a?" contains ?; only * is a wildcard, and alternatives are written as several entries`,
		inRole("allow g[h] tools a"):                       `Caddyfile:2: allow: server "g[h]" contains [; only * is a wildcard, and alternatives are written as several entries`,
		inRole("allow github resources docs:.."):           `Caddyfile:2: resources: "docs:.." can never match: the URI has a dot segment`,
		inRole("allow github tools a org"):                 `Caddyfile:2: org takes exactly one organization`,
		inRole("allow github tools a org b c"):             `Caddyfile:2: org takes exactly one organization`,
		inRole("allow github tools a org b org"):           `Caddyfile:2: org takes exactly one organization`,
		inRole("allow github tools a when"):                `Caddyfile:2: when takes exactly one expression; put it between backticks`,
		inRole("allow github tools a when x y"):            `Caddyfile:2: when takes exactly one expression; put it between backticks`,
		inRole("allow github tools a limit"):               `Caddyfile:2: limit takes exactly one limit, such as 30/m per user`,
		inRole("allow github tools a limit 3"):             `Caddyfile:2: limit: "3" is not a limit; write a number from 1 to 1000000, a slash and s, m, h or d, such as 30/m, and if you like per user, per client or per tool`,
		inRole("deny github annotations x true"):           `Caddyfile:2: annotations: "x" is no annotation of a tool; there are: destructiveHint, idempotentHint, openWorldHint, readOnlyHint`,
		inRole("deny github annotations x"):                `Caddyfile:2: annotations takes hints, each with true or false, once: annotations readOnlyHint true`,
		inRole("deny github annotations readOnlyHint yes"): `Caddyfile:2: annotations: readOnlyHint must be true or false, once`,
	}
	for text, want := range tests {
		if _, err := readInline(text); err == nil || err.Error() != want {
			t.Errorf("%s\ngot:  %v\nwant: %s", text, err, want)
		}
	}
}
