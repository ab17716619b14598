package wire

import (
	"bufio"
	"errors"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"time"
)

var (
	// errHead says that the head of an answer is too long.
	errHead = errors.New("wire: the head of the answer is too long")
	// errSwitched says that the server changed to another protocol, which it was not asked to.
	errSwitched = errors.New("wire: the server switches to another protocol")
)

// conn is a connection to a server.
type conn struct {
	net.Conn
	host   string
	reader *bufio.Reader
	left   int64 // what may still be read
	end    func()
	used   bool      // it has carried an answer before
	since  time.Time // when it was last used
	peek   peeker
}

// newConn makes a conn of a connection that was just made.
func newConn(dialed net.Conn, host string) *conn {
	c := &conn{Conn: dialed, host: host}
	c.reader = bufio.NewReader(c)
	c.end = func() { _ = dialed.Close() } // nothing more is expected of it
	c.peek.of(dialed)
	return c
}

// Read implements io.Reader for the buffer.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHead
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	c.left -= int64(n)
	return n, err
}

// answer reads the head of an answer, of which informational ones before it are no more than told of (RFC 9110 section 15.2).
func (c *conn) answer(r *http.Request, most int64) (*http.Response, error) {
	c.left = most
	for {
		res, err := http.ReadResponse(c.reader, r)
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case res.StatusCode < 100 || res.StatusCode >= http.StatusOK:
			c.left = math.MaxInt64 // whoever reads the body bounds it
			return res, nil
		}
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
				return nil, err
			}
		}
	}
}

// quiet reports whether a connection that was kept can be used: the server has neither ended it nor said anything that
// was not asked for, which would be taken for the answer to somebody else's request.
func (c *conn) quiet() bool { return c.reader.Buffered() == 0 && c.peek.quiet() }
