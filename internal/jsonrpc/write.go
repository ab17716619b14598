package jsonrpc

// Edit replaces the bytes from Start to End of a message by With.
type Edit struct {
	Start, End int
	With       []byte
}

// Splice returns a copy of raw with the edits made. Edits must lie within raw,
// and must not overlap; their order doesn't matter. It returns nil for edits that don't fit.
func Splice(raw []byte, edits ...Edit) []byte { return nil }

// Replace makes the Edit that puts s, as a JSON string, in the place of t.
func (t Text) Replace(s string) Edit { return Edit{} }

// AppendString appends s to dst as a JSON string.
func AppendString(dst []byte, s string) []byte { return dst }

// AppendError appends an error response. id nil is written as null; data, raw
// JSON, is left out if nil.
func AppendError(dst, id []byte, code int, message string, data []byte) []byte { return dst }

// AppendResult appends a result response. id and result are raw JSON.
func AppendResult(dst, id, result []byte) []byte { return dst }
