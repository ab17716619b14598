package guard

import (
	"net/http"
	"strconv"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// A JSON answer of up to holdAnswer bytes is held until all of it was seen. Of a larger one, what is judged goes on while
// the rest arrives, so that a request costs no more memory than its largest entry. If then something in the rest does not
// pass, the client's connection is cut: what it has is not JSON, and says so by its framing, too.

// indivisible is the size of the largest message that may be held whole: a batch, or one that is no result.
func (g *Guard) indivisible() int { return int(max(g.cfg.MaxBody, maxEntry)) }

// collect takes a piece of a JSON answer.
func (a *answerWriter) collect(p []byte) (int, error) {
	if a.length += int64(len(p)); a.length > a.x.g.cfg.MaxAnswer {
		a.stop(fault("it is larger than max_answer"))
		return 0, errTooLarge
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case a.mode == dividing:
		return a.pass(p)
	case a.buf == nil:
		a.buf = newBuffer(a.size(len(p)))
	}
	large := len(a.buf.b)+len(p) > a.x.g.hold
	a.buf.b = append(a.buf.b, p...)
	switch {
	case !large:
	case !a.x.batch || !jsonrpc.IsBatch(a.buf.b):
		a.divide()
		whole := a.buf
		a.buf = nil
		defer whole.release()
		if _, err := a.pass(whole.b); err != nil {
			return 0, err
		}
	case len(a.buf.b) > a.x.g.indivisible():
		a.stop(errIndivisible)
		return 0, errTooLarge
	}
	return len(p), nil
}

// size is how much is to be held of the answer, as far as its length is known.
func (a *answerWriter) size(least int) int {
	if v := a.header["Content-Length"]; len(v) == 1 {
		if n, err := strconv.Atoi(v[0]); err == nil && n > least {
			return min(n, a.x.g.hold)
		}
	}
	return least
}

// divide makes ready for passing the answer on in pieces.
func (a *answerWriter) divide() {
	a.mode = dividing
	a.f = filters.Get().(*filter)
	a.x.equip(a.f)
	a.f.flows(a.x.g.hold, maxEntry, a.x.g.indivisible(), func(fr *frame) error {
		switch {
		case a.status >= 300:
			return errStatus
		case fr.id != nil && !a.x.awaits(fr.id):
			return errOther
		}
		return a.session()
	})
}

// pass filters a piece of the answer, and sends on what can be.
func (a *answerWriter) pass(p []byte) (int, error) {
	w := &a.f.flow
	if err := w.write(p); err != nil {
		a.stop(err)
		return 0, errUnwanted
	}
	if err := a.forward(w.take()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// forward sends a part of the answer on.
func (a *answerWriter) forward(part []byte) error {
	if len(part) == 0 {
		return nil
	}
	x := a.x
	if x.out.Status == 0 {
		x.w.Header()[headerContentType] = x.value(typeJSON)
		x.guarded("no-store")
		x.out.Status = http.StatusOK
		x.w.WriteHeader(http.StatusOK)
	}
	_, err := x.w.Write(part)
	return err
}

// rest ends the answer when next has returned with failed.
func (a *answerWriter) rest(failed error) error {
	if failed != nil {
		if a.x.out.Status == 0 {
			a.unanswered(failed)
			return nil
		}
		if !a.gone() {
			a.stop(failed)
		}
		return failed
	}
	out, fr, err := a.f.flow.finish()
	if err = a.x.screened(a.f, &fr, err); err == nil {
		err = a.x.admitsAnswer(&fr, a.status)
	}
	if err == nil && a.x.out.Status == 0 {
		err = a.session()
	}
	if err != nil {
		if a.stop(err) {
			return err
		}
		return nil
	}
	a.x.handedTask(fr.task)
	a.mode = draining
	if a.x.out.Status != 0 {
		return a.forward(out)
	}
	a.retryAfter()
	a.x.reply(a.succeeded(), out)
	return nil
}

// stop keeps the rest of a JSON answer back. If none of it went on, the client is answered otherwise; if some did, stop
// returns true, and its connection is to be cut.
func (a *answerWriter) stop(err error) (begun bool) {
	if a.x.out.Status == 0 {
		a.reject(err)
		return false
	}
	a.mode = halted
	a.note(err.Error())
	a.x.out.Decision, a.x.out.Reason = Failed, clip("the answer broke off: "+err.Error())
	return true
}
