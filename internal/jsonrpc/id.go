package jsonrpc

// MaxID is the longest raw id accepted, in bytes.
const MaxID = 512

// IDKey returns a comparable form of a raw id: two ids have equal keys exactly
// if they are the same string, however escaped, or the same integer. ok is
// false if raw is not an id that Parse accepts.
func IDKey(raw []byte) (key string, ok bool) { return "", false }

// SameID reports whether two raw ids are valid and the same.
func SameID(a, b []byte) bool {
	x, ok := IDKey(a)
	y, also := IDKey(b)
	return ok && also && x == y
}
