package guard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// toolList makes the answer to tools/list of a server with n tools; every third is
// named hidden_N and the others shown_N.
func toolList(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"jsonrpc":"2.0","id":7,"result":{"tools":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		name := fmt.Sprintf("shown_%d", i)
		if i%3 == 2 {
			name = fmt.Sprintf("hidden_%d", i)
		}
		fmt.Fprintf(&b, `{"name":%q,"title":"Tool number %d","description":"Looks something up in the repository and returns what it found, with the context around each match. Use it when you need to find where a thing is defined.","inputSchema":{"type":"object","properties":{"owner":{"type":"string","description":"Repository owner"},"repo":{"type":"string","description":"Repository name"},"query":{"type":"string","minLength":1,"maxLength":256},"page":{"type":"integer","minimum":1,"default":1}},"required":["owner","repo"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}`, name, i)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

// whole reports whether skip accepts b as exactly one value.
func whole(b []byte) bool {
	s := scanner{b: b}
	return s.skip() && s.space() == 0 && s.i == len(b)
}

func TestScannerAcceptsTheGrammarAndNothingElse(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, ` { } `, `[1,2,{"a":[]}]`, `"a"`, `""`, `0`, `-0`, `1.5e-3`, `1E+9`, `true`, `false`, `null`,
		`{"a":1,"a":2}`, `"\u0000\ud83d\ude00\"\\\/\b\f\n\r\t"`, `"é漢😀"`, "[1 ,\r\n\t2]",
		`"a long string that is longer than eight bytes, with \" in it"`, `{"aaaaaaaaaaaaaaaaaaaaaa" : [ [ [ ] ] ] }`,
	} {
		if !whole([]byte(text)) {
			t.Errorf("refused %s", text)
		}
	}
	for _, text := range []string{
		``, ` `, `{`, `[`, `}`, `]`, `{]`, `[}`, `[1}`, `{"a":1]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{a:1}`,
		`{'a':1}`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `0x1`, `NaN`, `tru`, `True`, `nulll`, `"`, `"a`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"a\nb\"",
		"\"\x00\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\xaf\"", "\"aaaaaaaaaaaaaaaa\xff\"", `1 2`, `{}{}`, "\ufeff{}", `[1//c
]`, "{\"a\"\v:1}", "\u00a01", strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
	} {
		if whole([]byte(text)) {
			t.Errorf("accepted %q", text)
		}
	}
	if deep := strings.Repeat(`{"a":[`, maxDepth/2) + strings.Repeat("]}", maxDepth/2); !whole([]byte(deep)) {
		t.Error("refused the deepest nesting there may be")
	}
}

func TestScannerUnquotesWhatEveryReaderReadsAlike(t *testing.T) {
	for text, want := range map[string]string{
		`"plain"`: "plain", `"\u0074ools"`: "tools", `"a\/b"`: "a/b", `"\ud83d\ude00"`: "😀", `"\"\\\b\f\n\r\t"`: "\"\\\b\f\n\r\t", `"é"`: "é", `"\u0000"`: "\x00",
	} {
		s := scanner{b: []byte(text)}
		if got, ok := s.text(); !ok || got != want {
			t.Errorf("text(%s) = %q, %v, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{`"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\u0041"`, `1`, `{}`} {
		s := scanner{b: []byte(text)}
		if got, ok := s.text(); ok {
			t.Errorf("text(%s) = %q, want a refusal", text, got)
		}
	}
}

// FuzzScanner holds that the scanner and the standard library agree on what is JSON.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"\u00e9",null]}`, `[[],{}]`, `"\ud800"`, "{\"a\":\"\xff\"}", `{"a":1,"a":2}`, ` 1 `} {
		f.Add([]byte(seed))
	}
	f.Add(toolList(3))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) >= maxDepth {
			return
		}
		if got, want := whole(b), json.Valid(b) && utf8.Valid(b); got != want {
			t.Fatalf("scanner says %v, encoding/json says %v: %q", got, want, b)
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	list := toolList(100)
	b.Run("skip", func(b *testing.B) {
		b.SetBytes(int64(len(list)))
		for b.Loop() {
			if !whole(list) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("jsontext", func(b *testing.B) {
		b.SetBytes(int64(len(list)))
		for b.Loop() {
			if !jsontext.Value(list).IsValid() {
				b.Fatal("refused")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(list)))
		for b.Loop() {
			if !json.Valid(list) {
				b.Fatal("refused")
			}
		}
	})
}
