package hostile

import "strings"

// Wire is a request as it is on the wire, byte for byte, with which a client tries to have something hidden used: by
// having two servers disagree where a request ends, what it is, or for whom. Its text has placeholders: {host}, {auth} for the line
// with the token, {mount}, {call} for a call of what is hidden, {echo} for one of what is shown, {len} and {echolen} for
// their lengths, and {hex} for that of the call in hexadecimal. Lines end as they are written, but a lone \n is \r\n where
// Bare is not set.
type Wire struct {
	Name string
	Text string
	Bare bool
}

// WireMessages are a call of what is hidden and one of what is shown, as the texts of a [Wire] have them.
func WireMessages(rev string) (call, echo string) {
	message := func(name string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + metaOf(rev) + `"name":"` + name + `"}}`
	}
	return message("hidden_vault"), message("echo")
}

const (
	post  = "POST {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\n"
	short = "Content-Length: {echolen}\n"
)

// Wires are the requests. Behind each there may be a second one, which is as hostile.
var Wires = []Wire{
	{Name: "a call", Text: post + "Content-Length: {len}\n\n{call}"},
	{Name: "a call behind an honest one", Text: post + short + "\n{echo}" + post + "Content-Length: {len}\n\n{call}"},
	{Name: "two lengths, the first shorter", Text: post + short + "Content-Length: {both}\n\n{echo}{call}"},
	{Name: "two lengths, the last shorter", Text: post + "Content-Length: {both}\n" + short + "\n{echo}{call}"},
	{Name: "two lengths in one", Text: post + "Content-Length: {echolen}, {both}\n\n{echo}{call}"},
	{Name: "a length with a sign", Text: post + "Content-Length: +{echolen}\n\n{echo}{call}"},
	{Name: "a length with a zero before it", Text: post + "Content-Length: 0{echolen}\n\n{echo}"},
	{Name: "a length in hexadecimal", Text: post + "Content-Length: 0x{echohex}\n\n{echo}{call}"},
	{Name: "a negative length", Text: post + "Content-Length: -1\n\n{call}"},
	{Name: "a length beyond 64 bits", Text: post + "Content-Length: 18446744073709551700\n\n{call}"},
	{Name: "a length with a space in its name", Text: post + "Content-Length : {len}\n\n{call}"},
	{Name: "a length with a tab before it", Text: post + "\tContent-Length: {len}\n\n{call}"},
	{Name: "a length that is shorter", Text: post + short + "\n{echo}" + "{call}"},
	{Name: "a length of nothing", Text: post + "Content-Length: 0\n\n{call}"},
	{Name: "no length", Text: post + "\n{call}"},
	{Name: "no length, and the end of the connection", Text: "POST {mount} HTTP/1.0\nHost: {host}\n{auth}\nContent-Type: application/json\n\n{call}"},

	{Name: "a length and chunks", Text: post + "Content-Length: {len}\nTransfer-Encoding: chunked\n\n{hex}\n{call}\n0\n\n"},
	{Name: "a length and chunks that end before it", Text: post + "Content-Length: {len}\nTransfer-Encoding: chunked\n\n0\n\n{call}"},
	{Name: "chunks and a length", Text: post + "Transfer-Encoding: chunked\nContent-Length: 5\n\n0\n\n" + post + "Content-Length: {len}\n\n{call}"},
	{Name: "chunks", Text: post + "Transfer-Encoding: chunked\n\n{hex}\n{call}\n0\n\n"},
	{Name: "chunks of one byte", Text: post + "Transfer-Encoding: chunked\n\n{bytes}0\n\n"},
	{Name: "chunks with an extension", Text: post + "Transfer-Encoding: chunked\n\n{hex};name=\"hidden_vault\"\n{call}\n0\n\n"},
	{Name: "chunks with an extension that breaks the line", Text: post + "Transfer-Encoding: chunked\n\n2;a=\"\n{hex}\n{call}\n0\n\n"},
	{Name: "chunks with a long extension", Text: post + "Transfer-Encoding: chunked\n\n{hex};" + strings.Repeat("a", 10_000) + "\n{call}\n0\n\n"},
	{Name: "chunks with a length that is none", Text: post + "Transfer-Encoding: chunked\n\n0x{hex}\n{call}\n0\n\n"},
	{Name: "chunks with a length of many digits", Text: post + "Transfer-Encoding: chunked\n\n00000000000000000{hex}\n{call}\n0\n\n"},
	{Name: "chunks with a length too long", Text: post + "Transfer-Encoding: chunked\n\nffffffffffffffff\n{call}\n0\n\n"},
	{Name: "chunks that end in LF", Text: "POST {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n{hex}\n{call}\n0\n\n", Bare: true},
	{Name: "chunks with trailers", Text: post + "Trailer: Mcp-Name\nTransfer-Encoding: chunked\n\n{echohex}\n{echo}\n0\nMcp-Name: hidden_vault\nMcp-Method: tools/call\n\n"},
	{Name: "chunks with a trailer that is a length", Text: post + "Transfer-Encoding: chunked\n\n{echohex}\n{echo}\n0\nContent-Length: 1000\nTransfer-Encoding: chunked\n\n"},
	{Name: "chunked twice", Text: post + "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n{hex}\n{call}\n0\n\n"},
	{Name: "chunked and identity", Text: post + "Transfer-Encoding: chunked, identity\n\n{hex}\n{call}\n0\n\n"},
	{Name: "identity and a length", Text: post + "Transfer-Encoding: identity\nContent-Length: {len}\n\n{call}"},
	{Name: "gzip and chunked", Text: post + "Transfer-Encoding: gzip, chunked\n\n{hex}\n{call}\n0\n\n"},
	{Name: "chunked with a letter more", Text: post + "Transfer-Encoding: xchunked\nContent-Length: {len}\n\n{call}"},
	{Name: "chunked in capitals", Text: post + "Transfer-Encoding: CHUNKED\n\n{hex}\n{call}\n0\n\n"},
	{Name: "chunked behind a vertical tab", Text: post + "Transfer-Encoding: \x0bchunked\nContent-Length: {len}\n\n{call}"},
	{Name: "chunked with a space in its name", Text: post + "Transfer-Encoding : chunked\nContent-Length: {len}\n\n0\n\n{call}"},
	{Name: "chunked on a folded line", Text: post + "Transfer-Encoding:\n chunked\nContent-Length: {len}\n\n{hex}\n{call}\n0\n\n"},
	{Name: "chunked with an underscore", Text: post + "Transfer_Encoding: chunked\nContent-Length: {len}\n\n{call}"},

	{Name: "a folded line", Text: post + "Mcp-Name: echo\n hidden_vault\n" + short + "\n{echo}"},
	{Name: "a folded first line", Text: "POST {mount} HTTP/1.1\n Mcp-Name: hidden_vault\nHost: {host}\n{auth}\nContent-Type: application/json\n" + short + "\n{echo}"},
	{Name: "a line without a colon", Text: post + "Mcp-Name hidden_vault\n" + short + "\n{echo}"},
	{Name: "a line with an empty name", Text: post + ": hidden_vault\n" + short + "\n{echo}"},
	{Name: "a NUL in a header", Text: post + "Mcp-Name: hidden_vault\x00echo\n" + short + "\n{echo}"},
	{Name: "a CR alone in a header", Text: post + "X-A: a\rMcp-Name: hidden_vault\n" + short + "\n{echo}"},
	{Name: "an LF alone in a header", Text: "POST {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nMcp-Name: hidden_vault\n" + short + "\n{echo}", Bare: true},
	{Name: "Mcp-Name twice", Text: post + "Mcp-Name: echo\nMcp-Name: hidden_vault\n" + short + "\n{echo}"},
	{Name: "Mcp-Name twice, in another case", Text: post + "mcp-name: echo\nMCP-NAME: hidden_vault\n" + short + "\n{echo}"},
	{Name: "Mcp-Name that the connection nominates", Text: post + "Connection: Mcp-Name, Content-Type, Content-Length, Mcp-Protocol-Version\nMcp-Name: hidden_vault\n" + short + "\n{echo}"},
	{Name: "a length that the connection nominates", Text: post + "Connection: Content-Length\n" + short + "\n{echo}" + "{call}"},
	{Name: "a host twice", Text: "POST {mount} HTTP/1.1\nHost: {host}\nHost: evil.example\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "no host", Text: "POST {mount} HTTP/1.1\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "two tokens", Text: post + "{auth}\nContent-Length: {len}\n\n{call}"},
	{Name: "a megabyte of headers", Text: post + "X-A: " + strings.Repeat("a", 1<<20) + "\nContent-Length: {len}\n\n{call}"},
	{Name: "headers by the thousand", Text: post + strings.Repeat("X-A: a\n", 5000) + "Content-Length: {len}\n\n{call}"},

	{Name: "another method by a header", Text: post + "X-HTTP-Method-Override: DELETE\nX-Original-URL: /hidden_vault\n" + short + "\n{echo}"},
	{Name: "GET with a body", Text: "GET {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "GET with a body in chunks", Text: "GET {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n{hex}\n{call}\n0\n\n"},
	{Name: "DELETE with a body", Text: "DELETE {mount} HTTP/1.1\nHost: {host}\n{auth}\nMcp-Session-Id: s\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "HEAD with a body", Text: "HEAD {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "OPTIONS with a body", Text: "OPTIONS {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "PUT", Text: "PUT {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "PATCH", Text: "PATCH {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "TRACE", Text: "TRACE {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "QUERY", Text: "QUERY {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "CONNECT", Text: "CONNECT {host} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "CONNECT to the mount", Text: "CONNECT {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "a method in lower case", Text: "post {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "a method with a letter more", Text: "XPOST {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "the preface of HTTP/2", Text: "PRI * HTTP/2.0\n\nSM\n\n" + post + "Content-Length: {len}\n\n{call}"},
	{Name: "an upgrade to HTTP/2", Text: post + "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\nContent-Length: {len}\n\n{call}"},
	{Name: "an upgrade to a websocket", Text: "GET {mount} HTTP/1.1\nHost: {host}\n{auth}\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n{call}"},
	{Name: "an expectation", Text: post + "Expect: 100-continue\nContent-Length: {len}\n\n{call}"},
	{Name: "an expectation that is none", Text: post + "Expect: hidden_vault\nContent-Length: {len}\n\n{call}"},

	{Name: "HTTP/0.9", Text: "GET {mount}\n\n{call}"},
	{Name: "HTTP/1.0 that goes on", Text: "POST {mount} HTTP/1.0\nHost: {host}\n{auth}\nConnection: keep-alive\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "HTTP/1.0 with chunks", Text: "POST {mount} HTTP/1.0\nHost: {host}\n{auth}\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n{hex}\n{call}\n0\n\n"},
	{Name: "HTTP/1.9", Text: "POST {mount} HTTP/1.9\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "HTTP/2.0 by name", Text: "POST {mount} HTTP/2.0\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "two spaces", Text: "POST  {mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "a tab for a space", Text: "POST\t{mount}\tHTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "empty lines before it", Text: "\n\n" + post + "Content-Length: {len}\n\n{call}"},

	{Name: "a whole URL", Text: "POST http://{host}{mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "a whole URL of another host", Text: "POST http://evil.example{mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "a whole URL of another scheme", Text: "POST gopher://{host}{mount} HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "a query with a call", Text: "POST {mount}?method=tools/call&name=hidden_vault HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\n" + short + "\n{echo}"},
	{Name: "a query with a message", Text: "POST {mount}?message=%7B%22method%22%3A%22tools/call%22%7D HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\n" + short + "\n{echo}"},
	{Name: "a place of HTTP+SSE that is made up", Text: "POST {mount}?session=hidden_vault HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\n" + short + "\n{echo}"},
	{Name: "a place of HTTP+SSE as the server has it", Text: "POST {mount}?sessionId=1 HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
	{Name: "a fragment", Text: "POST {mount}#/hidden_vault HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\n" + short + "\n{echo}"},
	{Name: "a star", Text: "POST * HTTP/1.1\nHost: {host}\n{auth}\nContent-Type: application/json\nContent-Length: {len}\n\n{call}"},
}

// Paths are other spellings of the mount /mcp, and of paths below it. Nothing of them reaches the server.
var Paths = []string{
	"//mcp", "///mcp", "/mcp//", "/mcp/.", "/mcp/..;/mcp", "/mcp/..", "/mcp/x", "/mcp/sse", "/mcp/message", "/mcp/mcp", "/./mcp", "/x/../mcp", "/x/..;/mcp",
	"/mcp;a=b", "/mcp;/x", "/;/mcp", "/mcp%2f", "/mcp%2F", "/%2fmcp", "/%6dcp", "/%6Dcp", "/%256dcp", "/m%63p", "/mcp%00", "/mcp%00/x", "/mcp%20", "/mcp%0a", "/mcp%0d%0a", "/mcp%09",
	"/mcp%3f", "/mcp%3fx", "/mcp%23", "/mcp%2e", "/mcp/%2e", "/mcp/%2e%2e/mcp", "/mcp/%252e%252e/mcp", "/%2e/mcp", "/%2e%2e/mcp", "/x/%2e%2e/mcp", "/x%2f..%2fmcp", `/x\..\mcp`, `/mcp\x`, `\mcp`, "/mcp%5c", "/mcp%5cx",
	"/MCP", "/Mcp", "/mCP/", "/mcp.", "/mcp.json", "/mcp~", "/mcp/hidden_vault", "/mcp/tools/call", "/mcp\xc0\xaf", "/m\u212ap", "/\uff4dcp", "/mcp\u200b", "/mcp/x/../../mcp", "/mcp/./../mcp",
}
