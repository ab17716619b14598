package sse

import "sync"

// A stream that is only watched keeps minBuffer and no more: larger events are
// read into a buffer that is given back after them.
const (
	minBuffer    = 4 << 10
	pooledBuffer = 128 << 10
)

var pool = sync.Pool{New: func() any { return new([pooledBuffer]byte) }}

// room makes room for at least n bytes after buf.
func (r *Reader) room(n int) {
	if len(r.buf) == 0 {
		if r.small == nil {
			r.small = make([]byte, 0, minBuffer)
			r.space = r.small
		}
		r.buf = r.space
	}
	need := len(r.buf) + n
	switch {
	case need <= cap(r.buf):
	case need <= cap(r.space)/2:
		r.buf = append(r.space, r.buf...) // to the front
	default:
		old := r.space
		r.space = r.larger(need)
		r.buf = append(r.space, r.buf...)
		release(old)
	}
}

// larger returns an empty buffer for at least need bytes. It is not larger than
// it takes to see that an event is too large, unless it has to be.
func (r *Reader) larger(need int) []byte {
	if need <= pooledBuffer {
		return pool.Get().(*[pooledBuffer]byte)[:0]
	}
	return make([]byte, 0, max(need, min(4*cap(r.space), r.max)+1))
}

// shrink goes back to the small buffer when nothing is left in a larger one.
func (r *Reader) shrink() {
	if cap(r.space) > minBuffer {
		release(r.space)
	}
	if cap(r.joined) > minBuffer {
		r.joined = nil
	}
	r.space, r.buf = r.small, nil
}

// release gives a buffer back if it is one of the pool's size.
func release(space []byte) {
	if cap(space) == pooledBuffer {
		pool.Put((*[pooledBuffer]byte)(space[:pooledBuffer]))
	}
}
