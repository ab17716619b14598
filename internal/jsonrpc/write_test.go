package jsonrpc

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestSplice(t *testing.T) {
	raw := []byte("0123456789")
	edit := func(start, end int, with string) Edit { return Edit{start, end, []byte(with)} }
	for name, test := range map[string]struct {
		edits []Edit
		want  string
	}{
		"none":                      {nil, "0123456789"},
		"longer":                    {[]Edit{edit(2, 4, "abc")}, "01abc456789"},
		"shorter":                   {[]Edit{edit(0, 10, "x")}, "x"},
		"nothing":                   {[]Edit{edit(3, 3, "")}, "0123456789"},
		"several in any order":      {[]Edit{edit(8, 9, "C"), edit(0, 1, "A"), edit(4, 5, "B")}, "A123B567C9"},
		"side by side":              {[]Edit{edit(2, 4, "x"), edit(4, 6, "y")}, "01xy6789"},
		"overlapping":               {[]Edit{edit(2, 4, "x"), edit(3, 6, "y")}, ""},
		"beyond the end":            {[]Edit{edit(9, 11, "x")}, ""},
		"before the beginning":      {[]Edit{edit(-1, 1, "x")}, ""},
		"ending before it begins":   {[]Edit{edit(4, 3, "x")}, ""},
		"one right, one beyond end": {[]Edit{edit(0, 1, "x"), edit(20, 21, "y")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is(t, "spliced", string(Splice(raw, test.edits...)), test.want)
			is(t, "raw", string(raw), "0123456789")
		})
	}
}

func TestWritersWriteMessages(t *testing.T) {
	is(t, "error", string(AppendError(nil, []byte("7"), CodeInvalidParams, `Unknown tool: a"b`, nil)),
		`{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown tool: a\"b"}}`)
	is(t, "error with data", string(AppendError([]byte("data: "), []byte(`"x"`), CodeUnsupportedVersion, "no", []byte(`{"supported":["2025-06-18"]}`))),
		`data: {"jsonrpc":"2.0","id":"x","error":{"code":-32022,"message":"no","data":{"supported":["2025-06-18"]}}}`)
	is(t, "error without an id", string(AppendError(nil, nil, CodeParse, "", nil)),
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}`)
	is(t, "result", string(AppendResult(nil, []byte("1"), []byte(`{"tools":[]}`))),
		`{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`)
}

func TestKindsHaveNames(t *testing.T) {
	for kind, want := range map[Kind]string{Request: "request", Notification: "notification", Result: "result", Failure: "failure", 0: "unknown"} {
		is(t, "name", kind.String(), want)
	}
}

// Whatever a name has in it, the answer that quotes it is one JSON message.
func FuzzAppendError(f *testing.F) {
	f.Add("Unknown tool: a")
	f.Add("\x00\xff\u2028\"\\</script>")
	f.Fuzz(func(t *testing.T, message string) {
		out := AppendError(nil, []byte("1"), CodeInvalidParams, message, nil)
		var got struct{ Error struct{ Message string } }
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if utf8.ValidString(message) && got.Error.Message != message {
			t.Errorf("%q became %q", message, got.Error.Message)
		}
		if _, err := Parse(out, Limits{}); err != nil {
			t.Errorf("%s: %v", out, err)
		}
	})
}
