package approval

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
)

// Call is a use of something by an agent.
type Call struct {
	Grant      string `json:"grant"`
	Client     string `json:"client"`
	ClientName string `json:"client_name,omitempty"`
	Server     string `json:"server"` // in the policy
	Kind       string `json:"kind"`   // what Name names, such as "tool"
	Name       string `json:"name"`
	Args       []byte `json:"args,omitempty"` // a JSON object in strict form; nil is {}
	Person     Person `json:"person"`         // who can approve it

	RequestID string `json:"-"` // of the gateway's, for audit records
}

// Person is somebody who is asked, or who answers.
type Person struct {
	ID    string   `json:"id"` // of the person at their provider, unique over all
	Email string   `json:"email,omitempty"`
	Org   string   `json:"org,omitempty"`
	Roles []string `json:"roles,omitempty"`
}

// ErrArguments says that the arguments of a call are not a JSON object that can be compared.
var ErrArguments = errors.New("approval: the arguments can't be compared")

// ErrTooLong says that the arguments of a call are longer than what a person is shown, so that nobody can approve it.
var ErrTooLong = errors.New("approval: the arguments are too long to be shown")

// Bounds of arguments.
const (
	maxDepth = 128      // as deep as a message may be
	maxShown = 64 << 10 // bytes that a person is shown
)

// ID names the call in the store and in addresses. It is a digest of all that is approved: calls of equal ids are the same,
// whatever the spelling of their arguments. It is no secret. The error is ErrArguments.
func (c *Call) ID() (string, error) {
	args, err := canonical(c.Args)
	if err != nil {
		return "", err
	}
	return digest(c.Grant, c.Client, c.Person.ID, c.Server, c.Kind, c.Name, string(args)), nil
}

// digest names something by its parts: other parts never make the same.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write(append(strconv.AppendInt(nil, int64(len(part)), 10), ':'))
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// canonical writes arguments in the one way that all spellings of them have: without white space, with members in order and
// strings in their shortest form. Numbers stay as they are written: RFC 8785 would make those equal that a server can tell
// apart, such as 9007199254740993 and 9007199254740992.
func canonical(args []byte) ([]byte, error) {
	if args == nil {
		return []byte("{}"), nil
	}
	dec := jsontext.NewDecoder(bytes.NewReader(args))
	out, err := appendCanonical(make([]byte, 0, len(args)), dec, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArguments, err)
	}
	if out[0] != '{' || len(bytes.TrimSpace(args[dec.InputOffset():])) > 0 {
		return nil, ErrArguments
	}
	return out, nil
}

// appendCanonical appends the next value.
func appendCanonical(out []byte, dec *jsontext.Decoder, depth int) ([]byte, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errors.New("too deep")
	}
	switch token.Kind() {
	case '{':
		return appendObject(out, dec, depth)
	case '[':
		out = append(out, '[')
		for first := true; dec.PeekKind() != ']'; first = false {
			if !first {
				out = append(out, ',')
			}
			if out, err = appendCanonical(out, dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = dec.ReadToken()
		return append(out, ']'), err
	case '"':
		return jsontext.AppendQuote(out, token.String())
	}
	return append(out, token.String()...), nil // of a number, as it is written
}

// appendObject appends an object whose brace was read.
func appendObject(out []byte, dec *jsontext.Decoder, depth int) ([]byte, error) {
	type member struct {
		name  string
		value []byte
	}
	var members []member
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		if m.value, err = appendCanonical(nil, dec, depth+1); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	out = append(out, '{')
	var err error
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = jsontext.AppendQuote(out, m.name); err != nil {
			return nil, err
		}
		out = append(append(out, ':'), m.value...)
	}
	return append(out, '}'), nil
}

// shown writes arguments so that a person can read all of them. What can't be seen, or changes how the rest is seen, such as
// characters that turn the direction of writing, is written as an escape. The errors are ErrArguments and ErrTooLong.
func shown(args []byte) (string, error) {
	if args == nil {
		return "{}", nil
	}
	dense, err := canonical(args)
	if err != nil {
		return "", err
	}
	if len(dense) > maxShown { // before deep ones are indented, which makes them many times as long
		return "", ErrTooLong
	}
	value := jsontext.Value(bytes.Clone(args))
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		return "", fmt.Errorf("%w: %w", ErrArguments, err)
	}
	var b strings.Builder
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRune(value[i:])
		switch {
		case r == '\n' || unicode.IsPrint(r) && r != utf8.RuneError && !catalog.IsConcealed(r):
			b.Write(value[i : i+size])
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		if b.Len() > maxShown {
			return "", ErrTooLong
		}
		i += size
	}
	return b.String(), nil
}
