package policy

import (
	"testing"
)

func mustParse(tb testing.TB, text string) *Document {
	tb.Helper()
	d, err := Parse("p.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func mustCompile(tb testing.TB, text string) *Policy {
	tb.Helper()
	p, err := Compile(mustParse(tb, text))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
