// Package sse reads and writes event streams as the HTML standard has them
// (WHATWG HTML §9.2, server-sent events), within bounds and without delay: an
// event is there as soon as its blank line is, and its bytes can go on as they
// came.
package sse

import "bytes"

// Event is one block of a stream, up to and with its blank line. Its slices are
// valid until the next call of a method of the Reader only.
type Event struct {
	Name    string // event field; empty means "message"
	ID      string // id field, if HasID
	HasID   bool   // there was an id field without NUL; an empty one resets the last event id
	Data    []byte // data lines joined by LF
	HasData bool   // there was a data field; without one a client dispatches nothing
	Retry   []byte // digits of the retry field, milliseconds; nil if there was none
	Comment bool   // there was a comment line
	// More says that this is a part of an event, of which the next Event is another:
	// its Data comes right after this one's, without anything between. The other
	// fields are those of all parts so far.
	More bool
	// Unknown says that there was a line the standard has a client ignore: of
	// another field, such as "Data", or of a malformed retry or id. A client less
	// strict than the standard may make something of it, so an event that was
	// inspected should go on without it, by Append.
	Unknown bool
	// Raw is the block as it came, without a byte order mark. It may begin with
	// the LF of a CRLF whose CR ended the block before.
	Raw []byte
}

// parse reads lines of a block, the first of which may be the rest of a line of data
// that was returned in part.
func (r *Reader) parse(lines []byte) Event {
	e := r.open
	r.joined = r.joined[:0]
	for len(lines) > 0 {
		end := lineEnd(lines)
		if end < 0 {
			end = len(lines)
		}
		line := lines[:end]
		lines = lines[end:]
		if bytes.HasPrefix(lines, crlf) {
			lines = lines[2:]
		} else if len(lines) > 0 {
			lines = lines[1:]
		}
		if r.mid {
			r.data(&e, line, true)
			r.mid = false
			continue
		}
		if len(line) == 0 {
			continue // the blank line
		}
		name, value, _ := bytes.Cut(line, colon)
		value = bytes.TrimPrefix(value, space)
		switch string(name) {
		case "":
			e.Comment = true
		case "data":
			r.data(&e, value, false)
		case "event":
			e.Name = intern(value)
		case "id":
			if bytes.IndexByte(value, 0) >= 0 {
				e.Unknown = true
				break
			}
			e.ID, e.HasID = string(value), true
		case "retry":
			if !digits(value) {
				e.Unknown = true
				break
			}
			e.Retry = value
		default:
			e.Unknown = true
		}
	}
	return e
}

var (
	crlf  = []byte("\r\n")
	colon = []byte{':'}
	space = []byte{' '}
)

// intern makes a string of an event's name, of which MCP knows two.
func intern(name []byte) string {
	switch string(name) {
	case "message":
		return "message"
	case "endpoint":
		return "endpoint"
	}
	return string(name)
}

func digits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}
