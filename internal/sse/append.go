package sse

import "bytes"

// Append appends e in a form that a Reader reads back as the same event: with
// LF at the end of each line, at most one comment, which is empty, and nothing
// unknown. Raw is not looked at. A line end in Data, of whatever kind, begins a
// new line of data. A Name, ID or Retry that no field can carry is left out.
func Append(dst []byte, e Event) []byte {
	if e.Comment {
		dst = append(dst, ":\n"...)
	}
	if e.Name != "" && !breaksLine(e.Name) {
		dst = append(append(append(dst, "event: "...), e.Name...), '\n')
	}
	if e.HasID && !breaksLine(e.ID) {
		dst = append(append(append(dst, "id: "...), e.ID...), '\n')
	}
	if digits(e.Retry) {
		dst = append(append(append(dst, "retry: "...), e.Retry...), '\n')
	}
	if e.HasData || len(e.Data) > 0 {
		dst = append(AppendPart(append(dst, "data: "...), e.Data), '\n')
	}
	return append(dst, '\n')
}

// AppendHead appends what comes before the data of e, and the beginning of a line of
// data. What follows is written by AppendPart, and ended by two line ends.
func AppendHead(dst []byte, e Event) []byte {
	e.HasData, e.Data = false, nil
	dst = Append(dst, e)
	return append(dst[:len(dst)-1], "data: "...)
}

// AppendPart appends a part of the data of an event, within a line of data.
func AppendPart(dst, data []byte) []byte {
	for {
		end := lineEnd(data)
		if end < 0 {
			return append(dst, data...)
		}
		dst = append(append(dst, data[:end]...), "\ndata: "...)
		if bytes.HasPrefix(data[end:], crlf) {
			end++
		}
		data = data[end+1:]
	}
}

// breaksLine reports whether s can't be the value of a field: a line end would
// begin another field, and a NUL has an id ignored.
func breaksLine(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return true
		}
	}
	return false
}
