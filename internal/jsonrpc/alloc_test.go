//go:build !race

package jsonrpc

import "testing"

// The race detector makes pools forget, so these hold without it only.

func TestParseAllocatesLittle(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Parse(smallCall, Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("%v allocations for a small call", n)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	name := []byte("Some_Other_Member")
	if n := testing.AllocsPerRun(100, func() { paramNames.Match(name) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
