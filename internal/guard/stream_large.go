package guard

import (
	"bytes"
	"net/http"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/sse"
)

// holdEvent is how much is held of an event before it is read piece by piece.
const holdEvent = 64 << 10

// largeEvent is an event that is read while it arrives. Some of its message may go on
// before the rest of it is there; see flow.
type largeEvent struct {
	left  bool       // nothing of it goes on
	batch []byte     // its messages so far, if it is of more than one
	head  *sse.Event // its fields when the first of it went on; nil if nothing of it has
}

// piece takes a piece of a large event.
func (s *stream) piece(e *sse.Event) error {
	x, l := s.a.x, s.large
	if l == nil {
		l = new(largeEvent)
		s.large = l
		s.enlarge(e)
	}
	if e.Name != "" && e.Name != "message" && !l.left {
		// A field may also come behind the data.
		if l.head != nil {
			return fault("an event that turns into another")
		}
		s.leave(fault("a large event whose name is not message"))
	}
	switch {
	case l.left:
	case l.batch != nil:
		if l.batch = append(l.batch, e.Data...); len(l.batch) > x.g.indivisible() {
			s.leave(errIndivisible)
		}
	default:
		if err := s.flow(e); err != nil {
			return err
		}
	}
	if e.More {
		return nil
	}
	return s.complete(e)
}

// enlarge makes ready for a large event.
func (s *stream) enlarge(e *sse.Event) {
	a := s.a
	if jsonrpc.IsBatch(e.Data) && (a.x.batch || a.x.rev.batches()) {
		s.large.batch = []byte{}
		return
	}
	if a.f == nil {
		a.f = filters.Get().(*filter)
	}
	a.x.equip(a.f)
	a.f.flows(a.x.g.hold, maxEntry, a.x.g.indivisible(), func(fr *frame) error {
		if a.x.r.Method == http.MethodPost && fr.id != nil && !a.x.awaits(fr.id) {
			return dropped(errOther.Error())
		}
		return nil
	})
}

// flow filters a piece of the event's message, and sends on what can be.
func (s *stream) flow(e *sse.Event) error {
	w := &s.a.f.flow
	if err := w.write(e.Data); err != nil {
		if s.large.head != nil {
			return err
		}
		s.judged(nil, s.a.f.fr, err)
		s.large.left = true
		return nil
	}
	if part := w.take(); len(part) > 0 {
		return s.part(e, part)
	}
	return nil
}

// part sends a part of the event's message.
func (s *stream) part(e *sse.Event, part []byte) error {
	a, l := s.a, s.large
	b := newBuffer(len(part) + 256)
	defer b.release()
	first := l.head == nil
	if first {
		on, err := s.fields(e)
		if err != nil {
			return err
		}
		if err := s.send(); err != nil {
			return err
		}
		if a.live != nil {
			a.live.take() // until the event is complete
		}
		on.Name = e.Name
		l.head = &sse.Event{ID: e.ID, HasID: e.HasID, Retry: bytes.Clone(e.Retry)}
		s.began = true
		b.b = sse.AppendHead(b.b, on)
	}
	b.b = sse.AppendPart(b.b, part)
	if _, err := a.x.w.Write(b.b); err != nil {
		return err
	}
	if first {
		return a.flush() // so that there is nothing that a flush would have to wait for its turn with
	}
	return nil
}

// complete ends the event when all of it was read.
func (s *stream) complete(e *sse.Event) error {
	x, l := s.a.x, s.large
	if l.head == nil {
		defer s.drop()
	}
	switch {
	case !e.HasData:
		return s.whole(e)
	case l.left:
		e.Data, e.HasData = nil, false
		return s.whole(e)
	case l.batch != nil:
		e.Data = l.batch
		return s.whole(e)
	}
	out, fr, err := s.a.f.flow.finish()
	err = x.screened(s.a.f, &fr, err)
	if l.head == nil {
		on, failed := s.fields(e)
		if failed != nil {
			return failed
		}
		if data := s.judged(out, fr, err); data != nil {
			on.Name, on.Data, on.HasData = e.Name, data, true
		}
		s.goOn(e, on)
		return nil
	}
	if err == nil {
		err = x.admits(&fr)
	}
	if err == nil && x.r.Method == http.MethodPost && !x.awaits(fr.id) {
		err = errOther
	}
	if err != nil {
		return err
	}
	return s.last(e, s.judged(out, fr, nil))
}

// last sends the rest of an event of which some has gone on.
func (s *stream) last(e *sse.Event, rest []byte) error {
	a, l := s.a, s.large
	b := newBuffer(len(rest) + 256)
	defer b.release()
	b.b = append(sse.AppendPart(b.b, rest), '\n')
	// What came behind the data.
	on, err := s.fields(e)
	if err != nil {
		return err
	}
	if on.Comment = false; e.HasID == l.head.HasID && e.ID == l.head.ID {
		on.HasID = false
	}
	if bytes.Equal(e.Retry, l.head.Retry) {
		on.Retry = nil
	}
	b.b = sse.Append(b.b, on)
	if a.live != nil && a.live.id == nil {
		s.settled = true
	}
	if _, err := a.x.w.Write(b.b); err != nil {
		return err
	}
	if err := a.flush(); err != nil {
		return err
	}
	if a.live != nil {
		if s.settled {
			a.live.ready.Store(true)
		}
		a.live.give()
	}
	s.large = nil
	a.f.flow.stop()
	return nil
}

// leave keeps the event's message back.
func (s *stream) leave(err error) {
	s.large.left = true
	s.left(err)
}

// drop lets go of a large event. It reports whether some of it has gone on, so that nothing can be sent any more.
func (s *stream) drop() (begun bool) {
	l := s.large
	if l == nil {
		return false
	}
	s.large = nil
	if f := s.a.f; f != nil {
		f.flow.stop()
	}
	if l.head == nil {
		return false
	}
	if live := s.a.live; live != nil {
		live.closed = true
		live.give()
	}
	return true
}
