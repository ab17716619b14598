package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// FuzzParse holds that no file makes the reader panic, that each error says where, and that a policy which compiles means
// the same when it goes through JSON.
func FuzzParse(f *testing.F) {
	f.Add([]byte("roles:\n  a:\n    allow:\n      - server: s*\n        tools: [get_*]\npermissions:\n  p: {inherit: [a]}\n"))
	f.Add([]byte("roles: {a: {inherit: [b]}, b: {inherit: [a]}}"))
	f.Add([]byte("everyone: {allow: [{tools: [\"*\"], resources: [\"docs://**\", \"x:%41*\"], org: o}], deny: []}\nmode: observe\nmethods: [a/b]"))
	f.Add([]byte("roles:\n  <<: *a\n"))
	f.Add([]byte("everyone:\n  allow:\n    - tools: [t]\n      when: args.a == 1 && user.org == \"o\"\n      limit: 3/h per client\n      annotations: {readOnlyHint: true}\n  ask: [{prompts: [p]}]\n"))
	f.Add([]byte("a: &x [*x]"))
	f.Add([]byte("{\"roles\": {\"a\": {\"allow\": [{\"tools\": [\"\\ud83d\\ude00\"]}]}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := new(Document).UnmarshalJSON(data); err != nil {
			checkErrors(t, err)
		}
		d, err := Parse("p.yaml", data)
		if err != nil {
			checkErrors(t, err)
			return
		}
		p, err := Compile(d)
		if err != nil {
			checkErrors(t, err)
			return
		}
		v := p.View(&Subject{Roles: p.Roles(), Permissions: p.Permissions()}, "server")
		if empty := v.Empty(); empty != (len(v.Describe()) == 0) {
			t.Errorf("Empty is %v, Describe is %v", empty, v.Describe())
		}
		written, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again := new(Document)
		if err := json.Unmarshal(written, again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		q, err := Compile(again)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if p.Hash() != q.Hash() {
			t.Errorf("%s means something else", written)
		}
	})
}

func checkErrors(t *testing.T, err error) {
	t.Helper()
	for _, e := range flatten(err) {
		var one *Error
		if !errors.As(e, &one) || one.File == "" || one.Message == "" {
			t.Errorf("%v does not say where", e)
		}
	}
}

// FuzzWhen holds that no expression and no arguments make the policy panic or take long, that what an expression allows for
// some arguments is shown without them, and that what cannot be judged is in nobody's favour.
func FuzzWhen(f *testing.F) {
	f.Add(`args.owner == "acme" && size(args.title) < 200`, []byte(`{"owner":"acme","title":"x"}`))
	f.Add(`args.l.all(x, x.a > 9007199254740992) || user.claims.x == args.y`, []byte(`{"l":[{"a":9007199254740993}]}`))
	f.Add(`tool.annotations.readOnlyHint ? has(args.a) : "b" in args`, []byte(`{"B":1}`))
	f.Add(`args["a"].matches("b{2,3}") || now.getHours(args.c) > 1`, []byte(`{"a":"","b":"(","c":"UTC"}`))
	f.Add(`args.exists(k, args[k] == {"a": [1, 2.5, null]})`, []byte(`{"k":{"a":[1,2.5,null]},"A":1,"a":2}`))
	f.Add(`type(args.a) == string`, []byte(`{"a":"\u0000"}`))
	f.Fuzz(func(t *testing.T, when string, args []byte) {
		views := make(map[string]*View)
		for _, effect := range []string{"allow", "ask", "deny"} {
			d := &Document{Everyone: &Block{Allow: []Rule{{Tools: []string{"*"}}}}}
			rules := []Rule{{Tools: []string{"t"}, When: when, WhenAt: Position{"p.yaml", 1}}}
			switch effect {
			case "allow":
				d.Everyone.Allow = rules
			case "ask":
				d.Everyone.Ask = rules
			default:
				d.Everyone.Deny = rules
			}
			p, err := Compile(d)
			if err != nil {
				checkErrors(t, err)
				return
			}
			views[effect] = p.View(&Subject{}, "s")
		}
		ask := func(effect string, args []byte) Decision {
			return views[effect].Judge(Tool, "t", &Facts{Subject: someone, Tool: Annotations{Known: true}, Args: args, Now: noon})
		}
		if args == nil {
			args = []byte{}
		}
		allow, held, deny := ask("allow", args), ask("ask", args), ask("deny", args)
		for effect, d := range map[string]Decision{"allow": allow, "deny": deny} {
			if listed := ask(effect, nil).Allowed; d.Allowed && !listed || !d.Allowed && d.Variant == "" && d.Seen != listed {
				t.Errorf("%s: listed %v, but the call is %+v", effect, listed, d)
			}
		}
		if allow.Allowed && deny.Allowed {
			t.Errorf("allow %+v, ask %+v, deny %+v", allow, held, deny)
		}
		if held.Allowed && held.Ask == deny.Allowed {
			t.Errorf("ask %+v, deny %+v", held, deny)
		}
	})
}

// FuzzArgs holds that arguments are read as encoding/json reads them, or not at all.
func FuzzArgs(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-2.5e3,true,false,null,"x"],"b":{"c":"\u00e9\"\\ud83d\ude00"}}`, ` { "a" : [ ] , "b" : { } } `, `{"a":1,"a":2}`, `{"a":01}`, `{"a":18446744073709551615}`,
		`{"a":9007199254740993}`, `[]`, `{"a":"` + "\xff" + `"}`, `{"":""}`, `{"a":[[[]]]}`, `{"a":}`, `{,}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := readArgs(text, new(reading))
		if types.IsError(got) {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var want map[string]any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("%q is read: %v", text, err)
		}
		if !sameArg(got, want) {
			t.Fatalf("%q is read as %v", text, got)
		}
	})
}

// sameArg reports whether a value of CEL's is what encoding/json made of the same text.
func sameArg(got ref.Val, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		o, ok := got.(*object)
		if !ok || len(o.members) != len(want) {
			return false
		}
		for name, value := range want {
			if member, ok := o.members[name].(ref.Val); !ok || !sameArg(member, value) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.(traits.Lister)
		if !ok || list.Size() != types.Int(len(want)) {
			return false
		}
		for i, value := range want {
			if !sameArg(list.Get(types.Int(i)), value) {
				return false
			}
		}
		return true
	case json.Number:
		switch got := got.(type) {
		case types.Int:
			n, err := want.Int64()
			return err == nil && int64(got) == n
		case types.Uint:
			return strconv.FormatUint(uint64(got), 10) == want.String()
		case types.Double:
			n, err := want.Float64()
			return err == nil && float64(got) == n
		}
		return false
	case nil:
		return got == types.NullValue
	}
	return got.Value() == want
}
