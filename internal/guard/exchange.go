package guard

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
)

// exchange is one HTTP request on its way through the Guard.
type exchange struct {
	g      *Guard
	out    *Outcome
	w      http.ResponseWriter
	r      *http.Request
	caller Caller

	claims     claims
	rev        revision
	body       []byte // what goes on, with handles opened
	ids        [][]byte
	oneID      [1][]byte
	batch      bool
	answered   bool
	session    string          // as the upstream knows it
	lastEvent  string          // likewise
	tool       string          // that is called, which may become a task; empty if none is
	asTask     bool            // it is called as one
	tasks      []heldTask      // that the request names
	compared   []catalog.Param // whose header fields say what the body says
	taskName   string          // what Mcp-Name is to say in the place of a handle
	old        *oldPost        // nil if it is no message of HTTP+SSE
	upstream   string          // the server that the session is of; empty if it is not known
	urls       bool            // the session's client can show its person an address
	held       *heldWriter     // what w is once the request has waited
	hop        *Hop            // nil if any server will do
	person     string          // id of the caller, also when their grant ends meanwhile
	holderText string
	own        *catalog.Shelf // what is learnt of a request that the Guard made itself; nil if it is a client's

	// Set here rather than each on its own, since there is one of each.
	aw     answerWriter
	reader bodyReader
	values [8]string // of headers we set
	used   int
}

// bodyReader is the body that goes on.
type bodyReader struct{ bytes.Reader }

func (*bodyReader) Close() error { return nil }

// value makes the values of a header. They are not shared between exchanges: other
// handlers may change them in place.
func (x *exchange) value(v string) []string {
	i := x.used
	if i == len(x.values) {
		return []string{v}
	}
	x.used++
	x.values[i] = v
	return x.values[i : i+1 : i+1]
}

// Serve judges one HTTP request of an authenticated caller. It reads the body
// and answers itself, or hands on: next gets a request whose body is complete in
// memory (with ContentLength and GetBody), without the agent's credentials, and
// a ResponseWriter that filters. next must not use either after it has returned.
// The headers and the body of r are changed on the way.
//
// An error of next before anything was answered is answered with 502; Serve
// returns an error only if the answer had begun. A panic of next goes through to
// the caller; out is complete then, too, so the caller reads it in a deferred
// call. The one panic that does not is http.ErrAbortHandler, with which a proxy
// says that it lost its upstream, if the client can be given, or was given, a
// whole answer all the same: its connection is sound.
func (g *Guard) Serve(out *Outcome, w http.ResponseWriter, r *http.Request, c Caller, next Next) error {
	*out = Outcome{RequestID: g.cfg.NewRequestID(), Decision: Allow}
	x := &exchange{g: g, out: out, w: w, r: r, caller: c}
	if !x.admit() {
		x.release()
		return nil
	}
	err := x.forward(next)
	if err == nil {
		x.release()
	}
	return err
}

// forward hands the request on and answers with what comes back.
func (x *exchange) forward(next Next) error {
	aw := &x.aw
	*aw = answerWriter{x: x, header: make(http.Header, 8)}
	began, returned := time.Now(), false
	defer func() {
		if !returned {
			x.out.Upstream = time.Since(began)
			p := recover()
			if whole := aw.broken(); p != nil && (p != http.ErrAbortHandler || !whole) {
				defer panic(p)
			}
		}
		aw.release()
	}()
	err := next(aw, x.onward())
	returned = true
	x.out.Upstream = time.Since(began)
	return aw.finish(err)
}

// onward makes of the request what goes on.
func (x *exchange) onward() *http.Request {
	r := x.r
	for key := range r.Header {
		if !forwarded(key) && !x.wasCompared(key) {
			delete(r.Header, key)
		}
	}
	// A coded answer could not be read.
	r.Header["Accept-Encoding"] = x.value("identity")
	if x.session != "" {
		r.Header[headerSession] = x.value(x.session)
	}
	if x.taskName != "" {
		r.Header[headerName] = x.value(encodeName(x.taskName))
	}
	if x.lastEvent != "" {
		r.Header[headerLastEvent] = x.value(x.lastEvent)
	}
	r.TransferEncoding, r.Trailer = nil, nil
	r.Body, r.ContentLength, r.GetBody = http.NoBody, 0, nil
	if r.Method == http.MethodPost {
		// Exactly what was judged, whatever the agent wrote around it.
		r.Header[headerContentType] = x.value(typeJSON)
		body := x.body
		r.ContentLength = int64(len(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		x.reader.Reset(body)
		r.Body = &x.reader
	}
	if x.hop != nil {
		r = withHop(r, x.hop)
	}
	return r
}

// forwarded reports whether a header of the agent's goes on as it is.
func forwarded(key string) bool {
	switch key {
	case "Authorization", "Proxy-Authorization", "Cookie":
		// The agent's own; whoever hands on puts the server's there.
		return false
	case headerSession, headerLastEvent:
		return false // handles: opened, if they go on at all
	case headerContentType, headerEncoding, "Content-Length", "Accept-Encoding":
		return false
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect":
		return false // of this connection alone
	case "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since":
		return false // would have a cache on the way answer a part, or nothing
	case "X-Http-Method", "X-Http-Method-Override", "X-Method-Override":
		return false // would make another request of it
	case "X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Forwarded-Uri":
		return false // likewise, for another path
	}
	if strings.HasPrefix(key, mirrorPrefix) {
		return false // unless it was compared with the body
	}
	for i := range len(key) {
		if c := lower(key[i]); c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			// CGI and WSGI take Mcp_Name for Mcp-Name, and some servers Mcp.Name, too (RFC 3875 §4.1.18).
			return false
		}
	}
	return true
}
