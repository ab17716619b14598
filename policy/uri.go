package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Why a URI is denied whatever the rules say: it is written in a way that another reader could take for another resource.
// These sentences appear in [Decision.Rule].
const (
	uriSpace     = "the URI contains a space or control character"
	uriBackslash = "the URI contains a backslash"
	uriScheme    = "the URI's scheme has capital letters"
	uriUser      = "the URI contains user info"
	uriHost      = "the URI's host or port is missing or not in its plain form"
	uriFile      = "the file URI has a relative path, the host localhost or a vertical bar"
	uriDots      = "the URI has a dot segment"
	uriEscape    = "the URI has a malformed percent-encoding"
	uriEncoded   = "the URI encodes a slash, dot, backslash, percent or control character"
)

// uriTrap returns why a URI (or URI template, or a pattern of either) must match nothing, or "". Besides dot
// segments, backslashes, user info, capitals in the scheme, and encoded slashes, dots and backslashes it refuses their near
// relatives: what RFC 3986 §6.2.2, a WHATWG URL parser or a lax server would normalise into one of them.
func uriTrap(uri string) string {
	start := 0 // of the segment
	for i := range len(uri) {
		switch c := uri[i]; {
		case c <= ' ' || c == 0x7f:
			return uriSpace
		case c == '\\':
			return uriBackslash
		case c == '/', c == '?', c == '#', c == ':', c == ';', c == '%':
			// A server may cut off parameters before it resolves the path (`/..;x/`).
			if dots(uri[start:i]) {
				return uriDots
			}
			start = i + 1
		}
	}
	if dots(uri[start:]) {
		return uriDots
	}
	scheme, rest := "", uri
	if end := strings.IndexAny(uri, ":/?#"); end >= 0 && uri[end] == ':' {
		scheme, rest = uri[:end], uri[end+1:]
	}
	if hasCapital(scheme) {
		return uriScheme
	}
	if reason := authorityTrap(scheme, rest); reason != "" {
		return reason
	}
	return escapeTrap(uri)
}

func dots(segment string) bool { return segment == "." || segment == ".." }

func hasCapital(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) >= 0
}

// escapeTrap checks the percent-encodings (RFC 3986 §2.1). An encoded percent sign is refused where it may begin another
// encoding, however that one's digits are written: whoever decodes twice would see it. What is encoded must be UTF-8: %C0%AE
// is a dot to a lax decoder.
func escapeTrap(uri string) string {
	for i := 0; i < len(uri); i++ {
		if uri[i] != '%' {
			continue
		}
		var runes [utf8.UTFMax]byte
		n := 0
		for n < len(runes) {
			c, ok := unhex(uri[i+3*n:])
			if !ok {
				break
			}
			runes[n] = c
			n++
		}
		r, size := utf8.DecodeRune(runes[:n])
		switch {
		case r == utf8.RuneError && size <= 1:
			return uriEscape
		case r == '/', r == '.', r == '\\', r < ' ', r == 0x7f:
			return uriEncoded
		case r == '%':
			if next := i + 3; next < len(uri) && (uri[next] == '%' || isHex(uri[next])) {
				return uriEncoded
			}
		}
		i += 3*size - 1
	}
	return ""
}

// plainURI returns the form in which deny rules compare URIs in addition to the written one: percent-decoded, runs of
// slashes made one (a path like //etc names the same file as /etc), with the path / where a host has none, and without the
// fragment. Together with plainGlobs it sees to it that no other spelling of a denied URI slips past. It allocates only if
// the form differs.
func plainURI(uri string) string {
	uri, _, _ = strings.Cut(uri, "#")
	uri = withRoot(uri)
	if strings.IndexByte(uri, '%') < 0 && !hasSlashRun(uri) {
		return uri
	}
	return plainText(uri)
}

// plainText does plainURI's work on a URI without fragment or on a literal of a pattern.
func plainText(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	var run slashRun
	for i := 0; i < len(s); i++ {
		c := s[i]
		if run.extra(c) {
			continue
		}
		if decoded, ok := unhex(s[i:]); ok {
			c, i = decoded, i+2
		}
		b.WriteByte(c)
	}
	return b.String()
}

// plainGlobs is plainURI for a pattern. How many slashes follow the scheme's colon makes no difference: there is a glob for
// one, two and three, so that URIs need not be rewritten for it. A pattern keeps its fragment: it means less than the whole
// resource.
func plainGlobs(k Kind, pattern string) []glob {
	g := parseGlob(k, withRoot(pattern))
	plain := make(glob, len(g))
	for i, piece := range g {
		for _, lit := range piece {
			plain[i] = append(plain[i], plainText(lit))
		}
	}
	scheme, rest, ok := strings.Cut(plain[0][0], ":/")
	if !ok {
		return []glob{plain}
	}
	var globs []glob
	for _, slashes := range []string{":/", "://", ":///"} {
		g := slices.Clone(plain)
		g[0] = slices.Clone(plain[0])
		g[0][0] = scheme + slashes + strings.TrimLeft(rest, "/")
		globs = append(globs, g)
	}
	return globs
}

func hasSlashRun(s string) bool {
	var run slashRun
	for i := range len(s) {
		if run.extra(s[i]) {
			return true
		}
	}
	return false
}

// slashRun finds the slashes that a run of them has too many: more than one, or more than three after a colon, where two
// introduce the authority, which may be empty.
type slashRun struct{ allowed, slashes int }

// extra takes the next byte and reports whether it is such a slash.
func (r *slashRun) extra(c byte) bool {
	switch {
	case c == '/':
		r.slashes++
		return r.slashes > max(r.allowed, 1)
	case c == ':':
		*r = slashRun{allowed: 3}
	default:
		*r = slashRun{}
	}
	return false
}

// unhex decodes the percent-encoding that s begins with, if it does.
func unhex(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' || !isHex(s[1]) || !isHex(s[2]) {
		return 0, false
	}
	return hexValue(s[1])<<4 | hexValue(s[2]), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// hexValue is the value of a hex digit.
func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
