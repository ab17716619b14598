package sse

import (
	"bytes"
	"strings"
	"testing"
)

func BenchmarkNext(b *testing.B) {
	for _, bench := range []struct{ name, event string }{
		{"200B", "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"" + strings.Repeat("x", 150) + "\"}\n\n"},
		{"60KB", "event: message\ndata: " + strings.Repeat("x", 60_000) + "\n\n"},
		// As hostile as it gets: short lines that end with the rarer byte.
		{"1MB of CR", strings.Repeat("data\r", 200_000) + "\r"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			in := bytes.NewReader(nil)
			all := []byte(strings.Repeat(bench.event, max(1, 1000/len(bench.event))))
			r := NewReader(in, 2<<20)
			b.SetBytes(int64(len(all)))
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(all)
				r.err = nil
				for {
					if _, err := r.Next(); err != nil {
						break
					}
				}
			}
		})
	}
}
