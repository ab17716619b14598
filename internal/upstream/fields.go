package upstream

import "strings"

// verdict says what becomes of a field. The zero verdict is that nothing is known about it.
type verdict uint8

const (
	off      verdict = iota + 1 // it is taken off
	on                          // it passes, unless Connection nominates it
	protocol                    // it passes: MCP over HTTP is made of it
)

// fields are those about which something is known by their whole name.
var fields = map[string]verdict{
	// Of MCP in all its revisions, and of what it takes from HTTP.
	"Accept":               protocol,
	"Content-Type":         protocol,
	"Content-Length":       protocol,
	"Last-Event-Id":        protocol,
	"Mcp-Method":           protocol,
	"Mcp-Name":             protocol,
	"Mcp-Protocol-Version": protocol,
	"Mcp-Session-Id":       protocol,

	// Software and languages, not people.
	"User-Agent":      on,
	"Accept-Language": on,
	// W3C Trace Context: ids of a trace, which carry no rights.
	"Traceparent": on,
	"Tracestate":  on,
	// W3C Baggage: whatever someone has attached to a trace, often who the user is.
	"Baggage": off,

	// The rules below would find these as well, but they are in many requests.
	"Authorization":  off,
	"Cookie":         off,
	"Sec-Fetch-Mode": off,

	// Of one connection (RFC 9110 §7.6.1, RFC 9113 §8.2.2), or of the way to here.
	"Connection":        off,
	"Keep-Alive":        off,
	"Te":                off,
	"Trailer":           off,
	"Transfer-Encoding": off,
	"Upgrade":           off,
	"Http2-Settings":    off,
	"Alt-Svc":           off,
	"Alt-Used":          off,
	"Via":               off,
	"Early-Data":        off,
	"Incremental":       off, // changes how the proxy treats the body
	"Expect":            off, // the body is here already

	// A browser's, about the page it shows or about the gateway's origin.
	"Origin":  off,
	"Referer": off,

	// From is an address of the person (RFC 9110 §10.1.2). A proof of possession (RFC 9449) is for the token
	// and the URL of the gateway.
	"From": off,
	"Dpop": off,

	// With these the answer would be a part, or none, and could not be inspected (RFC 9110 §13, §14).
	"Range":               off,
	"If-Range":            off,
	"If-Match":            off,
	"If-None-Match":       off,
	"If-Modified-Since":   off,
	"If-Unmodified-Since": off,

	// The body is in no coding, and the gateway may have changed it, so that a digest over it is wrong (RFC
	// 9530).
	"Accept-Encoding":  off,
	"Content-Encoding": off,
	"Content-Md5":      off,
	"Content-Digest":   off,
	"Repr-Digest":      off,
	"Digest":           off,
}

// beginnings, fragments and words are of the names of fields, in lower case, that tell who someone is, prove
// it, or make a request another one. There are too many to name each: every login proxy, CDN and framework
// has its own. A field that is taken off for nothing can be set with header_up; one that is let through can
// make its sender anyone.
var beginnings = []string{
	"sec-",         // a browser's word on its relation to us
	"proxy-",       // for a proxy, not for what is behind it
	"x-envoy-",     // a mesh's instructions to itself
	"x-appengine-", // taken for the platform's own
}

var fragments = []string{
	// Credentials.
	"auth", "cookie", "token", "jwt", "bearer", "assertion", "credential", "secret", "passw", "passphrase",
	"apikey", "accesskey", "signature", "session",
	// Who.
	"user", "email", "login", "identity", "principal", "impersonat", "account", "tenant", "organi", "group",
	"permission", "entitlement", "privilege", "oidc", "saml", "consumer", "employee", "person", "customer",
	// How they came.
	"forward", "remote", "cert", "clientip", "realip", "connecting",
	// Another request than was judged.
	"override", "rewrite", "original", "middleware", "internal",
}

var words = set(
	// Credentials.
	"key", "keys", "sso", "sid", "csrf", "xsrf", "otp", "pin", "nonce",
	// Who.
	"uid", "sub", "subject", "name", "mail", "role", "roles", "org", "orgs", "team", "teams", "scope",
	"scopes", "claim", "claims", "acl", "rights", "admin", "sudo", "act", "actor", "trust", "trusted", "verified",
	// How they came.
	"ip", "ips", "addr", "address", "ssl", "tls", "mtls", "dn",
	// Another request than was judged, or another server than was meant.
	"host", "method", "path", "uri", "url", "script", "prefix", "subrequest", "accel", "sendfile",
)

func set(of ...string) map[string]bool {
	m := make(map[string]bool, len(of))
	for _, one := range of {
		m[one] = true
	}
	return m
}

// tells says whether a name in lower case is of a field that tells who someone is, proves it, or makes a
// request another one.
func tells(name string) bool {
	for _, beginning := range beginnings {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	for _, fragment := range fragments {
		if strings.Contains(name, fragment) {
			return true
		}
	}
	for word := range strings.SplitSeq(name, "-") {
		if words[word] {
			return true
		}
	}
	return false
}
