package jsonrpc

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxID is the longest raw id accepted, in bytes.
const MaxID = 256

// maxSafeInteger is the largest integer that a reader with only binary64 numbers
// tells from its neighbours (RFC 7493 §2.2).
const maxSafeInteger int64 = 1<<53 - 1

// ValidID reports whether raw, one valid JSON value, is an id that Parse accepts:
// a string without control characters, or an integer that every reader reads
// alike. Fractions, exponents, -0 and integers beyond ±(2^53-1) are not; nor is
// null, which JSON-RPC 2.0 §4 discourages and MCP forbids.
func ValidID(raw []byte) bool {
	if len(raw) == 0 || len(raw) > MaxID {
		return false
	}
	if raw[0] == '"' {
		var space [MaxID]byte
		s, err := jsontext.AppendUnquote(space[:0], raw)
		return err == nil && !hasControl(s)
	}
	digits := bytes.TrimPrefix(raw, []byte{'-'})
	if len(digits) == 0 || len(digits) > len("9007199254740991") || digits[0] == '0' && len(raw) > 1 {
		return false
	}
	n := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
		n = 10*n + int64(c-'0')
	}
	return n <= maxSafeInteger
}

// IDKey returns a comparable form of a raw id: two ids have equal keys exactly
// if they are the same string, however escaped, or the same integer. The string
// "1" and the integer 1 differ. ok is false if raw is not an id that Parse
// accepts.
func IDKey(raw []byte) (key string, ok bool) {
	if !ValidID(raw) {
		return "", false
	}
	if raw[0] != '"' {
		return string(raw), true
	}
	s, err := jsontext.AppendUnquote([]byte{'"'}, raw)
	return string(s), err == nil
}

// SameID reports whether two raw ids are valid and the same.
func SameID(a, b []byte) bool {
	x, ok := IDKey(a)
	y, also := IDKey(b)
	return ok && also && x == y
}
