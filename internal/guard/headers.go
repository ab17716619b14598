package guard

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Header names, in the form net/http keeps them in.
const (
	headerContentType = "Content-Type"
	headerEncoding    = "Content-Encoding"
	headerVersion     = "Mcp-Protocol-Version"
	headerMethod      = "Mcp-Method"
	headerName        = "Mcp-Name"
	headerSession     = "Mcp-Session-Id"
	headerLastEvent   = "Last-Event-Id"
)

const (
	typeJSON   = "application/json"
	typeStream = "text/event-stream"
)

// field is a header field that may be there once.
type field struct {
	value string
	set   bool
}

// claims are what the headers of a request say about the message in its body
// (Streamable HTTP, revision 2026-07-28, "Request Metadata", and sessions of
// earlier revisions).
type claims struct {
	version, method, name, session, lastEvent field
}

// readClaims reads the headers. It returns the reason if one is there twice or is
// malformed: of two values the guard would judge one and the server use the other.
func readClaims(h http.Header) (c claims, reason string) {
	for _, one := range [...]struct {
		key string
		to  *field
	}{
		{headerVersion, &c.version},
		{headerMethod, &c.method},
		{headerName, &c.name},
		{headerSession, &c.session},
		{headerLastEvent, &c.lastEvent},
	} {
		values := h[one.key]
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1:
			return claims{}, one.key + " is there more than once"
		}
		v := trim(values[0])
		if !visible(v) {
			// The Go SDK sends names beyond ASCII as they are, and reads them so alone.
			if one.key != headerName || !utf8.ValidString(v) || hasControl([]byte(v)) {
				return claims{}, one.key + " has characters that a header value may not have"
			}
		}
		*one.to = field{v, true}
	}
	if c.name.set {
		name, ok := decodeName(c.name.value)
		if !ok {
			return claims{}, headerName + " is not well-formed Base64"
		}
		c.name.value = name
	}
	return c, ""
}

// trim takes off the white space that is no part of a field's value (RFC 9110 §5.5).
func trim(v string) string {
	if v == "" || v[0] > ' ' && v[len(v)-1] > ' ' {
		return v
	}
	return strings.Trim(v, " \t")
}

// visible reports whether v is printable ASCII with spaces and tabs: what revision 2026-07-28 lets stand in a header without Base64.
func visible(v string) bool {
	for i := range len(v) {
		if c := v[i]; (c < ' ' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// encodeName is the reverse of decodeName.
func encodeName(v string) string {
	if plain, ok := decodeName(v); ok && plain == v && visible(v) && trim(v) == v {
		return v
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(v)) + "?="
}

// decodeName decodes =?base64?…?= (revision 2026-07-28, "Value Encoding"). The
// markers count in exactly this case; any other value stands for itself.
func decodeName(v string) (string, bool) {
	const prefix, suffix = "=?base64?", "?="
	if !strings.HasPrefix(v, prefix) || !strings.HasSuffix(v, suffix) {
		return v, true
	}
	if len(v) < len(prefix)+len(suffix) {
		return "", false // the markers share their question mark
	}
	v = v[len(prefix) : len(v)-len(suffix)]
	b, err := base64.StdEncoding.Strict().DecodeString(v)
	return string(b), err == nil && utf8.Valid(b) && !strings.ContainsAny(v, "\r\n") // which the decoder skips
}

// isJSON reports whether the values of a Content-Type header are the one media
// type application/json, in any case and with any white space that RFC 9110 §8.3.1
// allows. The only parameter it may have is charset=utf-8.
func isJSON(values []string) bool {
	return len(values) == 1 && (values[0] == typeJSON || isMedia(values[0], typeJSON))
}

// isStream is isJSON for text/event-stream.
func isStream(values []string) bool {
	return len(values) == 1 && (values[0] == typeStream || isMedia(values[0], typeStream))
}

func isMedia(value, want string) bool {
	media, params, _ := strings.Cut(value, ";")
	if !equalFold(trim(media), want) {
		return false
	}
	charset := false
	for param := range strings.SplitSeq(params, ";") {
		switch param = trim(param); {
		case param == "":
		case !charset && (equalFold(param, "charset=utf-8") || equalFold(param, `charset="utf-8"`)):
			charset = true
		default:
			return false
		}
	}
	return true
}

// isIdentity reports whether the values of a Content-Encoding header name no
// coding.
func isIdentity(values []string) bool {
	for _, v := range values {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = trim(coding); coding != "" && !equalFold(coding, "identity") {
				return false
			}
		}
	}
	return true
}

// equalFold compares in ASCII alone: strings.EqualFold takes ſ for s and the Kelvin
// sign for k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
