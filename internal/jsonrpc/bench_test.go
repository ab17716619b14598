package jsonrpc

import (
	"strings"
	"testing"
)

var (
	smallCall = []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_weather","arguments":{"city":"Berlin","units":"metric"},"_meta":{"progressToken":7}}}`)
	newCall   = []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"agent","version":"1.0"},"io.modelcontextprotocol/clientCapabilities":{}},"name":"get_weather","arguments":{"city":"Berlin"}}}`)
	largeCall = []byte(`{"jsonrpc":"2.0","id":"a1b2","method":"tools/call","params":{"name":"write_file","arguments":{"path":"/tmp/x","lines":[` +
		strings.Repeat(`{"n":12,"text":"the quick brown fox jumps over the lazy dog"},`, 60) + `{"n":13,"text":""}]}}}`)
)

func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct {
		name string
		body []byte
	}{
		{"small", smallCall},
		{"2026-07-28", newCall},
		{"4KB", largeCall},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bench.body, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSplice(b *testing.B) {
	body := []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":"c2VhbGVkIGN1cnNvciBvZiBzb21lIGxlbmd0aA"}}`)
	m, err := Parse(body, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Splice(m.Raw, m.Params.Cursor.Replace("page-2"))
	}
}
