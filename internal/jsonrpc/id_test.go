package jsonrpc

import "testing"

func TestIDKeyTellsIDsApartAsJSONDoes(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{`1`, `1`, true},
		{`1`, `2`, false},
		{`-1`, `1`, false},
		{`"1"`, `1`, false},
		{`"-1"`, `-1`, false},
		{`"a"`, `"a"`, true},
		{`"a"`, `"\u0061"`, true},
		{`"a/b"`, `"a\/b"`, true},
		{`"a"`, `"A"`, false},
		{`""`, `""`, true},
		{`""`, `"\""`, false},
		{`null`, `null`, false},
		{``, ``, false},
		{`"`, `"`, false},
		{`1.0`, `1.0`, false},
		{"\"\xff\"", "\"\xff\"", false},
		{"\"\xc2", "\"\xc2", false},
	} {
		if got := SameID([]byte(test.a), []byte(test.b)); got != test.same {
			t.Errorf("%s and %s: same is %v", test.a, test.b, got)
		}
	}
}

func TestValidID(t *testing.T) {
	for raw, want := range map[string]bool{
		`0`: true, `9007199254740991`: true, `-9007199254740991`: true, `"x"`: true,
		`9007199254740992`: false, `-9007199254740992`: false, `99999999999999999999`: false,
		`-0`: false, `-`: false, `00`: false, `01`: false, `-01`: false, `+1`: false, `1e1`: false, `0x1`: false,
		`--1`: false, ` 1`: false, `"\u0000"`: false, `"\u001b"`: false, `{}`: false, `true`: false,
	} {
		if got := ValidID([]byte(raw)); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
}
