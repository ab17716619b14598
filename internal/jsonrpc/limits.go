package jsonrpc

import "bytes"

// Limits bounds what Parse accepts. A zero field means its default. The size of
// the body is the caller's to bound.
type Limits struct {
	Depth   int // nesting of objects and arrays, the message itself included
	Batch   int // messages in a batch
	Members int // members of all objects and elements of all arrays, taken together
}

// The defaults of Limits.
const (
	DefaultDepth   = 128
	DefaultBatch   = 64
	DefaultMembers = 100_000
)

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = DefaultDepth
	}
	if l.Batch <= 0 {
		l.Batch = DefaultBatch
	}
	if l.Members <= 0 {
		l.Members = DefaultMembers
	}
	return l
}

// Check reports an *Error if the JSON in body nests too deep or has too many
// members, without parsing it. It is made before parsing, so that neither the
// parser's stack nor its sets of names grow with what a stranger sends.
func (l Limits) Check(body []byte) error {
	l = l.withDefaults()
	// Brackets and commas within strings count here too, so this only ever
	// overstates; it is many times faster than telling strings apart.
	opens := bytes.Count(body, []byte{'{'}) + bytes.Count(body, []byte{'['})
	if opens <= l.Depth && opens+bytes.Count(body, []byte{','}) <= l.Members {
		return nil
	}
	depth, members := 0, 0
	for i := 0; i < len(body); i++ {
		c := body[i]
		if !structural[c] {
			continue
		}
		switch c {
		case '"':
			i = stringEnd(body, i)
		case '{', '[':
			depth++
			members++ // the first of them; each comma is one more
			if depth > l.Depth {
				return &Error{Code: CodeParse, Reason: "nested too deep"}
			}
		case ',':
			members++
		default:
			depth--
		}
		if members > l.Members {
			return &Error{Code: CodeInvalidRequest, Reason: "too many members"}
		}
	}
	return nil
}

// structural has the bytes that Check stops at.
var structural = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true, ',': true}

// stringEnd returns the index of the quote that ends the string whose opening
// quote is at i, or len(b) if nothing ends it.
func stringEnd(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++ // ends at the opening quote at the latest
		}
		if escapes%2 == 0 {
			return i
		}
	}
}
