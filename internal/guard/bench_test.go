package guard

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// benchPolicy is a policy of 50 rules.
func benchPolicy() string {
	var b strings.Builder
	b.WriteString("roles:\n  member:\n    allow:\n")
	for i := range 40 {
		fmt.Fprintf(&b, "      - { server: files, tools: [tool_%d, \"list_%d_*\"] }\n", i, i)
	}
	b.WriteString("      - { server: files, tools: [echo, shown_*] }\n    deny:\n")
	for i := range 9 {
		fmt.Fprintf(&b, "      - { tools: [\"delete_%d_*\"] }\n", i)
	}
	return b.String()
}

// benchGuard makes a Guard and a caller as in production, without a logger's cost.
func benchGuard(b *testing.B) (*Guard, Caller) {
	b.Helper()
	p := compile(b, benchPolicy())
	n := 0
	g, err := New(Config{
		Server:       "files",
		Policy:       func() *policy.Policy { return p },
		Sealer:       func() (*seal.Sealer, error) { return testSealer, nil },
		Pins:         &catalog.Pins{Store: storetest.NewMemory(time.Now), Now: time.Now, Notice: func(catalog.Change) {}, Failed: func(string, error) {}},
		NewRequestID: func() string { n++; return "01JABCDEFGHJKMNPQRSTVWXYZ0" },
	})
	if err != nil {
		b.Fatal(err)
	}
	s := &policy.Subject{ID: "workos:alice", Email: "alice@example.com", Org: "org_1", Roles: []string{"member"}}
	return g, Caller{Subject: func() *policy.Subject { return s }, Grant: "g", Client: "client", Resource: "https://mcp.example.com/files"}
}

// blank is a ResponseWriter that throws away what it is given.
type blank struct {
	h http.Header
	n int
}

func (w *blank) Header() http.Header         { return w.h }
func (w *blank) WriteHeader(int)             {}
func (w *blank) Write(p []byte) (int, error) { w.n += len(p); return len(p), nil }
func (w *blank) Flush()                      {}

// body is a request's body that can be read again.
type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// answering is a next that answers at once.
func answering(kind string, answer []byte) Next {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		h := w.Header()
		h["Content-Type"] = []string{kind}
		h["Date"] = []string{"Mon, 01 Jan 2026 00:00:00 GMT"}
		if kind == typeJSON {
			h["Content-Length"] = []string{strconv.Itoa(len(answer))}
		}
		w.WriteHeader(200)
		for rest := answer; len(rest) > 0; { // as a proxy copies
			n := min(len(rest), 32<<10)
			if _, err := w.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	}
}

// changing is a next that answers with another list each time: every entry of it is new.
func changing(kind string, list []byte) Next {
	list = bytes.ReplaceAll(list, []byte("Looks something"), []byte("00000000 things"))
	var marks []int
	for at := 0; ; {
		i := bytes.Index(list[at:], []byte("00000000"))
		if i < 0 {
			break
		}
		at += i + 1
		marks = append(marks, at-1)
	}
	next := answering(kind, list)
	n := 0
	return func(w http.ResponseWriter, r *http.Request) error {
		n++
		number := fmt.Appendf(nil, "%08d", n)
		for _, at := range marks {
			copy(list[at:], number)
		}
		return next(w, r)
	}
}

// serve runs the Guard on one request again and again.
func serve(b *testing.B, h http.Header, text string, next Next, want int) {
	g, c := benchGuard(b)
	for k, v := range map[string]string{"User-Agent": "agent/1", "Accept-Encoding": "gzip", "Accept-Language": "*", "Sec-Fetch-Mode": "cors", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
		h.Set(k, v)
	}
	h.Del("Mcp-Session-Id")
	if !isModern(h.Get("Mcp-Protocol-Version")) {
		x := &exchange{g: g, out: new(Outcome), caller: c, person: c.Subject().ID}
		handle, err := x.sealHandle(purposeSession, "0d1f2a3b-4c5d-6e7f-8091-a2b3c4d5e6f7")
		if err != nil {
			b.Fatal(err)
		}
		h.Set("Mcp-Session-Id", handle)
	}
	r, err := http.NewRequest(http.MethodPost, "http://localhost/files", nil)
	if err != nil {
		b.Fatal(err)
	}
	rd := bytes.NewReader([]byte(text))
	w := &blank{h: make(http.Header, 8)}
	var out Outcome
	b.ReportAllocs()
	for b.Loop() {
		rd.Reset([]byte(text))
		r.Body, r.ContentLength = body{rd}, int64(len(text))
		clear(r.Header)
		maps.Copy(r.Header, h)
		clear(w.h)
		w.n = 0
		if err := g.Serve(&out, w, r, c, next); err != nil || out.Status != 200 || out.Decision != Allow {
			b.Fatal(err, out)
		}
		if w.n < want {
			b.Fatalf("%d bytes were sent", w.n)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	answer := []byte(`{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"The weather in Berlin is 21 degrees and sunny, with a light wind from the west."}],"isError":false}}`)
	for _, rev := range []string{"2025-11-25", "2026-07-28"} {
		h := headersFor(rev, "tools/call", `{"name":"echo"}`)
		text := message(rev, "17", "tools/call", `{"name":"echo","arguments":{"city":"Berlin","units":"metric","days":3}}`)
		b.Run(rev+"/JSON", func(b *testing.B) { serve(b, h, text, answering(typeJSON, answer), len(answer)) })
		b.Run(rev+"/SSE", func(b *testing.B) {
			stream := []byte("event: message\ndata: " + string(answer) + "\n\n")
			serve(b, h, text, answering(typeStream, stream), len(answer))
		})
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		list := bytes.Replace(toolList(n), []byte(`"id":7`), []byte(`"id":17`), 1)
		h := headersFor("2025-11-25", "tools/list", "{}")
		text := message("2025-11-25", "17", "tools/list", "{}")
		stream := []byte("event: message\ndata: " + string(list) + "\n\n")
		b.Run(fmt.Sprintf("%d/JSON/again", n), func(b *testing.B) { serve(b, h, text, answering(typeJSON, list), n*100) })
		b.Run(fmt.Sprintf("%d/SSE/again", n), func(b *testing.B) { serve(b, h, text, answering(typeStream, stream), n*100) })
		b.Run(fmt.Sprintf("%d/JSON/first", n), func(b *testing.B) { serve(b, h, text, changing(typeJSON, list), n*100) })
		b.Run(fmt.Sprintf("%d/SSE/first", n), func(b *testing.B) { serve(b, h, text, changing(typeStream, stream), n*100) })
	}
}

// BenchmarkFilter is the filter alone.
func BenchmarkFilter(b *testing.B) {
	p := compile(b, benchPolicy())
	view := p.View(&policy.Subject{Roles: []string{"member"}}, "files")
	for _, n := range []int{100, 1000} {
		list := toolList(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := &filter{view: view, maxTTL: 1000, caller: nobody}
			b.SetBytes(int64(len(list)))
			b.ReportAllocs()
			for b.Loop() {
				if out, _, err := f.message(list); err != nil || len(out) == len(list) {
					b.Fatal(err)
				}
			}
		})
	}
}
