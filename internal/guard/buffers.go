package guard

import "sync"

// maxPooled bounds the buffers that are kept for the next answer, so that one large
// answer does not cost memory for ever.
const maxPooled = 1 << 20

// buffer is memory for an answer.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// newBuffer returns an empty buffer with room for size bytes.
func newBuffer(size int) *buffer {
	p := buffers.Get().(*buffer)
	if cap(p.b) < size {
		p.b = make([]byte, 0, max(size, 4<<10))
	}
	return p
}

// release gives the buffer back.
func (p *buffer) release() {
	if p == nil {
		return
	}
	if p.b = p.b[:0]; cap(p.b) > maxPooled {
		p.b = nil
	}
	buffers.Put(p)
}

// filters keeps filters for the next message.
var filters = sync.Pool{New: func() any { return new(filter) }}
