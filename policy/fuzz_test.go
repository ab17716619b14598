package policy

import (
	"encoding/json"
	"errors"
	"testing"
)

// FuzzParse holds that no file makes the reader panic, that each error says where, and that a policy which compiles means
// the same when it goes through JSON.
func FuzzParse(f *testing.F) {
	f.Add([]byte("roles:\n  a:\n    allow:\n      - server: s*\n        tools: [get_*]\npermissions:\n  p: {inherit: [a]}\n"))
	f.Add([]byte("roles: {a: {inherit: [b]}, b: {inherit: [a]}}"))
	f.Add([]byte("everyone: {allow: [{tools: [\"*\"], resources: [\"docs://**\", \"x:%41*\"], org: o}], deny: []}\nmode: observe\nmethods: [a/b]"))
	f.Add([]byte("roles:\n  <<: *a\n"))
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
