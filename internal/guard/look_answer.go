package guard

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/sse"
)

// errMuch is the fault of an answer to the Guard itself that is longer than a client's may be.
var errMuch = errors.New("guard: the answer is too large")

// ownAnswer is what the Guard gets of its own request, as a client would get it.
type ownAnswer struct {
	header   http.Header
	status   int
	upstream int // status of the server's answer
	most     int64
	body     []byte
	events   *sse.Reader // nil if it is no stream
	whole    []byte      // the response, if it came in a stream
	enough   func()      // ends the request, once the response is there
}

func (w *ownAnswer) Header() http.Header { return w.header }

func (w *ownAnswer) WriteHeader(status int) {
	if status >= http.StatusOK && w.status == 0 {
		w.status = status
	}
}

func (w *ownAnswer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.whole != nil:
		return len(p), nil
	case isStream(w.header[headerContentType]):
		return len(p), w.feed(p)
	case int64(len(w.body)+len(p)) > w.most:
		return 0, errMuch
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// Flush has nothing to do: it is all there.
func (w *ownAnswer) Flush() {}

// feed reads more of a stream, up to the response: a server may keep the stream open after it.
func (w *ownAnswer) feed(p []byte) error {
	if w.events == nil {
		w.events = sse.NewReader(nil, int(w.most))
	}
	if err := w.events.Feed(p); err != nil {
		return err
	}
	for w.whole == nil && w.events.Ready() {
		event, err := w.events.Next()
		if err != nil {
			return err
		}
		// What the server asks or tells meanwhile is nothing to us; one request was made, so one response comes.
		if isResponse(event.Data) {
			w.whole = bytes.Clone(event.Data)
			w.enough()
		}
	}
	return nil
}

// answer returns the response, as far as there is one.
func (w *ownAnswer) answer() []byte {
	if w.whole != nil {
		return w.whole
	}
	return w.body
}

// isResponse reports whether a message, which passed the filter, is a response.
func isResponse(msg []byte) bool {
	var m struct {
		ID     jsontext.Value `json:"id"`
		Method jsontext.Value `json:"method"`
	}
	return json.Unmarshal(msg, &m) == nil && m.ID != nil && m.Method == nil
}
