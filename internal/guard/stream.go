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
	out    *buffer // events that are ready to be sent; nil while there are none
	// unclear says that a message was left out of which it could not be told
	// whether it answered the request.
	unclear bool
	began   bool // there was an event with data
	settled bool // messages of ours may follow
	// resumable says that an event had an id, after which a client can have the rest.
	resumable bool
	over      error       // why nothing more is read
	large     *largeEvent // that is arriving; nil if there is none
}

// begin begins the stream towards the client.
func (a *answerWriter) begin() {
	if err := a.session(); err != nil {
		a.fail(err.Error())
		return
	}
	a.mode = streaming
	a.stream = &stream{a: a, reader: sse.NewPartsReader(nil, int(a.x.g.cfg.MaxAnswer), a.x.g.part)}
	a.control = http.NewResponseController(a.x.w)
	h := a.x.w.Header()
	h[headerContentType] = a.x.value(typeStream)
	h["X-Accel-Buffering"] = a.x.value("no")
	a.x.guarded("no-store, no-transform") // a coding on the way would hold events back
	a.x.out.Status = http.StatusOK
	if a.x.hop != nil && a.x.hop.Live != nil {
		a.live = a.x.hop.Live
		a.live.open(a)
		if a.x.r.ProtoMajor == 1 {
			// Whoever ends such a stream closes the connection soon, and a client's next request on it would be lost.
			h["Connection"] = a.x.value("close")
		}
	}
	a.x.w.WriteHeader(http.StatusOK)
	a.dirty = true
	if a.live != nil && a.x.session != "" {
		a.live.ready.Store(true)
	}
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
		switch {
		case s.drop():
			// The client is within an event: there is nothing to be said to it any more.
			if !errors.Is(err, errGrantEnded) {
				s.a.x.out.Decision = Failed
			}
			return err
		case !errors.Is(err, errGrantEnded):
			s.unclear = true
			s.answerRest()
		}
	}
	if sent := s.send(); err == nil {
		err = sent
	}
	if s.large == nil {
		s.a.forget() // a stream that is only watched keeps no filter
	}
	return err
}

// append makes an event ready to be sent.
func (s *stream) append(e sse.Event) {
	if s.out == nil {
		s.out = newBuffer(len(e.Data) + 256)
	}
	s.out.b = sse.Append(s.out.b, e)
}

// send sends the events that are ready. A stream that is only watched keeps no
// memory for them.
func (s *stream) send() error {
	if s.out == nil {
		return nil
	}
	err := s.a.send(s.out.b)
	s.out.release()
	s.out = nil
	if l := s.a.live; l != nil && err == nil && s.settled {
		l.ready.Store(true)
	}
	return err
}

// end ends the stream when all of it has been written. An event that was not
// completed is none (WHATWG HTML §9.2.6).
func (s *stream) end() error {
	if s.over != nil {
		return s.over
	}
	if s.drop() {
		return sse.ErrIncomplete
	}
	if l := s.a.live; l != nil && l.Ended() {
		return l.finish()
	}
	s.answerRest()
	return s.send()
}

// interrupted ends a stream whose upstream was lost. What was sent of it is whole events, so it is ended in order, and a
// client that can resume it does; any other would wait for answers that don't come, and is told so. It reports whether
// the client has such an end.
func (s *stream) interrupted() bool {
	x := s.a.x
	lost := s.over == nil && !s.drop()
	if lost && !s.resumable && (s.a.live == nil || s.a.live.id == nil) {
		s.unclear = true
		s.answerRest()
	}
	x.out.Decision, x.out.Reason = Failed, "the stream broke off"
	return lost && s.send() == nil
}

// event passes one event on.
func (s *stream) event(e *sse.Event) error {
	x := s.a.x
	if x.subject() == nil {
		return errGrantEnded
	}
	if e.More || s.large != nil {
		return s.piece(e)
	}
	return s.whole(e)
}

// whole passes on an event of which all is there.
func (s *stream) whole(e *sse.Event) error {
	x := s.a.x
	on, err := s.fields(e)
	if err != nil {
		return err
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
		data, err := s.endpoint(e.Data)
		if err != nil {
			return err
		}
		if data != nil {
			on.Name, on.Data, on.HasData = e.Name, data, true
		}
	default:
		x.warn("an event is left out", fault("its name is not message"))
		if x.answeredBy(e.Data) {
			s.unclear = true // no client takes it for the answer, so it gets one at the end
		}
	}
	s.goOn(e, on)
	return nil
}

// fields returns an event without its data, as it goes on.
func (s *stream) fields(e *sse.Event) (sse.Event, error) {
	on := sse.Event{Retry: e.Retry, Comment: e.Comment}
	if !e.HasID {
		return on, nil
	}
	on.HasID, s.resumable = true, e.ID != ""
	if !s.resumable {
		return on, nil
	}
	// It opens the stream again, with what was missed of it.
	id, err := s.a.x.eventFor(e.ID)
	on.ID = id
	return on, err
}

// goOn makes what remains of an event ready to be sent, if something does.
func (s *stream) goOn(e *sse.Event, on sse.Event) {
	s.began = s.began || e.HasData
	if s.a.live != nil && s.a.live.id == nil && on.HasData {
		s.settled = true // what comes first, be it an endpoint, has come
	}
	if on.HasData || on.HasID || on.Retry != nil || on.Comment {
		s.append(on)
	}
}

// message filters the message of an event. It returns nil if nothing of it may go
// on.
func (s *stream) message(data []byte) []byte {
	if !jsonrpc.IsBatch(data) || !s.a.x.batch && !s.a.x.rev.batches() {
		return s.one(data)
	}
	// Where there are batches, a server may send them, too.
	var out []byte
	err := elements(data, func(msg []byte) error {
		if msg = s.one(msg); msg != nil {
			out = append(append(out, ','), msg...)
		}
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
func (s *stream) one(data []byte) []byte {
	a := s.a
	if a.f == nil {
		a.f = filters.Get().(*filter)
	}
	out, fr, err := a.x.screen(a.f, data)
	return s.judged(out, fr, err)
}

// judged says what goes on of a message that was filtered, or that err keeps back.
func (s *stream) judged(out []byte, fr frame, err error) []byte {
	a := s.a
	if err == nil {
		err = a.x.admits(&fr)
	}
	answers := a.x.r.Method == http.MethodPost && fr.id != nil && fr.method == ""
	switch {
	case err != nil:
		s.left(err)
		if answers && s.unclear && a.x.awaits(fr.id) {
			// What it would have been need not be waited for.
			s.fail(fr.id, err)
			a.x.settleID(fr.id)
		}
		return nil
	case answers && !a.x.awaits(fr.id):
		s.left(dropped("a response to another request"))
		return nil
	case answers:
		a.x.settleID(fr.id)
		if a.live != nil {
			s.settled = false
			a.live.ready.Store(false) // nothing follows the result of a subscription
		}
	case a.live != nil && a.live.id != nil && fr.method == methodAcknowledged:
		s.settled = true
		out = a.f.acknowledge(out, a.live.kinds)
	}
	a.x.handedTask(fr.task)
	return out
}

// answeredBy reports whether data is a response to what was asked.
func (x *exchange) answeredBy(data []byte) bool {
	m, err := jsonrpc.Parse(data, jsonrpc.Limits{})
	return err == nil && (m.Kind == jsonrpc.Result || m.Kind == jsonrpc.Failure) && x.awaits(m.ID)
}

// left notes that a message was left out.
func (s *stream) left(err error) {
	var d dropped
	switch {
	case !errors.As(err, &d):
		s.unclear = true
	case d == hiddenUpdate:
		return // the policy's doing, and counted
	}
	s.a.x.warn("a message is left out of a stream", err)
}

// fail answers a request in the place of a message that was left out because of err.
func (s *stream) fail(id []byte, err error) {
	r := refuseUnasked(err)
	if r == nil {
		r = s.a.x.unavailable(http.StatusBadGateway, "a message of the stream does not pass")
	}
	s.a.x.note(r)
	s.append(sse.Event{Name: "message", Data: r.append(nil, id, legacy), HasData: true})
}

// answerRest answers what was asked and will not be answered, because the answer
// may have been among what was left out.
func (s *stream) answerRest() {
	if !s.unclear {
		return
	}
	for _, id := range s.a.x.ids {
		s.fail(id, nil)
	}
	s.a.x.ids = nil
}

// warn logs what the upstream sent and the client does not get.
func (x *exchange) warn(what string, err error) {
	x.g.cfg.Logger.Warn(what, zap.String("error", clip(err.Error())), zap.String("server", x.g.cfg.Server),
		zap.String("method", x.out.Method), zap.String("request_id", x.out.RequestID))
}
