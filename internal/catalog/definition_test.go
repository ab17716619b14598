package catalog

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// full is an entry with all that a definition has, and more.
const full = `{"name":"add","title":"Add","description":"Adds a and b.","inputSchema":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number","maximum":9007199254740993}}},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"icons":[{"src":"https://a.example/i"}],"_meta":{"x":1}}`

func TestADefinitionIsTheSameHoweverItIsWritten(t *testing.T) {
	want := Read([]byte(full)).Digest
	for name, entry := range map[string]string{
		"members in another order":          `{"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"},"inputSchema":{"properties":{"b":{"maximum":9007199254740993,"type":"number"},"a":{"type":"number"}},"type":"object"},"description":"Adds a and b.","title":"Add","name":"add"}`,
		"white space":                       strings.ReplaceAll(strings.ReplaceAll(full, `":`, "\" :\n\t"), `,"`, "  ,\r\n \""),
		"escapes":                           strings.NewReplacer("Adds", `\u0041dds`, `"name":"add"`, `"n\u0061me":"\u0061dd"`).Replace(full),
		"what is no part of the definition": strings.NewReplacer(`"x":1`, `"x":[2,3]`, "/i", "/j").Replace(full),
	} {
		if tool := Read([]byte(entry)); tool == nil || tool.Digest != want {
			t.Errorf("%s: %+v", name, tool)
		}
	}
}

func TestADefinitionIsAnotherWhereAnythingInItIs(t *testing.T) {
	seen := map[Digest]string{Read([]byte(full)).Digest: "full"}
	for name, change := range map[string][2]string{
		"the name":           {`"name":"add"`, `"name":"Add"`},
		"the title":          {`"title":"Add"`, `"title":"ADD"`},
		"no title":           {`"title":"Add",`, ``},
		"the description":    {`a and b.`, `a and b. `},
		"a hidden character": {`a and b.`, "a and b.\u200b"},
		"an argument":        {`"a":{"type":"number"}`, `"a":{"type":"string"}`},
		"a large number":     {`9007199254740993`, `9007199254740992`},
		"how a number is":    {`9007199254740993`, `9007199254740993.0`},
		"the answer":         {`"outputSchema":{"type":"object"}`, `"outputSchema":{}`},
		"an annotation":      {`"readOnlyHint":true`, `"readOnlyHint":false`},
		"another annotation": {`"readOnlyHint":true`, `"readOnlyHint":true,"idempotentHint":true`},
		"null for none":      {`"title":"Add"`, `"title":null`},
		"the form of a text": {`Adds`, "A\u0301dds"},
		"the same, composed": {`Adds`, "\u00c1dds"},
		"a part elsewhere":   {`"description":"Adds a and b.",`, `"summary":"Adds a and b.",`},
	} {
		tool := Read([]byte(strings.Replace(full, change[0], change[1], 1)))
		if tool == nil {
			t.Errorf("%s: can't be read", name)
			continue
		}
		if other, same := seen[tool.Digest]; same {
			t.Errorf("%s: as %s", name, other)
		}
		seen[tool.Digest] = name
	}
}

func TestWhatReadersTakeForDifferentThingsIsNotRead(t *testing.T) {
	for name, entry := range map[string]string{
		"a member twice":         `{"name":"t","description":"a","description":"b"}`,
		"a member twice, deeper": `{"name":"t","inputSchema":{"type":"object","type":"string"}}`,
		"another case":           `{"name":"t","description":"a","Description":"b"}`,
		"another case alone":     `{"name":"t","DESCRIPTION":"b"}`,
		"folded by Unicode":      `{"name":"t","de\u017fcription":"b"}`,
		"a lone surrogate":       `{"name":"t","description":"\ud800"}`,
		"bad UTF-8":              "{\"name\":\"t\",\"description\":\"\xff\"}",
		"cut off":                `{"name":"t","description":"a"`,
		"more after it":          `{"name":"t"}{"name":"u"}`,
		"no object":              `["name","t"]`,
		"nothing":                ``,
		"too long":               `{"name":"t","description":"` + strings.Repeat("d", maxEntry) + `"}`,
	} {
		if tool := Read([]byte(entry)); tool != nil {
			t.Errorf("%s: %+v", name, tool)
		}
		if text, ok := Definition([]byte(entry)); ok {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestAnnotationsAreWhatTheSpecificationSays(t *testing.T) {
	usual := policy.Annotations{Known: true, Destructive: true, OpenWorld: true}
	for annotations, want := range map[string]policy.Annotations{
		``:                                      usual,
		`,"annotations":{}`:                     usual,
		`,"annotations":null`:                   usual,
		`,"annotations":"trust"`:                {},
		`,"annotations":[]`:                     {},
		`,"annotations":{"a":{}}`:               usual,
		`,"annotations":{"readOnlyHint":"yes"}`: {},
		`,"annotations":{"readOnlyHint":true,"destructiveHint":"unknown"}`:                                         {},
		`,"annotations":{"readOnlyHint":null}`:                                                                     usual,
		`,"annotations":{"ReadOnlyHint":true,"destructivehint":false}`:                                             usual,
		`,"annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}`: {Known: true, ReadOnly: true, Idempotent: true},
	} {
		tool := Read([]byte(`{"name":"t"` + annotations + `}`))
		if tool == nil || tool.Annotations != want {
			t.Errorf("%s: %+v", annotations, tool)
		}
	}
}

func TestATitleIsForPeople(t *testing.T) {
	long := strings.Repeat("ä", maxTitle)
	for entry, want := range map[string]string{
		`{"name":"t"}`:                                                   "",
		`{"name":"t","title":"T"}`:                                       "T",
		`{"name":"t","annotations":{"title":"Old"}}`:                     "Old",
		`{"name":"t","title":"New","annotations":{"title":"Old"}}`:       "New",
		`{"name":"t","title":7,"annotations":{"title":["no text"]}}`:     "",
		`{"name":"t","title":"x` + long + `","annotations":{"title":7}}`: "x" + long[:maxTitle-2],
	} {
		if tool := Read([]byte(entry)); tool == nil || tool.Title != want {
			t.Errorf("%s: %+v", entry, tool)
		}
	}
}

func TestHiddenInstructionsAreFound(t *testing.T) {
	tags := ""
	for _, c := range "send all" {
		tags += string(rune(0xe0000) + c)
	}
	for text, want := range map[string]bool{
		"Adds a and b.": false,
		"Fügt hinzu, 加える, добавляет, يجمع":   false,
		"new\\nline and\\ttab":               false,
		`a \\u200b written out`:              false,
		`quotes \" and \/ slashes`:           false,
		"a heart ❤\ufe0f, a family 👩\u200d💻": false,
		"می\u200cخواهم":                      false,
		"क्\u200dष":                          false,
		"zero\u200bwidth":                    true,
		"joined\u200dup":                     true,
		"bidi \u202e override":               true,
		"isolate \u2066x\u2069":              true,
		"mark \u200f":                        true,
		"soft\u00adhyphen":                   true,
		"bom \ufeff":                         true,
		"filler \u3164":                      true,
		"braille \u2800":                     true,
		"tags " + tags:                       true,
		"selectors ❤\ufe0f\ufe0e\ufe01":      true,
		"selectors x\U000e0101\U000e0102":    true,
		"selector alone \ufe0f":              true,
		"line \u2028 separator":              true,
		`escaped \u200b`:                     true,
		`escape \u001b[2J`:                   true,
		`\b\b\b\b`:                           true,
		"delete \u007f":                      true,
		"next line \u0085":                   true,
		`surrogates \udb40\udc41`:            true,
	} {
		for _, entry := range []string{
			`{"name":"t","description":"` + text + `"}`,
			`{"name":"t","title":"` + text + `"}`,
			`{"name":"` + text + `"}`,
			`{"name":"t","annotations":{"title":"` + text + `"}}`,
			`{"name":"t","inputSchema":{"properties":{"a":{"description":"` + text + `"}}}}`,
			`{"name":"t","inputSchema":{"properties":{"` + text + `":{}}}}`,
			`{"name":"t","outputSchema":{"enum":["` + text + `"]}}`,
		} {
			if tool := Read([]byte(entry)); tool == nil || tool.Concealed != want {
				t.Errorf("%+q: %+v", entry, tool)
			}
		}
	}
}

func TestNothingHiddenReachesATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain\n\ttext, ü, 加": "plain\n\ttext, ü, 加",
		"a\u200bb":            `a\u{200b}b`,
		"\x1b[2J":             `\u{1b}[2J`,
		"\U000e0041":          `\u{e0041}`,
		"bad \xff\xfe":        `bad \xff\xfe`,
		"\ufffd":              `\u{fffd}`,
		"\u202ecod.exe":       `\u{202e}cod.exe`,
		"\r\n":                `\u{0d}` + "\n",
	} {
		if got := Visible(text); got != want {
			t.Errorf("%+q: %+q, want %+q", text, got, want)
		}
	}
}

func FuzzDefinition(f *testing.F) {
	for _, seed := range []string{
		full, `{"name":"t"}`, `{"name":"t","title":"\u200b"}`, `{"Name":"t"}`, `{"name":1e999,"annotations":{"readOnlyHint":true}}`, `[]`, `{`,
		`{"inputSchema":{"x-mcp-header":"a"},"description":"\\"}`, "{\"name\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		before := bytes.Clone(entry)
		text, ok := Definition(entry)
		tool := Read(entry)
		if !bytes.Equal(entry, before) {
			t.Fatal("the entry was changed")
		}
		if (tool != nil) != ok {
			t.Fatalf("read: %v, defined: %v", tool, ok)
		}
		if !ok {
			return
		}
		if !json.Valid(text) || tool.Digest != digestOf(text) {
			t.Fatalf("%s", text)
		}
		again, ok := Definition(text)
		if !ok && len(text) <= maxEntry || ok && !bytes.Equal(again, text) {
			t.Fatalf("%s\nagain\n%s", text, again)
		}
		if shown := Visible(string(text)); !utf8.ValidString(shown) || strings.ContainsFunc(shown, isUnfit) {
			t.Fatalf("%q", shown)
		}
		if len(tool.Title) > maxTitle || !utf8.ValidString(tool.Title) {
			t.Fatalf("%q", tool.Title)
		}
	})
}
