package jsonrpc

import (
	"strings"
	"testing"
)

func TestCheckCountsDepthAndMembersOutsideOfStrings(t *testing.T) {
	brackets := `"` + strings.Repeat(`[{,\"\\`, 100) + `"`
	for name, test := range map[string]struct {
		body string
		lim  Limits
		code int // 0: fine
	}{
		"as deep as may be":               {`[[[]]]`, Limits{Depth: 3}, 0},
		"one deeper":                      {`[[[[]]]]`, Limits{Depth: 3}, CodeParse},
		"wide, not deep":                  {`[[],[],[],[]]`, Limits{Depth: 2}, 0},
		"brackets in strings":             {`[` + brackets + `,` + brackets + `]`, Limits{Depth: 1, Members: 2}, 0},
		"deep after brackets":             {`[` + brackets + `,[[]]]`, Limits{Depth: 2}, CodeParse},
		"closing brackets in strings":     {`[[["]]]","]]]"]]]`, Limits{Depth: 2}, CodeParse},
		"as many members as may be":       {`{"a":[1,2],"b":3}`, Limits{Depth: 2, Members: 4}, 0},
		"one more":                        {`{"a":[1,2],"b":3}`, Limits{Depth: 2, Members: 3}, CodeInvalidRequest},
		"a string that doesn't end":       {`[["[[[[[`, Limits{Depth: 2}, 0},
		"a string that ends in backslash": {`[["\\\`, Limits{Depth: 1}, CodeParse},
		"closing more than was open":      {`]]]][[`, Limits{Depth: 3, Members: 3}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.lim.Check([]byte(test.body))
			if test.code == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, test.code, "too")
		})
	}
}

func TestDepthIsBoundedAtTheDefault(t *testing.T) {
	nested := func(depth int) string {
		return call(`"name":"a","arguments":` + strings.Repeat(`{"a":`, depth) + `1` + strings.Repeat(`}`, depth))
	}
	if _, err := Parse([]byte(nested(DefaultDepth-2)), Limits{}); err != nil {
		t.Error(err)
	}
	_, err := Parse([]byte(nested(DefaultDepth-1)), Limits{})
	refused(t, err, CodeParse, "too deep")
}
