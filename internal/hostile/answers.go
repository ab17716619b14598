package hostile

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Answer is an answer of a server as it is on the wire, byte for byte, with which the name of something hidden may reach
// a client, or the client be made to do something else.
type Answer struct {
	Name   string
	Text   string
	Shown  bool   // what is shown must reach a client that has posted a message
	Stream bool   // likewise one that has asked for a stream
	Again  string // an endless answer goes on with this
	Pieces int    // it is written in pieces of this size; 0: at once
	Cut    bool   // it breaks off: the connection must end
}

// List is the answer to a list of tools, of which one is hidden and one shown.
const List = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"hidden_vault","description":"d"},{"name":"shown_lamp","description":"d"}]}}`

// ShownOfList is what a client gets of it at least.
const ShownOfList = shownTool

// Write writes the answer, an endless one until the connection ends.
func (a *Answer) Write(w io.Writer) {
	text := a.Text
	for text != "" {
		n := len(text)
		if a.Pieces > 0 {
			n = min(n, a.Pieces)
		}
		if _, err := io.WriteString(w, text[:n]); err != nil {
			return
		}
		text = text[n:]
	}
	for a.Again != "" {
		if _, err := io.WriteString(w, a.Again); err != nil {
			return
		}
	}
}

// of makes an answer with a body and the length of it. lines are further ones of the head, each with its end.
func of(status, lines, body string) string {
	return "HTTP/1.1 " + status + "\r\n" + lines + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// open makes an answer that ends with the connection.
func open(lines, body string) string {
	return "HTTP/1.1 200 OK\r\nConnection: close\r\n" + lines + "\r\n" + body
}

const (
	isJSON   = "Content-Type: application/json\r\n"
	isStream = "Content-Type: text/event-stream\r\n"
	event    = "data: " + List + "\n\n"
)

// chunked writes a body in chunks of a size.
func chunked(body string, size int, extension string) string {
	var text strings.Builder
	for rest := body; rest != ""; {
		n := min(size, len(rest))
		fmt.Fprintf(&text, "%x%s\r\n%s\r\n", n, extension, rest[:n])
		rest = rest[n:]
	}
	return text.String()
}

// Answers are the answers.
var Answers = func() (all []Answer) {
	add := func(a ...Answer) { all = append(all, a...) }
	for _, status := range []int{
		201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412,
		413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 507, 508, 511, 599,
	} {
		line := strconv.Itoa(status) + " hidden_vault"
		shown := status == 201 || status == 203 || status == 206 || status == 207 || status == 208 || status == 226
		add(
			Answer{Name: "status " + line[:3] + " with the list", Text: of(line, isJSON, List), Shown: shown},
			Answer{Name: "status " + line[:3] + " with a stream", Text: of(line, isStream, event), Shown: shown, Stream: shown || status == 202},
			Answer{Name: "status " + line[:3] + " with text", Text: of(line, "Content-Type: text/plain\r\nLocation: /hidden_vault\r\nWWW-Authenticate: hidden_vault\r\nRetry-After: hidden_vault\r\nAllow: HIDDEN\r\n", "hidden_vault")},
		)
	}
	for _, status := range []string{"000", "099", "101", "600", "999", "2000", "20", "abc", "-1", "+200", "0x200"} {
		add(Answer{Name: "status " + status, Text: of(status+" hidden_vault", isJSON, List)})
	}
	for _, status := range []string{"100", "102", "103", "199"} {
		add(Answer{Name: "status " + status + " before it", Text: "HTTP/1.1 " + status + " hidden_vault\r\nLink: </hidden_vault>; rel=preload\r\nSet-Cookie: a=hidden_vault\r\n\r\n" + of("200 OK", isJSON, List), Shown: true})
	}
	add(
		Answer{Name: "status 103 a hundred times", Text: strings.Repeat("HTTP/1.1 103 hidden_vault\r\nLink: </hidden_vault>\r\n\r\n", 100) + of("200 OK", isJSON, List)},
		Answer{Name: "no status", Text: "hidden_vault\r\n\r\n" + List},
		Answer{Name: "HTTP/0.9", Text: List},
		Answer{Name: "HTTP/1.0", Text: "HTTP/1.0 200 OK\r\n" + isJSON + "\r\n" + List, Shown: true},
		Answer{Name: "HTTP/2", Text: "HTTP/2 200 OK\r\n" + isJSON + "\r\n" + List},
		Answer{Name: "HTTP/2 in frames", Text: "\x00\x00\x00\x04\x00\x00\x00\x00\x00hidden_vault"},
		Answer{Name: "ICY", Text: "ICY 200 OK\r\n" + isJSON + "\r\n" + List},
		Answer{Name: "nothing", Text: ""},
		Answer{Name: "TLS", Text: "\x15\x03\x01\x00\x02\x02\x28hidden_vault"},
	)
	for _, name := range []string{
		"Set-Cookie", "Set-Cookie2", "Location", "Content-Location", "Refresh", "Link", "Clear-Site-Data", "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info",
		"Alt-Svc", "Server", "Via", "Warning", "X-Powered-By", "ETag", "Last-Modified", "Allow", "Mcp-Session", "Mcp-Name", "Mcp-Method", "Mcp-Protocol-Version", "Last-Event-Id",
		"Content-Disposition", "Content-Language", "Content-Security-Policy", "Content-Range", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Server-Timing", "NEL", "Report-To", "Reporting-Endpoints",
		"SourceMap", "X-Accel-Redirect", "X-Sendfile", "X-Accel-Buffering", "X-Content-Type-Options", "Keep-Alive", "Proxy-Status", "Cache-Status", "Cache-Control", "Age", "Expires", "Pragma",
		"Vary", "Digest", "Repr-Digest", "Traceparent", "Tracestate", "X-Request-Id", "X-Tools", "Strict-Transport-Security", "Public-Key-Pins", "Speculation-Rules", "Sec-WebSocket-Accept", "Upgrade", "Retry-After", "Trailer", "hidden_vault",
	} {
		add(
			Answer{Name: "the header " + name, Text: of("200 OK", isJSON+name+": hidden_vault\r\n", List), Shown: true},
			Answer{Name: "the header " + name + " of a stream", Text: open(isStream+name+": hidden_vault\r\n", event), Shown: true, Stream: true},
		)
	}
	add(
		Answer{Name: "a session that is a name", Text: of("200 OK", isJSON+"Mcp-Session-Id: hidden_vault\r\n", List), Shown: true},
		Answer{Name: "a session of a stream that is a name", Text: open(isStream+"Mcp-Session-Id: hidden_vault\r\n", event), Shown: true, Stream: true},
		Answer{Name: "two sessions", Text: of("200 OK", isJSON+"Mcp-Session-Id: a\r\nMcp-Session-Id: hidden_vault\r\n", List)},
		Answer{Name: "a session with odd bytes", Text: of("200 OK", isJSON+"Mcp-Session-Id: hidden_\xff\x80vault\r\n", List)},
		Answer{Name: "a session of 10 KB", Text: of("200 OK", isJSON+"Mcp-Session-Id: "+strings.Repeat("hidden_vault", 1000)+"\r\n", List)},
		Answer{Name: "an empty session", Text: of("200 OK", isJSON+"Mcp-Session-Id:\r\n", List)},

		Answer{Name: "a folded header", Text: of("200 OK", isJSON+"X-A: a\r\n hidden_vault\r\n", List), Shown: true},
		Answer{Name: "a folded content type", Text: of("200 OK", "Content-Type: application/json\r\n ; hidden_vault\r\n", List)},
		Answer{Name: "a NUL in a header", Text: of("200 OK", isJSON+"X-A: hidden\x00_vault\r\n", List)},
		Answer{Name: "a header without a name", Text: of("200 OK", isJSON+": hidden_vault\r\n", List)},
		Answer{Name: "a header without a colon", Text: of("200 OK", isJSON+"hidden_vault\r\n", List)},
		Answer{Name: "a header with a space in its name", Text: of("200 OK", isJSON+"hidden_vault : a\r\n", List)},
		Answer{Name: "lines that end in LF", Text: strings.ReplaceAll(of("200 OK", isJSON+"X-A: hidden_vault\r\n", List), "\r\n", "\n"), Shown: true},
		Answer{Name: "headers by the thousand", Text: of("200 OK", isJSON+strings.Repeat("X-A: hidden_vault\r\n", 5000), List)},
		Answer{Name: "a header without end", Text: "HTTP/1.1 200 OK\r\nX-A: ", Again: strings.Repeat("hidden_vault", 100)},
		Answer{Name: "headers without end", Text: "HTTP/1.1 200 OK\r\n", Again: strings.Repeat("X-A: hidden_vault\r\n", 100)},

		Answer{Name: "two lengths, alike", Text: "HTTP/1.1 200 OK\r\n" + isJSON + fmt.Sprintf("Content-Length: %d\r\nContent-Length: %[1]d\r\n\r\n", len(List)) + List, Shown: true},
		Answer{Name: "two lengths, different", Text: of("200 OK", isJSON+"Content-Length: 3\r\n", List)},
		Answer{Name: "a length and chunks", Text: of("200 OK", isJSON+"Transfer-Encoding: chunked\r\n", chunked(List, 30, "")+"0\r\n\r\n")},
		Answer{Name: "a length too long", Text: "HTTP/1.1 200 OK\r\n" + isJSON + "Content-Length: 1000000\r\n\r\n" + List, Cut: true},
		Answer{Name: "a length too short", Text: "HTTP/1.1 200 OK\r\n" + isJSON + "Content-Length: 100\r\n\r\n" + List},
		Answer{Name: "a second answer behind it", Text: of("200 OK", isJSON, List) + of("200 OK", isJSON, strings.ReplaceAll(List, "shown", "hidden")), Shown: true},
		Answer{Name: "a negative length", Text: "HTTP/1.1 200 OK\r\n" + isJSON + "Content-Length: -1\r\n\r\n" + List},
		Answer{Name: "a length that is none", Text: "HTTP/1.1 200 OK\r\n" + isJSON + "Content-Length: hidden_vault\r\n\r\n" + List},
		Answer{Name: "gzip and chunked", Text: open(isJSON+"Transfer-Encoding: gzip, chunked\r\n", chunked(string(gzipped(List)), 30, "")+"0\r\n\r\n")},
		Answer{Name: "a transfer coding nobody knows", Text: open(isJSON+"Transfer-Encoding: hidden_vault\r\n", List)},
		Answer{Name: "chunks of one byte", Text: open(isJSON+"Transfer-Encoding: chunked\r\n", chunked(List, 1, "")+"0\r\n\r\n"), Shown: true},
		Answer{Name: "chunks with extensions", Text: open(isJSON+"Transfer-Encoding: chunked\r\n", chunked(List, 20, ";a=hidden_vault")+"0;hidden_vault\r\n\r\n"), Shown: true},
		Answer{Name: "a chunk's extension without end", Text: open(isJSON+"Transfer-Encoding: chunked\r\n", "1;"), Again: strings.Repeat("hidden_vault", 100)},
		Answer{Name: "chunks and trailers", Text: open(isJSON+"Trailer: X-A\r\nTransfer-Encoding: chunked\r\n", chunked(List, 20, "")+"0\r\nX-A: hidden_vault\r\nhidden_vault: b\r\nSet-Cookie: hidden_vault\r\n\r\n"), Shown: true},
		Answer{Name: "a stream in chunks with trailers", Text: open(isStream+"Transfer-Encoding: chunked\r\n", chunked(event, 1, "")+"0\r\nX-A: hidden_vault\r\n\r\n"), Shown: true, Stream: true},
		Answer{Name: "a chunk's length that is none", Text: open(isJSON+"Transfer-Encoding: chunked\r\n", "hidden_vault\r\n"+List+"\r\n0\r\n\r\n")},
		Answer{Name: "chunks that do not end", Text: open(isJSON+"Transfer-Encoding: chunked\r\n", chunked(List, 20, ""))},
	)
	for name, kind := range map[string]string{
		"in capitals": "Application/JSON", "with spaces": " application/json ; charset=UTF-8 ", "with quotes": `application/json;charset="utf-8"`, "with an empty parameter": "application/json;",
	} {
		add(Answer{Name: "a type " + name, Text: of("200 OK", "Content-Type: "+kind+"\r\n", List), Shown: true})
	}
	for name, kind := range map[string]string{
		"of text": "text/plain", "of HTML": "text/html", "of JSON's kin": "application/mcp+json", "of lines": "application/x-ndjson", "of sequences": "application/json-seq", "of old": "text/json",
		"that is two": "application/json, text/html", "with another charset": "application/json; charset=utf-16", "with two charsets": "application/json; charset=utf-8; charset=utf-7", "with a parameter": "application/json; a=hidden_vault",
		"of nothing": "", "of anything": "*/*", "of parts": "multipart/mixed; boundary=hidden_vault", "of bytes": "application/octet-stream", "of gRPC": "application/grpc", "with a comment": "application/json (hidden_vault)", "with a NUL": "application/json\x00",
		"of a stream's kin": "text/event-stream+json", "of a stream in another charset": "text/event-stream; charset=utf-16",
	} {
		add(Answer{Name: "a type " + name, Text: of("200 OK", "Content-Type: "+kind+"\r\n", List)})
	}
	add(
		Answer{Name: "no type", Text: of("200 OK", "", List)},
		Answer{Name: "two types", Text: of("200 OK", isJSON+"Content-Type: text/html\r\n", List)},
		Answer{Name: "two types, alike", Text: of("200 OK", isJSON+isJSON, List)},
		Answer{Name: "JSON and a stream", Text: of("200 OK", isJSON+isStream, event)},
		Answer{Name: "a stream that is JSON", Text: of("200 OK", isStream, List)},
		Answer{Name: "JSON that is a stream", Text: of("200 OK", isJSON, event)},
		Answer{Name: "no body", Text: of("200 OK", isJSON, "")},
		Answer{Name: "gzip", Text: of("200 OK", isJSON+"Content-Encoding: gzip\r\n", string(gzipped(List)))},
		Answer{Name: "gzip by an old name", Text: of("200 OK", isJSON+"Content-Encoding: x-gzip\r\n", string(gzipped(List)))},
		Answer{Name: "gzip that is not said", Text: of("200 OK", isJSON, string(gzipped(List)))},
		Answer{Name: "gzip among codings", Text: of("200 OK", isJSON+"Content-Encoding: identity, gzip\r\n", string(gzipped(List)))},
		Answer{Name: "gzip in a second header", Text: of("200 OK", isJSON+"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", string(gzipped(List)))},
		Answer{Name: "gzip of a stream", Text: of("200 OK", isStream+"Content-Encoding: gzip\r\n", string(gzipped(event)))},
		Answer{Name: "deflate", Text: of("200 OK", isJSON+"Content-Encoding: deflate\r\n", string(zlibbed(List)))},
		Answer{Name: "a coding that is only said", Text: of("200 OK", isJSON+"Content-Encoding: br\r\n", List)},
		Answer{Name: "a coding that is a name", Text: of("200 OK", isJSON+"Content-Encoding: hidden_vault\r\n", List)},
		Answer{Name: "identity that is said", Text: of("200 OK", isJSON+"Content-Encoding: identity\r\n", List), Shown: true},
		Answer{Name: "byte by byte", Text: of("200 OK", isJSON, List), Shown: true, Pieces: 1},
		Answer{Name: "JSON without end", Text: open(isJSON, `{"jsonrpc":"2.0","id":1,"result":{"tools":[`), Again: strings.Repeat(`{"name":"hidden_vault"},`, 1000)},
		Answer{Name: "a refusal without end", Text: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n", Again: strings.Repeat("hidden_vault", 1000)},
		Answer{Name: "a hang-up in an entry", Text: of("200 OK", isJSON, List)[:len(of("200 OK", isJSON, List))-90], Cut: true},
		Answer{Name: "white space without end", Text: open(isJSON, ""), Again: strings.Repeat(" ", 10_000)},
	)
	for _, s := range []struct {
		name, text    string
		posts, stream bool
	}{
		{"CR", "data: " + List + "\r\r", true, true},
		{"CRLF", "event: message\r\ndata: " + List + "\r\n\r\n", true, true},
		{"mixed ends of lines", "event: message\rdata: " + List + "\n\r\n", true, true},
		{"a byte order mark", "\ufeffdata: " + List + "\n\n", true, true},
		{"two byte order marks", "\ufeff\ufeffdata: " + List + "\n\n", false, false},
		{"no space behind the colon", "data:" + List + "\n\n", true, true},
		{"two spaces behind the colon", "data:  " + List + "\n\n", true, true},
		{"a space before the colon", "data : " + List + "\n\n", false, false},
		{"a field in capitals", "Data: " + List + "\n\n", false, false},
		{"lines of data", "data: " + strings.ReplaceAll(List, ",", ",\ndata: ") + "\n\n", true, true},
		{"lines of data with comments between", "data: " + strings.ReplaceAll(List, ",", ",\n: hidden_vault\ndata: ") + "\n\n", true, true},
		{"data that breaks a name", "data: " + strings.ReplaceAll(List, "hidden", "hid\ndata: den") + "\n\n", false, false},
		{"a comment", ": hidden_vault\n\n" + event, true, true},
		{"a comment of its own name", "hidden_vault\n\n" + event, true, true},
		{"a field nobody knows", "hidden_vault: a\n" + event, true, true},
		{"an event's name", "event: hidden_vault\ndata: a\n\n" + event, true, true},
		{"an event's name for lists", "event: tools/list\n" + event, false, false},
		{"an event's id", "id: hidden_vault\n" + event, true, true},
		{"an event's id with a NUL", "id: hidden\x00_vault\n" + event, true, true},
		{"an event's id of 10 KB", "id: " + strings.Repeat("hidden_vault", 1000) + "\n" + event, false, false},
		{"a retry", "retry: hidden_vault\n" + event, true, true},
		{"a retry without end", "retry: " + strings.Repeat("9", 1000) + "\n" + event, true, true},
		{"a broken event before it", "data: {hidden_vault\n\n" + event, true, true},
		{"bytes that are no UTF-8", "data: hidden_vault\xff\n\n" + event, true, true},
		{"an event that is not complete", event + "data: " + strings.ReplaceAll(List, "shown", "hidden"), true, true},
		{"a line that is not complete", "data: " + List, false, false},
		{"two hundred changes of the list", strings.Repeat("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n", 200) + event, true, true},
		{"an answer to something else before it", strings.Replace(event, `"id":1`, `"id":77`, 1) + event, true, true},
		{"the answer a hundred times", strings.Repeat(event, 100), true, true},
		{"an endpoint behind it", event + "event: endpoint\ndata: /hidden_vault\n\n", true, false},
		{"an endpoint elsewhere", "event: endpoint\ndata: https://hidden_vault.example/\n\n" + event, false, false},
		{"an endpoint with a name", "event: endpoint\ndata: /hidden_vault?a=hidden_vault\n\n" + event, false, true},
		{"two endpoints", "event: endpoint\ndata: /a\n\nevent: endpoint\ndata: /hidden_vault\n\n" + event, false, true},
		{"UTF-16", "\xff\xfe" + wide("data: "+List+"\n\n"), false, false},
	} {
		add(
			Answer{Name: "a stream with " + s.name, Text: open(isStream, s.text), Shown: s.posts, Stream: s.stream},
			Answer{Name: "a stream with " + s.name + ", byte by byte", Text: open(isStream, s.text), Shown: s.posts, Stream: s.stream, Pieces: 3},
		)
	}
	add(
		Answer{Name: "an event without end", Text: open(isStream, "data: "), Again: strings.Repeat("hidden_vault", 1000)},
		Answer{Name: "lines of data without end", Text: open(isStream, ""), Again: strings.Repeat("data: hidden_vault\n", 1000)},
		Answer{Name: "a name of an event without end", Text: open(isStream, "event: "), Again: strings.Repeat("hidden_vault", 1000)},
	)
	return all
}()

// wide is text in UTF-16, little endian.
func wide(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}
