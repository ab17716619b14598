package guard

import (
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/sse"
)

// errGrantEnded ends a stream whose reader may no longer read it.
var errGrantEnded = errors.New("guard: the caller's grant has ended")

// stream filters an event stream, event by event as they arrive. Events go on
// rewritten, so that nothing is left in them that only some readers would see.
type stream struct {
	a      *answerWriter
	reader *sse.Reader
	out    []byte
	// unclear says that a message was left out of which it could not be told
	// whether it answered the request.
	unclear bool
	over    error // why nothing more is read
}

// keptOut bounds the memory that a stream keeps between events.
const keptOut = 4 << 10

// begin begins the stream towards the client.
func (a *answerWriter) begin() {
	if err := a.session(); err != nil {
		a.fail(err.Error())
		return
	}
	a.mode = streaming
	a.stream = &stream{a: a, reader: sse.NewReader(nil, int(a.x.g.cfg.MaxAnswer))}
	a.control = http.NewResponseController(a.x.w)
	h := a.x.w.Header()
	h[headerContentType] = []string{typeStream}
	guarded(h)
	// A coding on the way would hold events back.
	h["Cache-Control"] = []string{"no-store, no-transform"}
	h["X-Accel-Buffering"] = []string{"no"}
	a.x.out.Status = http.StatusOK
	a.x.w.WriteHeader(http.StatusOK)
	a.dirty = true
}

// write takes bytes of the stream, and sends on the events that they complete.
func (s *stream) write(p []byte) error {
	if s.over != nil {
		return s.over
	}
	err := s.reader.Feed(p)
	for err == nil && s.reader.Ready() {
		var e sse.Event
		if e, err = s.reader.Next(); err == nil {
			err = s.event(&e)
		}
	}
	if err != nil {
		s.over = err
		s.a.x.warn("a stream is ended", err)
		if !errors.Is(err, errGrantEnded) {
			s.unclear = true
			s.answerRest()
		}
	}
	sent := s.a.send(s.out)
	if s.out = s.out[:0]; cap(s.out) > keptOut {
		s.out = nil
	}
	if err == nil {
		err = sent
	}
	return err
}

// end ends the stream when all of it has been written. An event that was not
// completed is none (WHATWG HTML §9.2.6).
func (s *stream) end() error {
	if s.over != nil {
		return s.over
	}
	s.answerRest()
	return s.a.send(s.out)
}

// event passes one event on.
func (s *stream) event(e *sse.Event) error {
	x := s.a.x
	if x.subject() == nil {
		return errGrantEnded
	}
	on := sse.Event{Retry: e.Retry, Comment: e.Comment}
	if e.HasID {
		on.HasID = true
		if e.ID != "" {
			// It opens the stream again, with what was missed of it.
			id, err := x.sealHandle(purposeEvent, e.ID)
			if err != nil {
				return err
			}
			on.ID = id
		}
	}
	switch {
	case !e.HasData:
	case len(e.Data) == 0:
		on.HasData = true // to be resumed from
	case e.Name == "" || e.Name == "message":
		if data := s.message(e.Data); data != nil {
			on.Name, on.Data, on.HasData = e.Name, data, true
		}
	case e.Name == "endpoint":
		// The transport of 2024-11-05, in which messages go to other places.
		return fault("the upstream speaks HTTP+SSE")
	default:
		x.warn("an event is left out", fault("its name is not message"))
	}
	if on.HasData || on.HasID || on.Retry != nil || on.Comment {
		s.out = sse.Append(s.out, on)
	}
	return nil
}

// message filters the message of an event. It returns nil if nothing of it may go
// on.
func (s *stream) message(data []byte) []byte {
	if s.a.x.batch && jsonrpc.IsBatch(data) {
		return s.several(data)
	}
	out, err := s.one(data)
	if err != nil {
		s.left(err)
		return nil
	}
	return out
}

// several filters an array of messages, which there may be in the answer to a
// batch. Messages that may not go on are left out of it.
func (s *stream) several(data []byte) []byte {
	var out []byte
	err := elements(data, func(msg []byte) error {
		msg, err := s.one(msg)
		if err != nil {
			s.left(err)
			return nil
		}
		out = append(append(out, ','), msg...)
		return nil
	})
	switch {
	case err != nil:
		s.left(err)
		return nil
	case out == nil:
		return nil
	}
	out[0] = '['
	return append(out, ']')
}

// one filters one message.
func (s *stream) one(data []byte) ([]byte, error) {
	a := s.a
	if a.f == nil {
		a.f = filters.Get().(*filter)
	}
	out, fr, err := a.x.screen(a.f, data)
	if err == nil {
		err = a.x.admits(&fr)
	}
	if err == nil && a.x.r.Method == http.MethodPost && fr.id != nil && (fr.kind == jsonrpc.Result || fr.kind == jsonrpc.Failure) {
		if !a.x.awaits(fr.id) {
			return nil, dropped("a response to another request")
		}
		a.x.settleID(fr.id)
	}
	return out, err
}

// left notes that a message was left out.
func (s *stream) left(err error) {
	var d dropped
	if !errors.As(err, &d) {
		s.unclear = true
	}
	s.a.x.warn("a message is left out of a stream", err)
}

// answerRest answers what was asked and will not be answered, because the answer
// may have been among what was left out.
func (s *stream) answerRest() {
	x := s.a.x
	if !s.unclear {
		return
	}
	r := x.unavailable(http.StatusBadGateway, "a message of the stream does not pass")
	for _, id := range x.ids {
		x.note(r)
		s.out = sse.Append(s.out, sse.Event{Name: "message", Data: r.append(nil, id, legacy), HasData: true})
	}
	x.ids = nil
}

// warn logs what the upstream sent and the client does not get.
func (x *exchange) warn(what string, err error) {
	x.g.cfg.Logger.Warn(what, zap.Error(err), zap.String("server", x.g.cfg.Server),
		zap.String("method", x.out.Method), zap.String("request_id", x.out.RequestID))
}
