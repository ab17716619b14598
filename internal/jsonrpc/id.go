package jsonrpc

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxID is the longest raw id accepted, in bytes.
const MaxID = 256

// maxSafeInteger is the largest integer that a reader with only binary64 numbers
// tells from its neighbours (RFC 7493 §2.2).
const maxSafeInteger = 1<<53 - 1

// ValidID reports whether raw, one valid JSON value, is an id that Parse accepts:
// a string without control characters, or an integer that every reader reads
// alike. Fractions, exponents, -0 and integers beyond ±(2^53-1) are not; nor is
// null, which JSON-RPC 2.0 §4 discourages and MCP forbids.
func ValidID(raw []byte) bool {
	if len(raw) == 0 || len(raw) > MaxID {
		return false
	}
	if raw[0] == '"' {
		s, err := jsontext.AppendUnquote(make([]byte, 0, MaxID), raw)
		return err == nil && !hasControl(s)
	}
	_, ok := integer(raw)
	return ok
}

// integer reads a JSON integer in the one spelling that Parse accepts.
func integer(raw []byte) (int64, bool) {
	if len(raw) > len("-9007199254740991") || bytes.ContainsAny(raw, ".eE+") || string(raw) == "-0" {
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n > maxSafeInteger || n < -maxSafeInteger {
		return 0, false
	}
	if digits := bytes.TrimPrefix(raw, []byte("-")); len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	return n, true
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
