package upstream

import (
	"net/http"
	"net/textproto"
	"strings"
)

// Clean takes off a request's header what must never reach an MCP server, and asks for an answer in no
// content coding, since one in any other can't be inspected. What the gateway itself presents is set
// afterwards.
//
// What goes, and why:
//   - What the agent proves itself with: its token was issued for the gateway, and whoever gets it can act
//     as the agent (the MCP specification forbids token passthrough).
//   - What tells who someone is or where they come from (RFC 7239 and its many forerunners, the headers of
//     login proxies and of mutual TLS): servers behind a proxy believe such headers, and here nobody but the
//     agent has vouched for them.
//   - What makes a server take the request for another one than was judged: other paths, hosts and methods,
//     parts of the answer, conditions.
//   - What concerns the connection to the gateway alone (RFC 9110 §7.6.1).
//
// What passes are the fields that the protocol is made of, W3C trace context, User-Agent, and every field
// that is none of the above: some servers have settings in fields of their own.
func Clean(h http.Header) {
	// Connection nominates fields of one hop. They are taken off before it is, but for those that the
	// protocol or the gateway's own credentials need: a reverse proxy that came to read it could be made to
	// drop them after they were judged or set.
	for _, options := range h["Connection"] {
		for option := range strings.SplitSeq(options, ",") {
			if name := textproto.CanonicalMIMEHeaderKey(textproto.TrimString(option)); !isProtocol(name) {
				delete(h, name)
			}
		}
	}
	for name := range h {
		if !passes(name) {
			delete(h, name)
		}
	}
	h["Accept-Encoding"] = []string{"identity"}
}

// passes says whether a field may reach an MCP server.
func passes(name string) bool {
	if v := fields[name]; v != 0 {
		return v != off
	}
	if isParam(name) {
		return true
	}
	// A name that is not canonical did not come through net/http. One with other characters than these reads
	// as another one to servers that make variables of fields, as in CGI (RFC 3875 §4.1.18), where X_User is
	// X-User; web servers drop such names by default for that reason.
	if name != textproto.CanonicalMIMEHeaderKey(name) || strings.ContainsFunc(name, func(r rune) bool { return !isPlain(r) }) {
		return false
	}
	return !tells(strings.ToLower(name))
}

// paramPrefix begins the fields that mirror a tool's arguments. Intermediaries that don't know one must
// forward it (MCP 2026-07-28, Streamable HTTP, "Server Behavior for Custom Headers"), and what follows may be
// any token (RFC 9110 §5.6.2).
const paramPrefix = "Mcp-Param-"

// isProtocol says whether a field is one that MCP over HTTP is made of.
func isProtocol(name string) bool { return fields[name] == protocol || isParam(name) }

func isParam(name string) bool {
	return len(name) > len(paramPrefix) && strings.HasPrefix(name, paramPrefix) && isToken(name)
}

// isPlain says whether r reads the same to every server.
func isPlain(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-'
}

// isToken says whether s is a token (RFC 9110 §5.6.2), as names of fields are.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !isPlain(r) && !strings.ContainsRune("!#$%&'*+.^_`|~", r) })
}
