package wire

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
)

// body is the body of an answer. When it has been read to its end, the connection is kept.
type body struct {
	io.ReadCloser
	transport *Transport
	conn      *conn
	ctx       context.Context // the request's
	stop      func() bool     // keeps the end of the context from ending the connection
	keep      bool            // neither side wants the connection to end
	ended     atomic.Bool
	err       error // of Read, once it has ended
}

// Read implements io.Reader. Once the request's context has ended, its error is the one to know.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.ended.Load():
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.over(err == io.EOF)
		if err != io.EOF && b.ctx.Err() != nil {
			err = b.ctx.Err()
		}
		b.err = err
	}
	return n, err
}

// Close implements io.Closer. A connection whose answer was not read to its end can't be used any more.
func (b *body) Close() error {
	b.over(false)
	return nil
}

// over gives the connection back or ends it, whichever is said first.
func (b *body) over(whole bool) {
	if b.ended.Swap(true) {
		return
	}
	// Where the context has ended the connection meanwhile, or is about to, it is not kept.
	if stopped := b.stop(); stopped && whole && b.keep {
		b.transport.idle.put(b.conn, b.transport.MaxIdle, b.transport.IdleTimeout)
		return
	}
	b.conn.end()
}
