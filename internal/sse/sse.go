// Package sse reads and writes event streams as the WHATWG HTML standard
// (§9.2, server-sent events) has them, within bounds.
package sse

import (
	"errors"
	"io"
)

// ErrTooLarge is returned by Next for an event longer than the Reader's bound.
var ErrTooLarge = errors.New("sse: event too large")

// ErrIncomplete is returned by Next if the stream ended within an event. The
// standard has such an event dropped; what there is of it comes with the error.
var ErrIncomplete = errors.New("sse: stream ended within an event")

// Event is one block of a stream, up to and with its blank line. Its slices are
// valid until the next call of Next only.
type Event struct {
	Name    string // event field; empty means "message"
	ID      string // id field, if HasID
	HasID   bool   // there was an id field without NUL; an empty one resets the last event id
	Data    []byte // data lines joined by LF
	HasData bool   // there was a data field; without one a client dispatches nothing
	Retry   []byte // digits of the retry field, milliseconds; nil if none
	Comment bool   // the block had at least one comment line
	Raw     []byte // the block as it came, blank line included (a BOM excluded)
}

// Reader reads the events of one stream. It is not safe for concurrent use.
type Reader struct{}

// NewReader makes a Reader that refuses events of more than max bytes.
func NewReader(r io.Reader, max int) *Reader { return &Reader{} }

// Next returns the next block. It returns as soon as the blank line has arrived.
// At the end of the stream the error is io.EOF.
func (r *Reader) Next() (Event, error) { return Event{}, io.EOF }

// Append appends e in the form that a Reader reads back as the same event.
// Raw is not looked at.
func Append(dst []byte, e Event) []byte { return dst }
