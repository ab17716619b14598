package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
)

// frames is a request of HTTP/2 with which a client tries what HTTP/1.1 would read in another way. Its fields are those of an honest
// call but for the ones with the same name; a field without a value is left out.
type frames struct {
	name    string
	first   []string // name and value, in turn: in the place of honest ones
	further []string // name and value, in turn: behind the honest ones
	body    string   // {call} for a call of what is hidden, {echo} for one of what is shown
	trailer []string
	passes  bool
}

var overHTTP2 = []frames{
	{name: "an honest call", body: "{echo}", passes: true},
	{name: "a call of what is hidden", body: "{call}"},
	{name: "a path below the mount", first: []string{":path", "/mcp/x"}, body: "{echo}"},
	{name: "a path with two slashes", first: []string{":path", "//mcp"}, body: "{echo}"},
	{name: "a path with an escape", first: []string{":path", "/%6dcp"}, body: "{echo}"},
	{name: "a path in capitals", first: []string{":path", "/MCP"}, body: "{echo}"},
	{name: "a path that is a URL", first: []string{":path", "http://evil.example/mcp"}, body: "{echo}"},
	{name: "a path with a line break", first: []string{":path", "/mcp HTTP/1.1\r\nMcp-Name: hidden_vault\r\n\r\n"}, body: "{echo}"},
	{name: "a path with a fragment", first: []string{":path", "/mcp#hidden_vault"}, body: "{echo}"},
	{name: "a path with a query", first: []string{":path", "/mcp?name=hidden_vault&method=tools/call"}, body: "{echo}", passes: true},
	{name: "no path", first: []string{":path", ""}, body: "{echo}"},
	{name: "two paths", further: []string{":path", "/hidden_vault"}, body: "{echo}"},
	{name: "a method with a line break", first: []string{":method", "POST /hidden_vault HTTP/1.1\r\nA:"}, body: "{echo}"},
	{name: "CONNECT", first: []string{":method", "CONNECT"}, body: "{call}"},
	{name: "a websocket by CONNECT", first: []string{":method", "CONNECT", ":protocol", "websocket"}, body: "{call}"},
	{name: "GET with a body", first: []string{":method", "GET"}, body: "{call}", passes: true},
	{name: "PUT", first: []string{":method", "PUT"}, body: "{call}"},
	{name: "a scheme with a URL", first: []string{":scheme", "http://localhost/hidden_vault?"}, body: "{call}"},
	{name: "another host", first: []string{":authority", "evil.example"}, body: "{echo}"},
	{name: "another host beside it", further: []string{"host", "evil.example"}, body: "{echo}"},
	{name: "a host with user info", first: []string{":authority", "hidden_vault@localhost"}, body: "{echo}"},
	{name: "chunks", further: []string{"transfer-encoding", "chunked"}, body: "0\r\n\r\n{call}"},
	{name: "a length too short", first: []string{"content-length", "5"}, body: "{echo}{call}"},
	{name: "a length too long", first: []string{"content-length", "5000"}, body: "{echo}"},
	{name: "a length of nothing", first: []string{"content-length", "0"}, body: "{call}"},
	{name: "two lengths", further: []string{"content-length", "5"}, body: "{echo}", passes: true},
	{name: "a connection that nominates", further: []string{"connection", "mcp-name"}, body: "{echo}"},
	{name: "an upgrade", further: []string{"upgrade", "websocket"}, body: "{call}"},
	{name: "te", further: []string{"te", "gzip"}, body: "{echo}"},
	{name: "a name in capitals", further: []string{"Mcp-Name", "hidden_vault"}, body: "{echo}"},
	{name: "a name with a colon", further: []string{"mcp-name: hidden_vault\r\na", "b"}, body: "{echo}"},
	{name: "a name with a space", further: []string{"mcp-name ", "hidden_vault"}, body: "{echo}"},
	{name: "a value with a line break", further: []string{"a", "b\r\nMcp-Name: hidden_vault"}, body: "{echo}"},
	{name: "a value with an LF", further: []string{"a", "b\nMcp-Name: hidden_vault"}, body: "{echo}"},
	{name: "a value with a NUL", further: []string{"mcp-name", "hidden_vault\x00echo"}, body: "{echo}"},
	{name: "Mcp-Name that differs", further: []string{"mcp-name", "hidden_vault"}, body: "{echo}"},
	{name: "Mcp-Name twice", further: []string{"mcp-name", "echo", "mcp-name", "hidden_vault"}, body: "{echo}"},
	{name: "Mcp-Name in the trailer", body: "{echo}", trailer: []string{"mcp-name", "hidden_vault"}, passes: true},
	{name: "a length in the trailer", body: "{echo}", trailer: []string{"content-length", "1"}, passes: true},
	{name: "a path in the trailer", body: "{echo}", trailer: []string{":path", "/hidden_vault"}},
	{name: "a second message behind it", body: "{echo}{call}"},
	{name: "a request of HTTP/1.1 behind it", body: "{echo}\r\n\r\nPOST /mcp HTTP/1.1\r\nContent-Length: 0\r\n\r\n"},
}

// fields puts a request's header together.
func (f *frames) fields(g *gateway, length int) []hpack.HeaderField {
	honest := []string{
		":method", "POST", ":scheme", "http", ":authority", "localhost:" + g.config.Port, ":path", "/mcp", ":protocol", "",
		"authorization", "Bearer " + g.token("/mcp"), "content-type", "application/json", "mcp-protocol-version", "2025-06-18", "content-length", fmt.Sprint(length),
	}
	var all []hpack.HeaderField
	for i := 0; i < len(honest); i += 2 {
		name, value := honest[i], honest[i+1]
		for j := 0; j < len(f.first); j += 2 {
			if f.first[j] == name {
				value = f.first[j+1]
			}
		}
		if value != "" {
			all = append(all, hpack.HeaderField{Name: name, Value: value})
		}
	}
	return append(all, pairs(f.further)...)
}

func pairs(list []string) (all []hpack.HeaderField) {
	for i := 0; i < len(list); i += 2 {
		all = append(all, hpack.HeaderField{Name: list[i], Value: list[i+1]})
	}
	return all
}

// send sends the request on a connection of its own, and waits for its end.
func (f *frames) send(t *testing.T, g *gateway, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", "localhost:"+g.config.Port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encode := func(fields []hpack.HeaderField) []byte {
		block.Reset()
		for _, field := range fields {
			if err := encoder.WriteField(field); err != nil {
				t.Fatal(err)
			}
		}
		return bytes.Clone(block.Bytes())
	}
	// Errors of writing are those of a gateway that has had enough.
	_, _ = io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(f.fields(g, len(body))), EndHeaders: true})
	_ = framer.WriteData(1, f.trailer == nil, []byte(body))
	if f.trailer != nil {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(pairs(f.trailer)), EndHeaders: true, EndStream: true})
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return
		case *http2.HeadersFrame:
			if frame.StreamEnded() {
				return
			}
		case *http2.DataFrame:
			if frame.StreamEnded() {
				return
			}
		}
	}
}

func TestNothingOverHTTP2RunsWhatIsHidden(t *testing.T) {
	server := hostile.NewServer(t)
	server.Answers(answerAll)
	g := startGateway(t, gatewayConfig{
		Global: "servers {\nprotocols h1 h2c\n}", Policy: hostilePolicy,
		Site: "mcp_gateway /mcp " + server.Address + " {\nserver files\n}\n",
	})
	call, echo := hostile.WireMessages("2025-06-18")
	for i := range overHTTP2 {
		f := &overHTTP2[i]
		f.send(t, g, strings.NewReplacer("{call}", call, "{echo}", echo).Replace(f.body))
		got := server.Took()
		if what := executed(got); what != "" {
			t.Errorf("%s: a server would run it: %s", f.name, what)
		}
		if f.passes != (len(got) > 0) {
			t.Errorf("%s: %d went on", f.name, len(got))
		}
	}
	t.Logf("%d requests over HTTP/2: 0 executions", len(overHTTP2))
}
