package guard

import "sync"

// maxPooled bounds the buffers that are kept for the next answer, so that one large
// answer does not cost memory for ever.
const maxPooled = 1 << 20

// bufferPool keeps memory for answers.
type bufferPool struct{ pool sync.Pool }

var buffers bufferPool

// get returns an empty buffer with room for size bytes.
func (b *bufferPool) get(size int) []byte {
	if p, _ := b.pool.Get().(*[]byte); p != nil {
		if cap(*p) >= size {
			return (*p)[:0]
		}
	}
	return make([]byte, 0, max(size, 4<<10))
}

// put gives a buffer back.
func (b *bufferPool) put(buf []byte) {
	if cap(buf) > 0 && cap(buf) <= maxPooled {
		b.pool.Put(&buf)
	}
}

// filters keeps filters for the next message.
var filters = sync.Pool{New: func() any { return new(filter) }}
