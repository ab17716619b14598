package jsonrpc

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Edit replaces the bytes from Start to End of a message by With.
type Edit struct {
	Start, End int
	With       []byte
}

// Splice returns a copy of raw with the edits made, whose order doesn't matter.
// It returns nil if one lies outside raw or two overlap: a message that wasn't
// changed as it had to be must not go on.
func Splice(raw []byte, edits ...Edit) []byte {
	if len(edits) > 1 {
		edits = slices.Clone(edits)
		slices.SortFunc(edits, func(a, b Edit) int { return a.Start - b.Start })
	}
	size, at := len(raw), 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start || e.End > len(raw) {
			return nil
		}
		size += len(e.With) - (e.End - e.Start)
		at = e.End
	}
	out, at := make([]byte, 0, size), 0
	for _, e := range edits {
		out = append(out, raw[at:e.Start]...)
		out = append(out, e.With...)
		at = e.End
	}
	return append(out, raw[at:]...)
}

// Replace makes the Edit that puts s in the place of t.
func (t Text) Replace(s string) Edit {
	return Edit{Start: t.Start, End: t.End, With: AppendString(nil, s)}
}

// AppendString appends s to dst as a JSON string. What is not UTF-8 in s becomes
// U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the error only says that there was such
	return dst
}

// AppendError appends an error response (JSON-RPC 2.0 §5.1). id is raw JSON, and
// null if nil; data, raw JSON too, is left out if nil.
func AppendError(dst, id []byte, code int, message string, data []byte) []byte {
	dst = appendHead(dst, id)
	dst = append(dst, `"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, message)
	if data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, data...)
	}
	return append(dst, "}}"...)
}

// AppendResult appends a result response. id and result are raw JSON.
func AppendResult(dst, id, result []byte) []byte {
	dst = appendHead(dst, id)
	dst = append(dst, `"result":`...)
	dst = append(dst, result...)
	return append(dst, '}')
}

func appendHead(dst, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		dst = append(dst, "null"...)
	}
	dst = append(dst, id...)
	return append(dst, ',')
}
