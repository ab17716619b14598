package sse

// Feed gives r bytes of a stream that is pushed instead of read; the io.Reader of
// such a Reader is never asked and may be nil. After it Next may be called for as
// long as Ready reports true. The error is ErrTooLarge if the event that p does
// not complete is too large already. p is not kept.
func (r *Reader) Feed(p []byte) error {
	r.advance()
	if r.err != nil {
		return r.err
	}
	src, ok := r.r.(*pushed)
	if !ok {
		src = new(pushed)
		r.r = src
	}
	for src.p = p; len(src.p) > 0; {
		r.fill()
	}
	src.p = nil
	if r.size+len(r.buf) > r.max && r.find() < 0 {
		return r.fail(ErrTooLarge)
	}
	return nil
}

// pushed reads what was pushed, and is read only while there is some.
type pushed struct{ p []byte }

func (s *pushed) Read(p []byte) (int, error) {
	n := copy(p, s.p)
	s.p = s.p[n:]
	return n, nil
}
