package sse

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLarge is returned by Next for an event longer than the Reader's bound.
// Nothing of the stream can be read after it.
var ErrTooLarge = errors.New("sse: event too large")

// ErrIncomplete is returned by Next, with what there was of it as Raw, if the
// stream ended within an event. The standard has a client discard such an event.
var ErrIncomplete = errors.New("sse: stream ended within an event")

// Reader reads the events of one stream, from an io.Reader or as they are pushed
// by Feed. It is not safe for concurrent use.
type Reader struct {
	r    io.Reader
	max  int
	part int   // bytes of an event from which on it is returned in parts
	err  error // of r, kept until what was read before it has been returned

	buf    []byte // read and not yet returned, from the beginning of a block on
	space  []byte // the whole buffer that buf is a part of: small or a larger one
	small  []byte // of minBuffer bytes
	joined []byte // data of several lines

	first int  // in buf: where the first line of the block begins
	line  int  // in buf: where the line begins that is being read
	scan  int  // in buf: up to where there is no end of that line
	after int  // in buf: the end of the block that Next returned last
	cr    bool // the last line ended with CR at the end of buf: an LF right after it belongs to it
	begun bool // the byte order mark, if any, has been read

	open Event // what was returned of an event in parts, if open.More
	size int   // of it, in bytes
	mid  bool  // buf begins within a line of data
	read int   // lines of data, of this event
}

// NewReader makes a Reader that refuses events of more than max bytes, counted
// as they came. r may be nil if the stream is pushed.
func NewReader(r io.Reader, max int) *Reader {
	return &Reader{r: r, max: max, part: max + 1}
}

// NewPartsReader makes a Reader that holds no more of an event than about part bytes,
// or what Feed brings at once: a larger one is returned in parts. See Event.More.
func NewPartsReader(r io.Reader, max, part int) *Reader {
	return &Reader{r: r, max: max, part: part}
}

// Next returns the next block, as soon as its blank line has arrived. A block
// may be without data: comments keep connections alive. The error at the end of
// the stream is io.EOF; errors of the underlying reader are returned as they are.
func (r *Reader) Next() (Event, error) {
	r.advance()
	for {
		if end := r.find(); end >= 0 {
			if r.size+end > r.max {
				return Event{}, r.fail(ErrTooLarge)
			}
			e := r.parse(r.buf[r.first:end])
			e.Raw, e.More = r.buf[:end:end], false
			r.after = end
			r.open, r.size, r.mid, r.read = Event{}, 0, false, 0
			return e, nil
		}
		if r.size+len(r.buf) > r.max {
			return Event{}, r.fail(ErrTooLarge)
		}
		if r.large() {
			return r.partial()
		}
		if r.err != nil {
			if rest := r.buf[r.first:]; (len(rest) > 0 || r.open.More) && r.err == io.EOF {
				r.after, r.open.More = len(r.buf), false
				return Event{Raw: r.buf}, ErrIncomplete
			}
			return Event{}, r.err
		}
		r.fill()
	}
}

// Ready reports whether Next would return a block without reading. Who writes
// events on can put off flushing as long as it does.
func (r *Reader) Ready() bool {
	r.advance()
	return r.find() >= 0 || r.large()
}

// large reports whether a part of an event is to be returned.
func (r *Reader) large() bool { return len(r.buf)-r.first >= r.part }

// advance drops the block that Next returned last.
func (r *Reader) advance() {
	if r.after == 0 {
		return
	}
	if r.buf = r.buf[r.after:]; len(r.buf) == 0 {
		r.shrink()
	}
	r.first, r.line, r.scan, r.after = 0, 0, 0, 0
}

// find looks for the end of the block in buf and returns its index, or -1.
func (r *Reader) find() int {
	if !r.begin() {
		return -1
	}
	for {
		if r.cr {
			if r.line == len(r.buf) {
				return -1
			}
			r.cr = false
			if r.buf[r.line] == '\n' {
				if r.line == r.first {
					r.first++ // of the block before
				}
				r.line++
			}
			r.scan = max(r.scan, r.line)
		}
		end := lineEnd(r.buf[r.scan:])
		if end < 0 {
			r.scan = len(r.buf)
			return -1
		}
		end += r.scan
		blank := end == r.line && (!r.mid || r.line > r.first)
		next := end + 1
		if r.buf[end] == '\r' {
			if next == len(r.buf) {
				r.cr = true // whether an LF follows must not be waited for
			} else if r.buf[next] == '\n' {
				next++
			}
		}
		if blank {
			// line and scan stay: a second find, as of Ready, finds the same.
			return next
		}
		r.line, r.scan = next, next
	}
}

// begin drops the byte order mark that a stream may begin with. It reports false
// if what there is may still become one.
func (r *Reader) begin() bool {
	if r.begun {
		return true
	}
	if len(r.buf) < len(bom) && bytes.HasPrefix(bom, r.buf) && r.err == nil {
		return false
	}
	r.begun = true
	r.buf = bytes.TrimPrefix(r.buf, bom)
	return true
}

var bom = []byte("\ufeff")

// fill reads once.
func (r *Reader) fill() {
	r.room(1)
	free := r.buf[len(r.buf):cap(r.buf)]
	for range 100 {
		n, err := r.r.Read(free)
		r.buf = r.buf[:len(r.buf)+n]
		r.err = err
		if n > 0 || err != nil {
			return
		}
	}
	r.err = io.ErrNoProgress
}

// fail ends the reading with err and lets go of what was read.
func (r *Reader) fail(err error) error {
	*r = Reader{r: r.r, max: r.max, part: r.part, err: err, begun: true}
	return err
}

// lineEnd returns the index of the first CR or LF in b, or -1. It looks for both
// in ever larger parts of b, so that its cost is that of the line even if b has
// many lines of which none ends with the one looked for first.
func lineEnd(b []byte) int {
	for from, size := 0, 64; from < len(b); size *= 2 {
		part := b[from:min(from+size, len(b))]
		lf := bytes.IndexByte(part, '\n')
		if lf >= 0 {
			part = part[:lf]
		}
		if cr := bytes.IndexByte(part, '\r'); cr >= 0 {
			return from + cr
		}
		if lf >= 0 {
			return from + lf
		}
		from += len(part)
	}
	return -1
}
