package hostile

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"unicode/utf16"
)

// HeaderAttacks are those in the header of a request, and in how its body is written.
var HeaderAttacks = []Attack{
	// A server may go by either.
	{Name: "Mcp-Name says something else", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"{hidden}"}}},
	{Name: "Mcp-Name and the body differ in case", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"HIDDEN_VAULT"}}},
	{Name: "Mcp-Name twice, the last hidden", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"{shown}", "{hidden}"}}},
	{Name: "Mcp-Name twice, the first hidden", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"{hidden}", "{shown}"}}},
	{Name: "Mcp-Name with a list", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"{shown}, {hidden}"}}},
	{Name: "Mcp-Name in Base64 says something else", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?base64?aGlkZGVuX3ZhdWx0?="}}},
	{Name: "Mcp-Name in Base64 without its end", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?base64?aGlkZGVuX3ZhdWx0"}}},
	{Name: "Mcp-Name in Base64 without padding", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?base64?aGlkZGVu?="}}},
	{Name: "Mcp-Name in Base64 with other bits", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?base64?ZWNobx==?="}}, Odd: true},
	{Name: "Mcp-Name in Base64 for the Web", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?base64?aGlkZGVu_3ZhdWx0?="}}},
	{Name: "Mcp-Name in Base64 with a line break", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?base64?aGlk\nZGVu?="}}, Odd: true},
	{Name: "Mcp-Name with markers in capitals", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?BASE64?aGlkZGVuX3ZhdWx0?="}}},
	{Name: "Mcp-Name with markers that overlap", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?base64?="}}, Odd: true},
	{Name: "Mcp-Name as mail has it", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"=?utf-8?B?aGlkZGVuX3ZhdWx0?="}}},
	{Name: "Mcp-Name percent-encoded", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"%68idden_vault"}}},
	{Name: "Mcp-Name with a NUL", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"{hidden}\x00{shown}"}}},
	{Name: "Mcp-Name with a line break", Body: honestCall, Header: map[string][]string{"Mcp-Name": {"{shown}\r\nMcp-Name: {hidden}"}}},
	{Name: "the body says something else than Mcp-Name", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Name": {"{shown}"}}},
	{Name: "Mcp-Method says something else", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Method": {"tools/list"}}},
	{Name: "Mcp-Method twice", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Method": {"tools/list", "{method}"}}},
	{Name: "Mcp-Method and Mcp-Name of another call", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{params}}`, Header: map[string][]string{"Mcp-Method": {"{method}"}, "Mcp-Name": {"{hidden}"}}},
	{Name: "Mcp-Name with a list of tools", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{params}}`, Header: map[string][]string{"Mcp-Method": {"tools/list"}, "Mcp-Name": {"{hidden}"}}, Odd: true},
	{Name: "headers that CGI takes for ours", Body: honestCall, Header: map[string][]string{
		"Mcp_Name": {"{hidden}"}, "mcp_Name": {"{hidden}"}, "Mcp-Name_": {"{hidden}"}, "MCP_METHOD": {"{method}"},
	}, Passes: true},
	{Name: "headers that other servers take for ours", Body: honestCall, Header: map[string][]string{
		"Mcp.Name": {"{hidden}"}, "Mcp~name": {"{hidden}"}, "Mcp!Name": {"{hidden}"}, "Mcp+name": {"{hidden}"},
	}, Passes: true},
	{Name: "headers for another method or path", Body: honestCall, Header: map[string][]string{
		"X-Http-Method-Override": {"/hidden_vault"}, "X-Http-Method": {"/hidden_vault"}, "X-Method-Override": {"/hidden_vault"},
		"X-Original-Url": {"/hidden_vault"}, "X-Rewrite-Url": {"/hidden_vault"}, "X-Original-Uri": {"/hidden_vault"}, "X-Forwarded-Uri": {"/hidden_vault"},
	}, Passes: true},

	// An old revision must not be a way around what a new one checks, nor the other way.
	{Name: "an older revision in the header", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},{H}}}`, Header: map[string][]string{"Mcp-Protocol-Version": {"2025-03-26"}}},
	{Name: "a newer revision in the header", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Protocol-Version": {"2026-07-28"}}},
	{Name: "two revisions in the header", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Protocol-Version": {"2025-06-18", "2026-07-28"}}},
	{Name: "a list of revisions in the header", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Protocol-Version": {"2025-06-18, 2026-07-28"}}},
	{Name: "a revision that does not exist", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Protocol-Version": {"2099-01-01"}}},
	{Name: "a revision that is empty", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Protocol-Version": {""}}},
	{Name: "no revision in the header", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Protocol-Version": nil}},
	{Name: "no headers of the revision", Params: `"{key}":"{hidden}"`, Header: map[string][]string{"Mcp-Protocol-Version": nil, "Mcp-Method": nil, "Mcp-Name": nil}},

	// What says that the body is not to be looked at.
	{Name: "text/plain", Body: plainCall, Header: map[string][]string{"Content-Type": {"text/plain"}}},
	{Name: "no content type", Body: plainCall, Header: map[string][]string{"Content-Type": nil}},
	{Name: "an empty content type", Body: plainCall, Header: map[string][]string{"Content-Type": {""}}},
	{Name: "two content types", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/json", "text/plain"}}},
	{Name: "two content types in one", Body: plainCall, Header: map[string][]string{"Content-Type": {"text/plain, application/json"}}},
	{Name: "a content type in capitals with spaces", Body: plainCall, Header: map[string][]string{"Content-Type": {" Application/JSON ; Charset=UTF-8"}}},
	{Name: "a content type with a long s", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/jſon"}}},
	{Name: "a content type of JSON's kin", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/json-rpc"}}},
	{Name: "a content type with a suffix", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/mcp+json"}}},
	{Name: "a content type of lines of JSON", Body: honestCall + "\n" + plainCall, Header: map[string][]string{"Content-Type": {"application/x-ndjson"}}},
	{Name: "a content type with a NUL", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/json\x00text/plain"}}},
	{Name: "a form with a message in it", Body: plainCall, Encode: func(body string) []byte { return []byte("message=" + url.QueryEscape(body)) }, Header: map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}},
	{Name: "a form that says it is JSON", Body: plainCall, Encode: func(body string) []byte { return []byte("message=" + url.QueryEscape(body)) }},
	{Name: "a multipart body", Body: plainCall, Encode: multipart, Header: map[string][]string{"Content-Type": {"multipart/form-data; boundary=b"}}},
	{Name: "a multipart body that says it is JSON", Body: plainCall, Encode: multipart},

	// The same bytes are another text in another charset or coding.
	{Name: "UTF-16, little endian", Body: plainCall, Encode: utf16Of(binary.LittleEndian, ""), Header: map[string][]string{"Content-Type": {"application/json; charset=utf-16"}}},
	{Name: "UTF-16 with a byte order mark", Body: plainCall, Encode: utf16Of(binary.LittleEndian, "\ufeff")},
	{Name: "UTF-16, big endian", Body: plainCall, Encode: utf16Of(binary.BigEndian, "")},
	{Name: "UTF-16, big endian, with a byte order mark", Body: plainCall, Encode: utf16Of(binary.BigEndian, "\ufeff")},
	{Name: "UTF-32, little endian", Body: plainCall, Encode: utf32Of(binary.LittleEndian)},
	{Name: "UTF-32, big endian", Body: plainCall, Encode: utf32Of(binary.BigEndian)},
	{Name: "a charset that is not the body's", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/json; charset=utf-16"}}},
	{Name: "a charset of seven bits", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/json; charset=utf-7"}}},
	{Name: "a charset of mainframes", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/json; charset=ibm037"}}},
	{Name: "two charsets", Body: plainCall, Header: map[string][]string{"Content-Type": {"application/json; charset=utf-8; charset=utf-16"}}},
	{Name: "gzip", Body: plainCall, Encode: gzipped, Header: map[string][]string{"Content-Encoding": {"gzip"}}},
	{Name: "gzip that is not said", Body: plainCall, Encode: gzipped},
	{Name: "gzip by an old name", Body: plainCall, Encode: gzipped, Header: map[string][]string{"Content-Encoding": {"x-gzip"}}},
	{Name: "gzip among codings", Body: plainCall, Encode: gzipped, Header: map[string][]string{"Content-Encoding": {"identity, gzip"}}},
	{Name: "gzip in a second header", Body: plainCall, Encode: gzipped, Header: map[string][]string{"Content-Encoding": {"identity", "gzip"}}},
	{Name: "deflate, as zlib has it", Body: plainCall, Encode: zlibbed, Header: map[string][]string{"Content-Encoding": {"deflate"}}},
	{Name: "deflate, as it is", Body: plainCall, Encode: deflated, Header: map[string][]string{"Content-Encoding": {"deflate"}}},
	{Name: "a coding that is only said", Body: plainCall, Header: map[string][]string{"Content-Encoding": {"br"}}},
	{Name: "identity that is said", Body: plainCall, Header: map[string][]string{"Content-Encoding": {"identity"}}},
	{Name: "Base64", Body: plainCall, Encode: func(body string) []byte { return base64.StdEncoding.AppendEncode(nil, []byte(body)) }, Header: map[string][]string{"Content-Transfer-Encoding": {"base64"}}},
}

func multipart(body string) []byte {
	return []byte("--b\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n" + body + "\r\n--b--\r\n")
}

func utf16Of(order binary.AppendByteOrder, mark string) func(string) []byte {
	return func(body string) (b []byte) {
		for _, unit := range utf16.Encode([]rune(mark + body)) {
			b = order.AppendUint16(b, unit)
		}
		return b
	}
}

func utf32Of(order binary.AppendByteOrder) func(string) []byte {
	return func(body string) (b []byte) {
		for _, c := range body {
			b = order.AppendUint32(b, uint32(c))
		}
		return b
	}
}

func gzipped(body string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body)) // to memory, which does not fail
	_ = w.Close()
	return b.Bytes()
}

func zlibbed(body string) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	return b.Bytes()
}

func deflated(body string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is one there is
	}
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	return b.Bytes()
}
