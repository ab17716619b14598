package oauth

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxRedirectURI bounds a redirect URI, in bytes.
const maxRedirectURI = 1024

// redirectKind says where the answer of an authorization request goes.
type redirectKind uint8

const (
	// redirectWeb is https: TLS proves the host, so a person who trusted it once may be spared the question.
	redirectWeb redirectKind = iota
	// redirectLoopback is a program on the person's own computer, and any program there can claim to be it.
	redirectLoopback
	// redirectCustom is whatever app has claimed the scheme.
	redirectCustom
)

// Errors of redirect URIs. They are told to the client that registers.
var (
	errRedirectSyntax   = errors.New("a redirect URI has to be absolute, of printable characters, without fragment and user info, and not too long")
	errRedirectHTTP     = errors.New("a redirect URI with http has to name localhost, 127.0.0.1 or [::1]")
	errRedirectScheme   = errors.New("a redirect URI can't have this scheme")
	errRedirectQuery    = errors.New("a redirect URI can't have a parameter that the answer brings, such as code or state")
	errRedirectMismatch = errors.New("the redirect URI is not one that the client has registered")
)

// refusedSchemes are those by which a browser, or the system behind it, would run, read, send or install something, or open a
// connection. RFC 8252 section 7.1 would have a scheme be a domain turned around, with a dot in it; too many clients have one
// without (cursor, vscode), so it is the schemes known to belong to somebody else that are refused.
var refusedSchemes = []string{
	// Of browsers.
	"about", "blob", "brave", "chrome", "content", "data", "devtools", "edge", "file", "filesystem", "intent", "jar", "javascript", "livescript",
	"mhtml", "mocha", "moz-extension", "opera", "resource", "safari-web-extension", "vbscript", "view-source", "vivaldi", "ws", "wss", "wyciwyg",
	// Of files and programs elsewhere.
	"afp", "cifs", "dav", "davs", "dict", "ftp", "ftps", "git", "gopher", "imap", "irc", "ircs", "ldap", "ldaps", "magnet", "news", "nfs", "nntp", "rdp",
	"rlogin", "rsync", "scp", "sftp", "smb", "ssh", "svn", "telnet", "tn3270", "vnc", "webcal", "webdav",
	// Of messages and calls.
	"callto", "facetime", "facetime-audio", "mailto", "mms", "sip", "sips", "sms", "smsto", "tel",
	// Of operating systems and their shops.
	"android-app", "help", "market", "package", "search", "search-ms", "shell", "x-man-page",
}

// refusedPrefixes begin families of such schemes.
var refusedPrefixes = []string{"chrome-", "itms", "microsoft-edge", "ms-", "x-apple"}

// answerParams are the parameters of an answer (OAuth 2.1 section 4.1.2, RFC 9207 section 2). In a redirect URI of somebody's
// choice they would come first, and many clients take the first.
var answerParams = []string{"code", "error", "error_description", "error_uri", "iss", "state"}

// redirect is a redirect URI that has passed parseRedirect.
type redirect struct {
	raw  string
	kind redirectKind
	url  *url.URL
}

// CheckRedirectURI says why an address can't be a redirect URI of a client.
func CheckRedirectURI(raw string) error {
	_, err := parseRedirect(raw)
	return err
}

// parseRedirect checks a redirect URI by itself (RFC 6749 section 3.1.2, RFC 8252 section 7, RFC 9700 section 4.1).
func parseRedirect(raw string) (redirect, error) {
	if raw == "" || len(raw) > maxRedirectURI || !printable(raw) || strings.ContainsAny(raw, " #\\\"<>^`{|}") {
		return redirect{}, errRedirectSyntax
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.User != nil || strings.ContainsAny(u.Host, "@%") {
		return redirect{}, errRedirectSyntax
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return redirect{}, errRedirectSyntax
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return redirect{}, errRedirectSyntax
	}
	if slices.ContainsFunc(answerParams, query.Has) {
		return redirect{}, errRedirectQuery
	}
	r := redirect{raw: raw, url: u}
	switch u.Scheme {
	case "https", "http":
		if u.Opaque != "" || u.Hostname() == "" {
			return redirect{}, errRedirectSyntax
		}
		if isLoopback(u.Hostname()) {
			r.kind = redirectLoopback
		} else if u.Scheme == "http" {
			return redirect{}, errRedirectHTTP
		}
	default:
		// scheme:/path (RFC 8252 section 7.1) or scheme://host/path; scheme:text is how the dangerous ones look.
		if u.Opaque != "" || refusedScheme(u.Scheme) {
			return redirect{}, errRedirectScheme
		}
		r.kind = redirectCustom
	}
	return r, nil
}

// refusedScheme reports whether a scheme is known to be no client's.
func refusedScheme(scheme string) bool {
	return slices.Contains(refusedSchemes, scheme) ||
		slices.ContainsFunc(refusedPrefixes, func(prefix string) bool { return strings.HasPrefix(scheme, prefix) })
}

// isLoopback reports whether host means this very computer, whoever reads it.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// matchRedirect finds raw among the registered URIs: byte for byte (RFC 9700 section 2.1), except that the port of an http
// URI on a loopback host is free (RFC 8252 section 7.3), since programs take whichever port they get.
func matchRedirect(registered []string, raw string) (redirect, error) {
	got, err := parseRedirect(raw)
	if err != nil {
		return redirect{}, err
	}
	if slices.Contains(registered, raw) {
		return got, nil
	}
	if got.kind == redirectLoopback && got.url.Scheme == "http" {
		for _, uri := range registered {
			if want, err := parseRedirect(uri); err == nil && want.portless() == got.portless() {
				return got, nil
			}
		}
	}
	return redirect{}, errRedirectMismatch
}

// portless is the URI without its port, and with the path that an empty one stands for.
func (r redirect) portless() string {
	path := r.url.EscapedPath()
	if path == "" {
		path = "/"
	}
	query := r.url.RawQuery
	if query != "" || r.url.ForceQuery {
		query = "?" + query
	}
	return r.url.Scheme + "://" + r.url.Hostname() + path + query
}

// host is what a person is shown: host and port, or the scheme of an app.
func (r redirect) host() string {
	if r.kind == redirectCustom {
		return r.url.Scheme
	}
	return r.url.Host
}

// formTargets are the sources that the form-action of a page must allow for the answer of its form to arrive: Chrome holds
// the whole chain of redirects after a post against it, and callbacks of real clients redirect on, to a page that says that
// all went well. So any https is allowed, and the one place that the answer goes to.
func (r redirect) formTargets() []string {
	switch {
	case r.kind == redirectCustom:
		return []string{"https:", r.url.Scheme + ":"}
	case r.url.Scheme == "http" && strings.HasPrefix(r.url.Host, "["):
		return []string{"https:", "http:"} // CSP has no way to write an IPv6 address
	case r.url.Scheme == "http":
		return []string{"https:", "http://" + r.url.Host}
	default:
		return []string{"https:"}
	}
}

// with returns the URI with parameters added to its query, the rest of it as it was registered.
func (r redirect) with(query url.Values) string {
	sep := "?"
	if r.url.RawQuery != "" {
		sep = "&"
	} else if r.url.ForceQuery {
		sep = ""
	}
	return r.raw + sep + query.Encode()
}
