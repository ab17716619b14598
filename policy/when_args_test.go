package policy

import "testing"

// A member that some reader takes for one that a condition asks for: the call could mean two things.
func TestAttackArgumentsInAnotherCase(t *testing.T) {
	tests := []struct {
		name, when, args string
		variant          string
	}{
		{"beside it", `args.owner == "acme"`, `{"owner":"acme","Owner":"evil"}`, "Owner"},
		{"before it", `args.owner == "acme"`, `{"OWNER":"evil","owner":"acme"}`, "OWNER"},
		{"in its place", `!has(args.owner)`, `{"Owner":"evil"}`, "Owner"},
		{"in its place, asked by in", `!("owner" in args)`, `{"Owner":"evil"}`, "Owner"},
		{"by index", `args["owner"] == "acme"`, `{"owner":"acme","oWner":"evil"}`, "oWner"},
		{"by an index that is not written", `args[user.name] == "acme"`, `{"Alice":"acme","alice":"evil"}`, "alice"},
		{"the Kelvin sign", `args.kind == "a"`, `{"kind":"a","\u212aind":"b"}`, "\u212aind"},
		{"long s", `args.sub == "a"`, `{"sub":"a","\u017fub":"b"}`, "\u017fub"},
		{"a dotless i", `args.id == "a"`, `{"id":"a","\u0131d":"b"}`, "\u0131d"},
		{"snake and camel", `args.ownerId == "a"`, `{"ownerId":"a","owner_id":"b"}`, "owner_id"},
		{"letters beyond ASCII", `args["größe"] == 1`, `{"größe":1,"GRÖSSE":2}`, "GRÖSSE"},
		{"Greek with its final form", `args["τέλος"] == 1`, `{"τέλος":1,"ΤΈΛΟΣ":2}`, "ΤΈΛΟΣ"},
		{"deeper", `args.repo.owner == "acme"`, `{"repo":{"owner":"acme","Owner":"evil"}}`, "Owner"},
		{"in a list", `args.l.all(x, x.a == 1)`, `{"l":[{"a":1},{"a":1,"A":2}]}`, "A"},
		{"when all names are gone through", `args.all(name, name != "x")`, `{"a":1,"A":2}`, ""},
		{"when all is compared", `args.o == {"a": 1, "A": 2}`, `{"o":{"a":1,"A":2}}`, ""},
		{"from the other side", `{"a": 1} == args.o`, `{"o":{"A":1}}`, "A"},

		{"up to a NUL", `args.owner == "acme"`, `{"owner":"acme","owner\u0000x":"evil"}`, "owner\x00x"},
		{"from a prototype", `!has(args.force)`, `{"__proto__":{"force":true}}`, "__proto__"},

		{"a name that is not asked for", `args.owner == "acme"`, `{"owner":"acme","title":"a","Title":"b"}`, "-"},
		{"another level", `args.owner == "acme"`, `{"owner":"acme","o":{"owner":"a","Owner":"b"}}`, "-"},
		{"a name that only begins alike", `args.owner == "acme"`, `{"owner":"acme","owners":"a","own":"b"}`, "-"},
		{"before it is asked for", `user.org == "org_b" && args.owner == "acme"`, `{"Owner":"acme"}`, "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, effect := range []string{"allow", "ask", "deny"} {
				d := wanted(t, effect, tt.when).Judge(Tool, "t", &Facts{Subject: someone, Args: []byte(tt.args)})
				switch {
				case tt.variant == "-" && d.Variant != "", tt.variant != "-" && (d.Allowed || d.Variant == ""), tt.variant > "-" && d.Variant != tt.variant:
					t.Errorf("an %s rule: %+v", effect, d)
				}
			}
		})
	}
}

// A condition that has no say is not read for.
func TestArgumentsInAnotherCaseThatDontMatter(t *testing.T) {
	p := mustCompile(t, `everyone: {allow: [{tools: [t]}, {tools: [t, u], when: 'args.a == 1'}]}`)
	if d := p.View(&Subject{}, "s").Judge(Tool, "t", &Facts{Subject: someone, Args: []byte(`{"a":1,"A":2}`)}); !d.Allowed {
		t.Errorf("%+v", d)
	}
}

func TestNamesAreFoldedAsReadersDo(t *testing.T) {
	for _, same := range [][]string{
		{"owner", "Owner", "OWNER", "own_er", "own-er"}, {"kiss", "\u212aiss", "ki\u017fs", "kiß", "KIẞ"}, {"file", "\ufb01le", "FILE", "fıle", "fİle"},
		{"σ", "Σ", "ς"}, {"é", "É"}, {"ǆ", "ǅ", "Ǆ"}, {"st", "\ufb05", "\ufb06"}, {"ff", "\ufb00"}, {"ffi", "\ufb03"}, {"fl", "\ufb02"}, {"ffl", "\ufb04"},
	} {
		for _, name := range same[1:] {
			if foldName(name) != foldName(same[0]) {
				t.Errorf("%q is not taken for %q", name, same[0])
			}
		}
	}
	for _, other := range [][2]string{{"a", "b"}, {"owner", "owners"}, {"e", "é"}, {"0", "o"}, {"a", ""}} {
		if foldName(other[0]) == foldName(other[1]) {
			t.Errorf("%q is taken for %q", other[0], other[1])
		}
	}
}
