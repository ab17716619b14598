package guard

import (
	"net/http"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/sse"
)

// heldWriter is the ResponseWriter of a request that waits for a person: it has begun to answer with a stream, so that the
// connection is kept and the client can be told what is waited for. The answer, when there is one, is written to it as to any
// other: a stream follows as it is, and what is written whole becomes an event.
type heldWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	header  http.Header // of the answer; it comes too late to go on
	body    []byte      // of an answer that is no stream
	streams bool        // the answer is a stream
	decided bool
}

// readsStreams reports whether the client takes a stream for an answer (revision 2025-11-25, "Sending Messages to the Server").
// On HTTP+SSE it reads its answers elsewhere.
func (x *exchange) readsStreams() bool {
	if x.old != nil {
		return false
	}
	for _, v := range x.r.Header["Accept"] {
		if strings.Contains(strings.ToLower(v), typeStream) {
			return true
		}
	}
	return false
}

// hold begins to answer with a stream.
func (x *exchange) hold() {
	h := x.w.Header()
	h[headerContentType] = []string{typeStream}
	h["X-Accel-Buffering"] = []string{"no"}
	x.guarded("no-store, no-transform")
	x.held = &heldWriter{w: x.w, control: http.NewResponseController(x.w), header: make(http.Header)}
	x.w.WriteHeader(http.StatusOK)
	x.w = x.held
}

// release ends the answer to a request that has waited.
func (x *exchange) release() {
	if x.held == nil {
		return
	}
	if len(x.held.body) > 0 {
		x.held.message(x.held.body)
	}
	x.out.Status = http.StatusOK
}

// message sends a message. An error means that the client is gone, which its context says, too.
func (h *heldWriter) message(msg []byte) {
	h.send(sse.Append(nil, sse.Event{Name: "message", Data: msg, HasData: true}))
}

// comment sends what clients don't read.
func (h *heldWriter) comment() { h.send([]byte(": waiting\n\n")) }

func (h *heldWriter) send(b []byte) {
	if _, err := h.w.Write(b); err == nil {
		_ = h.control.Flush()
	}
}

// Header returns the header of the answer.
func (h *heldWriter) Header() http.Header { return h.header }

// WriteHeader takes the header of the answer.
func (h *heldWriter) WriteHeader(status int) {
	if status < 200 || h.decided {
		return
	}
	h.decided = true
	h.streams = isStream(h.header[headerContentType])
}

// Write takes a piece of the answer.
func (h *heldWriter) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	if h.streams {
		return h.w.Write(p)
	}
	h.body = append(h.body, p...)
	return len(p), nil
}

// FlushError sends on what was written of a stream.
func (h *heldWriter) FlushError() error {
	if !h.streams {
		return nil
	}
	return h.control.Flush()
}

// Flush is FlushError for those who only know http.Flusher.
func (h *heldWriter) Flush() { _ = h.FlushError() }

// Unwrap is for deadlines: see innermost.
func (h *heldWriter) Unwrap() http.ResponseWriter { return h.w }
