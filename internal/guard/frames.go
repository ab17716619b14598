package guard

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// dropped is why a message, clean in itself, is left out of a stream.
type dropped string

func (d dropped) Error() string { return string(d) }

// hiddenUpdate is why an update of a resource that the policy hides is left out.
const hiddenUpdate = dropped("an update of a resource that is hidden")

// equip makes f filter by the caller's rights as they are now.
func (x *exchange) equip(f *filter) {
	f.view, f.facts.Subject, f.observe = x.standing()
	f.trusted, f.now = x.g.cfg.TrustAnnotations, x.g.cfg.Now
	f.scoped, f.maxTTL = x.rev.eras() == modern, x.g.cfg.MaxTTL.Milliseconds()
	f.caller, f.known, f.reading, f.pinMode = x, &x.g.known, &x.g.reading, x.g.cfg.PinMode
	if x.own != nil {
		f.reading = ownReading
	}
	f.ofTask = x.tool != "" || len(x.tasks) > 0
}

// screen filters one message by the caller's rights as they are now. What it
// returns is valid until f is used again.
func (x *exchange) screen(f *filter, msg []byte) ([]byte, frame, error) {
	x.equip(f)
	out, fr, err := f.message(msg)
	return out, fr, x.screened(f, &fr, err)
}

// screened says of a message that was filtered, all of it, what keeps it back: that is
// err, if there is one. If nothing does, what there is to know of it is remembered.
func (x *exchange) screened(f *filter, fr *frame, err error) error {
	if err == nil {
		err = x.mayAsk(fr)
	}
	if err == nil {
		x.count(fr)
		x.shelf().Learn(f.offered...)
		if len(f.sightings) > 0 {
			x.book().See(x.g.cfg.PinMode, f.sightings)
		}
		if fr.kind == jsonrpc.Notification && fr.method == listKinds[0].method {
			x.shelf().Outdate()
		}
	}
	return err
}

// count notes what was left out of the lists of a message.
func (x *exchange) count(fr *frame) {
	x.out.Filtered += fr.filtered
	if fr.oversize > 0 {
		x.warn("entries of a list are left out", fault("they are larger than "+strconv.Itoa(maxEntry)+" bytes"))
	}
}

// admits says whether a message on a stream may go on.
func (x *exchange) admits(fr *frame) error {
	if fr.foreign {
		return dropped("a message that names a task or a resource that is not the caller's to know")
	}
	switch fr.kind {
	case jsonrpc.Request:
		switch {
		case x.rev.eras() == modern:
			return dropped("a request of the server's, which this revision does not have")
		case !asks[fr.method] && !x.allowsMethod(fr.method):
			return dropped("a request of the server's that is not judged")
		case fr.hasList && fr.method != "sampling/createMessage":
			return fault("a list in a request")
		}
	case jsonrpc.Notification:
		switch {
		case !tells[fr.method] && !x.allowsMethod(fr.method):
			return dropped("a notification that is not judged")
		case fr.method == "notifications/elicitation/complete" && x.g.cfg.MayNotAsk&AskElicitation != 0:
			return dropped("news of what this server may not ask for")
		case fr.hasList:
			return fault("a list in a notification")
		case fr.method == "notifications/resources/updated":
			return x.admitsUpdate(fr)
		}
	}
	return nil
}

// admitsUpdate judges the resource that a notification names.
func (x *exchange) admitsUpdate(fr *frame) error {
	if !fr.hasURI {
		return fault("a resource update without a uri")
	}
	view, s, observe := x.standing()
	if x.judged(view, s, policy.Resource, fr.uri, nil).Allowed {
		return nil
	}
	x.out.Filtered++
	if observe {
		return nil
	}
	return hiddenUpdate
}

// awaits reports whether id is one that the request is still to be answered for.
func (x *exchange) awaits(id []byte) bool {
	return slices.ContainsFunc(x.ids, func(own []byte) bool { return sameID(own, id) })
}

// settleID notes that the request with this id is answered.
func (x *exchange) settleID(id []byte) {
	x.ids = slices.DeleteFunc(x.ids, func(own []byte) bool { return sameID(own, id) })
}

func sameID(a, b []byte) bool { return bytes.Equal(a, b) || jsonrpc.SameID(a, b) }

// screenAnswer filters a JSON answer, which is the response to the request, or an
// array of responses to a batch.
func (x *exchange) screenAnswer(f *filter, body []byte, status int) ([]byte, error) {
	if !x.batch || !jsonrpc.IsBatch(body) {
		return x.screenResponse(f, body, status)
	}
	var out []byte // begins with a comma
	err := elements(body, func(msg []byte) error {
		msg, err := x.screenResponse(f, msg, status)
		if err != nil {
			return err
		}
		out = append(append(out, ','), msg...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out[0] = '['
	return append(out, ']'), nil
}

// screenResponse filters a response to a request of this exchange.
func (x *exchange) screenResponse(f *filter, msg []byte, status int) ([]byte, error) {
	out, fr, err := x.screen(f, msg)
	if err == nil {
		err = x.admitsAnswer(&fr, status)
	}
	if err != nil {
		return nil, err
	}
	x.handedTask(fr.task)
	return out, nil
}

// admitsAnswer says whether a message may be the answer to a request of this exchange.
func (x *exchange) admitsAnswer(fr *frame, status int) error {
	switch {
	case fr.kind == jsonrpc.Failure && fr.id == nil:
	case fr.kind != jsonrpc.Result && fr.kind != jsonrpc.Failure:
		return fault("a " + fr.kind.String() + " where a response belongs")
	case !x.awaits(fr.id):
		return errOther
	}
	if status >= 300 && fr.kind != jsonrpc.Failure {
		return errStatus
	}
	return nil
}

// errOther is the fault of a response that answers something else.
const errOther = fault("a response to another request")

// errStatus is the fault of a result that comes with a status of failure.
const errStatus = fault("a result with a status of failure")

// elements calls each for every element of a JSON array, which must have one.
func elements(array []byte, each func(msg []byte) error) error {
	s := scanner{b: array}
	if !s.enter('[') {
		return errJSON
	}
	for first := true; ; first = false {
		more, ok := s.next(']', first)
		if !ok || !more && first {
			return errJSON
		}
		if !more {
			if s.space(); s.i != len(array) {
				return errJSON
			}
			return nil
		}
		s.space()
		start := s.i
		if !s.skip() {
			return errJSON
		}
		if err := each(array[start:s.i]); err != nil {
			return err
		}
	}
}
