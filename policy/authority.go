package policy

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// authorityTrap looks at what follows the scheme and its colon (RFC 3986 §3.2). Servers hand it to a parser of the WHATWG
// URL Standard, which writes some hosts and ports anew before it compares or uses them: what it would change is refused.
func authorityTrap(scheme, rest string) string {
	authority, ok := strings.CutPrefix(rest, "//")
	if !ok {
		authority = ""
	}
	authority = authority[:authorityEnd(authority)]
	if strings.IndexByte(authority, '@') >= 0 {
		return uriUser
	}
	host, port, hasPort := authority, "", false
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port, hasPort = authority[:colon], authority[colon+1:], true
	}
	switch {
	case scheme == "file" && (!strings.HasPrefix(rest, "/") || host == "localhost" || strings.IndexByte(rest, '|') >= 0):
		return uriFile
	case hasHost(scheme) && host == "",
		(hasHost(scheme) || scheme == "file") && !plainHost(host),
		strings.HasPrefix(host, "[") && !plainIPv6(host),
		hasPort && !plainPort(scheme, port):
		return uriHost
	}
	return ""
}

func authorityEnd(s string) int {
	if end := strings.IndexAny(s, "/?#"); end >= 0 {
		return end
	}
	return len(s)
}

// hasHost reports whether URIs of the scheme always have an authority, which is a host: its case means nothing to those who
// resolve it, and they may take `https:/host` for `https://host`.
func hasHost(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "ftp":
		return true
	}
	return false
}

// plainHost reports whether a host is written in the one way that parsers agree on: in small ASCII letters, nothing of it
// encoded, an IPv4 address as four decimal numbers, and a name without the dot of the root.
func plainHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; c >= utf8.RuneSelf || c == '%' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	if strings.ContainsAny(host, "*{") {
		return true // a wildcard or a variable; to a parser it is no address
	}
	label := host[strings.LastIndexByte(host, '.')+1:]
	if label == "" {
		return host == ""
	}
	return !numeric(label) || plainIP(host)
}

// numeric reports whether a host that ends in the label is an IPv4 address or else invalid (WHATWG URL Standard, "ends in a
// number").
func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return digits(label)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// plainIPv6 reports whether a host in brackets is an IPv6 address in the form of RFC 5952. One that stands for an IPv4
// address is another spelling of that.
func plainIPv6(host string) bool {
	return strings.ContainsAny(host, "*{") || strings.HasSuffix(host, "]") && plainIP(host[1:len(host)-1])
}

func plainIP(text string) bool {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Is4In6() || address.Zone() != "" {
		return false
	}
	var buf [64]byte
	return string(address.AppendTo(buf[:0])) == text
}

// plainPort reports whether a port is one that has to be written, and is written without more zeros than it needs.
func plainPort(scheme, port string) bool {
	if port == "" || len(port) > 1 && port[0] == '0' && digits(port) {
		return false
	}
	switch scheme {
	case "http", "ws":
		return port != "80"
	case "https", "wss":
		return port != "443"
	case "ftp":
		return port != "21"
	}
	return true
}

// withRoot adds the path / that a URI of a host has where it is left out: `https://host?x` is `https://host/?x`. A pattern
// whose ** may stand for host and path is left as it is.
func withRoot(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	if !hasHost(scheme) {
		return uri
	}
	end := authorityEnd(rest)
	if strings.HasPrefix(rest[end:], "/") || strings.Contains(rest[:end], "**") {
		return uri
	}
	at := len(uri) - len(rest) + end
	return uri[:at] + "/" + uri[at:]
}
