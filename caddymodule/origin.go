package caddymodule

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// origin is scheme, host and port of a URL, as RFC 6454 has it: all in lower case, and the scheme's own port left out.
type origin struct {
	scheme, host, port string
}

// parseOrigin reads an origin that someone wrote as a URL without a path.
func parseOrigin(text string) (origin, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return origin{}, fmt.Errorf("%q is not a URL such as https://mcp.example.com", text)
	case u.Scheme != "https" && u.Scheme != "http":
		return origin{}, fmt.Errorf("%q must begin with https://", text)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#"):
		return origin{}, fmt.Errorf("%q must be scheme, host and port alone", text)
	case !isPort(u.Port()):
		return origin{}, fmt.Errorf("%q has no port that there is; a port is 1 to 65535", text)
	case u.Path == "/":
		return origin{}, fmt.Errorf("write %q without the slash at the end: clients compare it as text", strings.TrimSuffix(text, "/"))
	case u.Path != "":
		return origin{}, fmt.Errorf("%q must have no path", text)
	}
	o := newOrigin(u.Scheme, u.Hostname(), u.Port())
	if o.String() != text {
		return origin{}, fmt.Errorf("write %q as %q: clients compare it as text", text, o)
	}
	return o, nil
}

// isPort reports whether a port can be connected to. It may be left out.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n != 0
}

// newOrigin puts an origin into its one form.
func newOrigin(scheme, host, port string) origin {
	if port == defaultPort(scheme) {
		port = ""
	}
	return origin{scheme: scheme, host: strings.ToLower(host), port: port}
}

// defaultPort is the port that a URL of this scheme means when it names none.
func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// String returns the origin as a URL without a path.
func (o origin) String() string { return o.scheme + "://" + o.authority() }

// authority returns what an HTTP client sends as Host.
func (o origin) authority() string {
	switch {
	case o.port != "":
		return net.JoinHostPort(o.host, o.port)
	case strings.Contains(o.host, ":"):
		return "[" + o.host + "]"
	}
	return o.host
}

// loopback reports whether the origin can only be reached from the machine itself.
func (o origin) loopback() bool { return isLoopback(o.host) }

// secure reports whether tokens may travel there: over TLS, or without leaving the machine (RFC 8252 section 8.3).
func (o origin) secure() bool { return o.scheme == "https" || o.loopback() }

// isLoopback reports whether a host name or an IP address means the machine itself (RFC 6761 section 6.3).
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
