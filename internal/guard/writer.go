package guard

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strconv"
)

// What an answerWriter does with the bytes of an answer.
const (
	undecided  = iota
	collecting // a JSON answer, read whole before any of it goes on
	dividing   // a large JSON answer, of which some may go on before its end
	halted     // an answer that had begun and whose rest does not pass
	streaming  // an event stream
	draining   // answered already, or nothing to answer with
)

// maxDrain is how much of an answer that does not pass is read, so that the
// upstream's connection can be used again.
const maxDrain = 64 << 10

var (
	errTooLarge = errors.New("guard: the upstream's answer is too large")
	errUnwanted = errors.New("guard: the upstream's answer does not pass")
)

// answerWriter is the ResponseWriter that the upstream's answer is written to.
//
// It decides at the final WriteHeader what may go on. It has neither Unwrap nor
// ReadFrom, so nothing gets around it, and Hijack and the 101 that goes with it are
// refused. Headers of the upstream's stay in a map of its own; those that go on are
// picked one by one, since they would count for the origin of our consent pages.
type answerWriter struct {
	x        *exchange
	header   http.Header
	mode     int
	status   int
	buf      *buffer // the JSON answer so far
	length   int64   // of it
	f        *filter
	stream   *stream
	control  *http.ResponseController
	drained  int
	deciding bool // decide is being called
	early    bool // the answer is given before the upstream's has ended
	dirty    bool // something, be it the header, was written since the last flush

	live      *Live  // what else writes to a stream that stays open; nil if it is none
	listening string // the key of a stream of HTTP+SSE
}

var (
	_ http.ResponseWriter             = (*answerWriter)(nil)
	_ http.Flusher                    = (*answerWriter)(nil)
	_ http.Hijacker                   = (*answerWriter)(nil)
	_ interface{ FlushError() error } = (*answerWriter)(nil)
)

// Header returns the upstream's headers.
func (a *answerWriter) Header() http.Header { return a.header }

// WriteHeader decides what becomes of the answer. Informational answers go on
// without headers; Switching Protocols would end inspection and does not.
func (a *answerWriter) WriteHeader(status int) {
	switch {
	case a.mode != undecided:
	case status == http.StatusSwitchingProtocols, status < 100, status > 599:
		a.x.out.UpstreamStatus = status
		a.fail("its status is " + strconv.Itoa(status))
	case status < 200:
		a.x.w.WriteHeader(status)
	default:
		a.status, a.x.out.UpstreamStatus = status, status
		a.deciding = true
		a.decide()
		a.deciding = false
		if a.early {
			_ = http.NewResponseController(a.x.w).Flush() // fails only if the client is gone, or flushing is not offered
		}
	}
}

// before is called before an answer is given in the place of the upstream's. If the
// upstream may go on sending, the client must not wait for that: neither for the
// answer, which is flushed, nor on HTTP/1 with its next request.
func (a *answerWriter) before() {
	if !a.deciding || a.header["Content-Length"] != nil {
		return
	}
	a.early = true
	if a.x.r.ProtoMajor == 1 {
		a.x.w.Header()["Connection"] = a.x.value("close")
	}
}

// Write takes a piece of the answer's body.
func (a *answerWriter) Write(p []byte) (int, error) {
	if a.mode == undecided {
		a.WriteHeader(http.StatusOK)
	}
	switch a.mode {
	case collecting, dividing:
		return a.collect(p)
	case halted:
		return 0, errUnwanted
	case streaming:
		return len(p), a.stream.write(p)
	}
	if a.drained += len(p); a.drained > maxDrain {
		return 0, errUnwanted
	}
	return len(p), nil
}

// FlushError sends on what a stream has written. Nothing else is sent before it is
// complete, so for anything else there is nothing to do: a flush must not commit
// an answer that is not decided.
func (a *answerWriter) FlushError() error {
	if a.mode != streaming || !a.dirty {
		return nil
	}
	if a.live != nil {
		a.live.take()
		defer a.live.give()
	}
	return a.flush()
}

func (a *answerWriter) flush() error {
	a.dirty = false
	return a.control.Flush()
}

// Flush is FlushError for those who only know http.Flusher.
func (a *answerWriter) Flush() { _ = a.FlushError() }

// Hijack refuses: what is said on a connection of their own could not be read.
func (a *answerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

// send writes to the client and flushes.
func (a *answerWriter) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	a.dirty = true
	if a.live != nil {
		a.live.take()
		defer a.live.give()
	}
	if _, err := a.x.w.Write(p); err != nil {
		return err
	}
	return a.flush()
}
