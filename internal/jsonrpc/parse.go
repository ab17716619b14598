package jsonrpc

// Limits bounds what Parse accepts. A zero field means its default.
type Limits struct {
	Depth   int // nesting of objects and arrays, the message itself included
	Batch   int // messages in a batch
	Members int // members of all objects and elements of all arrays in a message
}

// The defaults of Limits.
const (
	DefaultDepth   = 64
	DefaultBatch   = 64
	DefaultMembers = 100_000
)

// Parse reads exactly one message from body, in the direction client to server.
// The error is always an *Error.
func Parse(body []byte, lim Limits) (*Message, error) {
	return nil, &Error{Code: CodeParse, Reason: "not implemented"}
}

// IsBatch reports whether body begins as a JSON array does.
func IsBatch(body []byte) bool {
	for _, c := range body {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c == '['
	}
	return false
}

// ParseBatch reads a batch, which only revision 2025-03-26 knows. It refuses an
// empty one, one in another, and more than lim.Batch messages.
func ParseBatch(body []byte, lim Limits) ([]*Message, error) {
	return nil, &Error{Code: CodeParse, Reason: "not implemented"}
}
