package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
)

// maxSecret is the longest value of a header field, in bytes: what common servers take for all of them.
const maxSecret = 8 << 10

// Header is one header field with a secret value.
type Header struct {
	Name  string
	Value Secret
}

// Static is a set of header fields, the same in every request. It is safe for concurrent use.
type Static struct{ fields []static }

// static is one of them. The value is behind a pointer since package fmt, wherever it comes upon an
// unexported field, prints what is in it.
type static struct {
	name  string
	value *Secret
}

// NewStatic returns credentials made of these header fields. The values are resolved already: placeholders in
// them are not looked at. Its errors name the field and never show the value: none at all, a name that is no
// name or not for credentials, one there twice, a value that can't be sent.
func NewStatic(headers ...Header) (*Static, error) {
	if len(headers) == 0 {
		return nil, errors.New("no header field given")
	}
	s := &Static{make([]static, 0, len(headers))}
	for _, header := range headers {
		header.Name = textproto.CanonicalMIMEHeaderKey(header.Name)
		if err := header.check(); err != nil {
			return nil, err
		}
		for _, other := range s.fields {
			if sameField(other.name, header.Name) {
				return nil, fmt.Errorf("header field %s is given twice", header.Name)
			}
		}
		s.fields = append(s.fields, static{header.Name, &header.Value})
	}
	return s, nil
}

// Apply implements Credentials. It takes off what a server could take for one of its fields, and never fails.
func (s *Static) Apply(_ context.Context, h http.Header) error {
	for _, field := range s.fields {
		for name := range h {
			if sameField(name, field.name) {
				delete(h, name)
			}
		}
		h[field.name] = []string{string(*field.value)}
	}
	return nil
}

// Format implements fmt.Formatter: it shows the names of the fields, whatever the verb.
func (s Static) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String implements fmt.Stringer: it shows the names of the fields.
func (s Static) String() string {
	names := make([]string, len(s.fields))
	for i, field := range s.fields {
		names[i] = field.name
	}
	return "static(" + strings.Join(names, ", ") + ")"
}

// check says what is wrong with a field.
func (h Header) check() error {
	switch {
	case !isToken(h.Name):
		return fmt.Errorf("%.100q is not the name of a header field", h.Name)
	case h.Name == "Host":
		return errors.New("header field Host is no credential; use header_up Host")
	case isProtocol(h.Name) || !mayProve(h.Name):
		return fmt.Errorf("header field %s is the protocol's or the proxy's own and no credential", h.Name)
	case h.Value == "":
		return fmt.Errorf("header field %s has no value", h.Name)
	case len(h.Value) > maxSecret:
		return fmt.Errorf("the value of header field %s has %d bytes, at most %d can be sent", h.Name, len(h.Value), maxSecret)
	case strings.ContainsAny(string(h.Value), "\r\n"):
		return fmt.Errorf("the value of header field %s has a line break in it; is there one at the end of the file it comes from?", h.Name)
	case strings.TrimSpace(string(h.Value)) != string(h.Value):
		return fmt.Errorf("the value of header field %s begins or ends with a space", h.Name)
	case strings.ContainsFunc(string(h.Value), func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }):
		return fmt.Errorf("the value of header field %s has a character that can't be sent (RFC 9110 §5.5)", h.Name)
	}
	return nil
}

// mayProve says whether a field may hold credentials: not if a proxy would take it off, or if it says how the
// message is to be read.
func mayProve(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Alt-Svc", "Expect", "Incremental",
		"Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Accept-Encoding", "Content-Encoding", "Range":
		return false
	}
	return !strings.HasPrefix(name, "If-")
}

// sameField says whether a server could take one name for the other: in any case, and with whatever stands
// between letters and digits.
func sameField(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}
