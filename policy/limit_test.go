package policy

import (
	"strings"
	"testing"
	"time"
)

func TestLimitsAreRead(t *testing.T) {
	tests := map[string]Limit{
		"30/m":               {Count: 30, Per: time.Minute},
		"1/s per user":       {Count: 1, Per: time.Second},
		"5/h per client":     {Count: 5, Per: time.Hour, By: PerClient},
		"1000000/d per tool": {Count: MaxLimit, Per: 24 * time.Hour, By: PerTool},
	}
	for text, want := range tests {
		if got, ok := parseLimit(text); !ok || got != want || limitFault(text) != "" {
			t.Errorf("%s is %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "30", "30/", "/m", "30/min", "30/M", "0/m", "-1/m", "+1/m", "1.5/m", "1e3/m", "1000001/m", "99999999999999999999/m", "30/m per", "30/m user",
		"30/m per group", "30/m per user per tool", "30 /m", "٣/m", " 30/m", "30/m/m",
	} {
		if limitFault(text) == "" {
			t.Errorf("%q is a limit", text)
		}
	}
}

// Of the allow rules that match, the one that leaves most counts.
func TestTheMostGenerousLimitCounts(t *testing.T) {
	for _, tt := range []struct {
		name, rules, want string // want: the limit that is left
	}{
		{"alone", `{tools: [a], limit: 30/m}`, "30/m"},
		{"one without a limit", `{tools: [a], limit: 30/m}, {tools: ["*"]}, {tools: [a], limit: 40/m}`, ""},
		{"the greater number", `{tools: [a], limit: 30/m}, {tools: ["*"], limit: 31/m}, {tools: [a*], limit: 29/m}`, "31/m"},
		{"the greater rate", `{tools: [a], limit: 100/h}, {tools: [a], limit: 1/s}`, "1/s"},
		{"more at once at the same rate", `{tools: [a], limit: 1/s}, {tools: [a], limit: 60/m}`, "60/m"},
		{"those of fewer calls", `{tools: [a], limit: 9/m per tool}, {tools: [a], limit: 9/m per client}, {tools: [a], limit: 9/m}`, "9/m per client"},
		{"not one for another tool", `{tools: [a], limit: 30/m}, {tools: [b]}`, "30/m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustCompile(t, "roles:\n  r:\n    allow: ["+tt.rules+"]\n")
			d := p.View(&Subject{Roles: []string{"r"}}, "s").Judge(Tool, "a", &Facts{Args: []byte("{}")})
			if !d.Allowed || d.Ask || (d.Limit == nil) != (tt.want == "") {
				t.Fatalf("%+v", d)
			}
			if want, _ := parseLimit(tt.want); tt.want != "" {
				if got := *d.Limit; got.Count != want.Count || got.Per != want.Per || got.By != want.By || got.Key == "" {
					t.Errorf("%+v, want %s", got, tt.want)
				}
			}
		})
	}
}

// What was counted under a limit goes on counting after a reload that changes something else.
func TestTheKeyOfALimitIsStable(t *testing.T) {
	key := func(text string) string {
		d := mustCompile(t, text).View(&Subject{Roles: []string{"r"}}, "s").Decide(Tool, "a")
		if d.Limit == nil {
			t.Fatalf("%s: %+v", text, d)
		}
		return d.Limit.Key
	}
	first := key(`roles: {r: {allow: [{tools: [a, b], limit: 30/m}]}}`)
	if again := key("# moved\n\nroles: {q: {}, r: {deny: [{tools: [x]}], allow: [{prompts: [p]}, {limit: 30/m per user, tools: [b, a]}]}}"); again != first {
		t.Error("the same rule further down has another key")
	}
	for _, other := range []string{
		`roles: {r: {allow: [{tools: [a, b], limit: 31/m}]}}`,
		`roles: {r: {allow: [{tools: [a, b], limit: 30/h}]}}`,
		`roles: {r: {allow: [{tools: [a, b], limit: 30/m per tool}]}}`,
		`roles: {r: {allow: [{tools: [a], limit: 30/m}]}}`,
		`roles: {r: {allow: [{server: s, tools: [a, b], limit: 30/m}]}}`,
		`roles: {r: {inherit: [q]}, q: {allow: [{tools: [a, b], limit: 30/m}]}}`,
	} {
		if key(other) == first {
			t.Errorf("%s has the same key", other)
		}
	}
}

func TestOnlyAllowRulesTakeALimit(t *testing.T) {
	for _, effect := range []string{"ask", "deny"} {
		_, err := Compile(mustParse(t, "everyone: {"+effect+": [{tools: [a], limit: 30/m}]}"))
		if err == nil || !strings.Contains(err.Error(), "p.yaml:1: limit: "+effect+" rules take none") {
			t.Errorf("%s: %v", effect, err)
		}
	}
}
