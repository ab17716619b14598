package sse

import "bytes"

// partial returns what there is of an event that is not whole yet: its complete
// lines, and of the line that is not what is data.
func (r *Reader) partial() (Event, error) {
	e := r.parse(r.buf[r.first:max(r.first, r.line)])
	end := max(r.first, r.line)
	if tail := r.buf[end:]; len(tail) > 0 {
		value, isData := tail, r.mid
		if !isData {
			// One more, to see the space that may come after the colon.
			if isData = len(tail) > len(dataField) && bytes.HasPrefix(tail, dataField); isData {
				value = bytes.TrimPrefix(tail[len(dataField):], space)
			}
		}
		switch {
		case isData:
			r.data(&e, value, r.mid)
			r.mid, end = true, len(r.buf)
		case len(tail) >= r.part:
			return Event{}, r.fail(ErrTooLarge) // a line that is not data and still has no end
		}
	}
	e.More = true
	r.open = e
	r.open.Data, r.open.Retry = nil, bytes.Clone(e.Retry)
	r.size += end
	e.Raw = r.buf[:end:end]
	r.after = end
	return e, nil
}

var dataField = []byte("data:")

// data adds the text of a line of data, or of some of it, to those that there are. It
// continues the line before, or begins another.
func (r *Reader) data(e *Event, value []byte, continues bool) {
	e.HasData = true
	if !continues {
		r.read++
	}
	switch {
	case e.Data == nil && (continues || r.read == 1):
		e.Data = value // in place: most events have one line of data
		return
	case len(r.joined) == 0:
		r.joined = append(r.joined, e.Data...)
	}
	if !continues {
		r.joined = append(r.joined, '\n')
	}
	r.joined = append(r.joined, value...)
	e.Data = r.joined
}
