// Package wire sends a request to a server and reads its answer on the goroutine of the caller: HTTP/1.1 (RFC 9112) over
// connections that are kept for the next request.
//
// The transport of net/http gives every connection two goroutines, since a body may be long and an answer may overtake it.
// A call to a tool is a few hundred bytes that lie in memory, and the hand-overs between three goroutines cost as much as
// all the rest of it. What does not suit is for net/http.
package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// MaxBody is the length of the longest body that suits, in bytes. It fits into the buffers of a socket, also if the server
// does not read it and answers at once, so that writing it never waits for the server to be read from.
const MaxBody = 16 << 10

// maxKept is the capacity up to which the memory of a request is kept for the next one.
const maxKept = 64 << 10

// Transport is a http.RoundTripper for requests that Suits. Its fields are not changed after first use. It is safe for
// concurrent use, and Close must be called when it is over.
type Transport struct {
	// Dial connects to a server; the address is the host of the request's URL. Its errors are returned as they are.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	MaxIdle     int           // connections to one server that are kept while nothing is asked of it
	IdleTimeout time.Duration // for how long they are kept, at least; 0 is for ever
	MaxHead     int64         // bytes of an answer's head, and of what informational answers came before it

	idle pool
}

// Suits reports whether a request can be sent by a Transport: a POST whose short body is in memory, and nothing else is to be
// agreed upon with the server.
func Suits(r *http.Request) bool {
	return Supported && r.Method == http.MethodPost && r.GetBody != nil && 0 < r.ContentLength && r.ContentLength <= MaxBody &&
		!r.Close && len(r.Trailer) == 0 && len(r.TransferEncoding) == 0 && r.Header["Upgrade"] == nil && r.Header["Expect"] == nil
}

// requests keeps memory for the next request.
var requests = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// RoundTrip implements http.RoundTripper. The error is that of the request's context if that has ended.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	text := requests.Get().(*bytes.Buffer)
	defer func() {
		if text.Cap() <= maxKept {
			requests.Put(text)
		}
	}()
	text.Reset()
	if err := r.Write(text); err != nil {
		return nil, err
	}
	for {
		c, err := t.connect(r)
		if err != nil {
			return nil, err
		}
		res, err := t.exchange(c, r, text.Bytes())
		// A server may have ended a connection in the moment it was chosen. As long as nothing of the request was written,
		// another one can be tried (RFC 9110 section 9.2.2).
		if errors.Is(err, errUnsent) && c.used && r.Context().Err() == nil {
			continue
		}
		return res, err
	}
}

// errUnsent says that nothing of the request was written.
var errUnsent = errors.New("wire: nothing was sent")

// connect finds a connection that is kept, or makes one.
func (t *Transport) connect(r *http.Request) (*conn, error) {
	if c := t.idle.take(r.URL.Host); c != nil {
		return c, nil
	}
	dialed, err := t.Dial(r.Context(), "tcp", r.URL.Host)
	switch {
	case err == nil:
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	default:
		return nil, err
	}
	return newConn(dialed, r.URL.Host), nil
}

// exchange writes the request and reads the head of its answer. The connection is kept when the body has been read.
func (t *Transport) exchange(c *conn, r *http.Request, text []byte) (*http.Response, error) {
	ctx := r.Context()
	stop := context.AfterFunc(ctx, c.end)
	n, err := c.Write(text)
	if err != nil && n == 0 {
		err = errors.Join(errUnsent, err)
	}
	var res *http.Response
	if err == nil {
		res, err = c.answer(r, t.MaxHead)
	}
	if err != nil {
		stop()
		c.end()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	b := &body{ReadCloser: res.Body, transport: t, conn: c, ctx: ctx, stop: stop, keep: !res.Close && res.StatusCode >= http.StatusOK}
	if res.Body == http.NoBody {
		b.over(true)
	} else {
		res.Body = b
	}
	return res, nil
}

// Close ends the connections that are kept; those in use end when their answers do.
func (t *Transport) Close() { t.idle.close() }

// Interface guards.
var (
	_ http.RoundTripper = (*Transport)(nil)
	_ io.ReadCloser     = (*body)(nil)
)
