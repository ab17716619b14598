package guard

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// statusClosed is logged when the client left before there was an answer.
const statusClosed = 499

// decide says what becomes of an answer of which the header is known.
func (a *answerWriter) decide() {
	x, status := a.x, a.status
	switch {
	case !isIdentity(a.header[headerEncoding]):
		a.fail("its content coding was not asked for")
	case x.old != nil:
		a.posted()
	case status == http.StatusNotFound && x.session != "":
		// However the server words it: clients look for exactly this.
		a.instead(lostSession(), "the upstream no longer knows the session")
	case status < 300:
		a.accept()
	case status < 400, status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		// Between us and the upstream, and none of the client's business.
		a.fail("its status is " + strconv.Itoa(status))
	case x.r.Method == http.MethodPost && isJSON(a.header[headerContentType]):
		a.mode = collecting
	default:
		a.foreign()
	}
}

// accept takes an answer with a status of success.
func (a *answerWriter) accept() {
	x, kind := a.x, a.header[headerContentType]
	switch {
	case x.r.Method == http.MethodDelete:
		a.nothing(a.status)
	case x.r.Method == http.MethodPost && len(x.ids) == 0:
		// Nothing was asked, and so nothing is answered.
		a.nothing(http.StatusAccepted)
	case isStream(kind):
		a.begin()
	case x.r.Method == http.MethodPost && isJSON(kind):
		a.mode = collecting
	case x.r.Method == http.MethodPost && (a.status == http.StatusAccepted || a.status == http.StatusNoContent):
		a.nothing(http.StatusAccepted)
	default:
		a.fail("its content type is neither " + typeJSON + " nor " + typeStream)
	}
}

// nothing answers without a body.
func (a *answerWriter) nothing(status int) {
	a.mode = draining
	if isStream(a.header[headerContentType]) {
		a.before()
	}
	if err := a.session(); err != nil {
		a.fail(err.Error())
		return
	}
	a.x.empty(status)
}

// session puts the handle of the session that the answer names in our header.
// Revision 2026-07-28 has no sessions.
func (a *answerWriter) session() error {
	x, values := a.x, a.header[headerSession]
	if len(values) == 0 || x.rev.eras() == modern || x.r.Method != http.MethodPost {
		return nil
	}
	if len(values) > 1 {
		return fault("it names more than one session")
	}
	handle, err := x.sessionFor(values[0])
	if err == nil {
		x.w.Header()[headerSession] = x.value(handle)
	}
	return err
}

// finish ends the answer when next has returned with err.
func (a *answerWriter) finish(err error) error {
	if a.mode == undecided && err == nil {
		a.WriteHeader(http.StatusOK)
	}
	switch a.mode {
	case undecided, collecting:
		if err != nil {
			a.unanswered(err)
			return nil
		}
		a.answer()
	case dividing:
		return a.rest(err)
	case halted:
		return errUnwanted
	case streaming:
		if err != nil && !a.gone() && a.stream.interrupted() {
			return nil
		}
		if end := a.stream.end(); err == nil {
			err = end
		}
		if err != nil {
			a.x.out.Reason = clip("the stream broke off: " + err.Error())
		}
		return err
	}
	return nil
}

// unanswered answers for an upstream that did not.
func (a *answerWriter) unanswered(err error) {
	switch x := a.x; {
	case a.gone():
	case x.r.Method == http.MethodGet && x.hop.Live.Ended():
		// We ended it before the server began: to the client a stream that ends like any other, which it opens again.
		a.begin()
		_ = a.stream.end() // fails only if the client is gone
	case x.hop == nil || !x.hop.Gone:
		a.fail(err.Error())
	case x.session == "" && len(x.tasks) > 0:
		a.instead(invalid("Unknown task"), "the upstream that has the task is no longer one of this server's")
	case x.session == "" && x.old == nil:
		a.instead(unknownEvent(), "the upstream is no longer one of this server's")
	default:
		// Clients begin another session, with a server that there is.
		a.instead(lostSession(), "the upstream is no longer one of this server's")
	}
}

// gone notes that the client has left, if it has.
func (a *answerWriter) gone() bool {
	if !errors.Is(a.x.r.Context().Err(), context.Canceled) {
		return false
	}
	a.mode = draining
	if a.x.out.Status == 0 {
		a.x.out.Status = statusClosed
	}
	a.x.out.Reason = "the client left"
	return true
}

// broken is called when next gives up, as a proxy does that has lost its upstream.
// An answer that has not begun is given all the same. It reports whether the
// client has a whole answer.
func (a *answerWriter) broken() bool {
	if a.gone() {
		return false
	}
	switch a.mode {
	case undecided, collecting:
		a.fail("it broke off")
	case dividing:
		if a.x.out.Status == 0 {
			a.fail("it broke off")
			return true
		}
		a.stop(fault("the upstream is gone"))
		return false
	case halted:
		return false
	case streaming:
		return a.stream.interrupted()
	}
	return true
}

// answer sends the JSON answer on, filtered.
func (a *answerWriter) answer() {
	a.mode = draining
	a.f = filters.Get().(*filter)
	if a.buf == nil {
		a.buf = newBuffer(0) // there was no body
	}
	body, err := a.x.screenAnswer(a.f, a.buf.b, a.status)
	if err == nil {
		err = a.session()
	}
	if err != nil {
		a.reject(err)
		return
	}
	a.retryAfter()
	a.x.reply(a.succeeded(), body)
}

// reject answers in the place of a JSON answer that does not pass.
func (a *answerWriter) reject(err error) {
	a.mode = draining
	if a.status >= 400 && a.status < 500 {
		a.note(err.Error())
		a.foreign()
		return
	}
	if r := refuseUnasked(err); r != nil {
		a.x.refuse(a.x.onlyID(), r)
		return
	}
	a.fail(err.Error())
}

// succeeded is the status of an answer that passes: there is only one of success.
func (a *answerWriter) succeeded() int {
	if a.status < 300 {
		return http.StatusOK
	}
	return a.status
}

// foreign answers for an upstream that refused without a message we could send on.
// The status stays: clients find out by it which kind of server they talk to.
func (a *answerWriter) foreign() {
	if a.status >= 500 {
		a.fail("its status is " + strconv.Itoa(a.status))
		return
	}
	r := &refusal{
		status: a.status, code: jsonrpc.CodeInternal,
		message: "The MCP server refused the request (request id " + a.x.out.RequestID + ")",
	}
	if a.status == http.StatusMethodNotAllowed {
		r.allow = allowed(a.header["Allow"])
	}
	a.retryAfter()
	a.instead(r, "the upstream's status is "+strconv.Itoa(a.status))
}

// allowed returns those methods of an Allow header (RFC 9110 §10.2.1) that this transport has.
func allowed(values []string) string {
	var methods []string
	for method := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch method = trim(method); method {
		case http.MethodGet, http.MethodPost, http.MethodDelete:
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}

// retryAfter passes on how long to wait, in seconds (RFC 9110 §10.2.3).
func (a *answerWriter) retryAfter() {
	if v := a.header["Retry-After"]; len(v) == 1 {
		if n, err := strconv.ParseUint(v[0], 10, 32); err == nil {
			a.x.w.Header()["Retry-After"] = []string{strconv.FormatUint(n, 10)}
		}
	}
}

// instead answers in the place of an upstream whose refusal stands.
func (a *answerWriter) instead(r *refusal, reason string) {
	a.mode = draining
	a.before()
	r.decision, r.reason = a.x.out.Decision, reason
	a.x.refuse(a.x.onlyID(), r)
}

// fail answers for an upstream whose answer does not pass.
func (a *answerWriter) fail(reason string) {
	a.mode = draining
	a.before()
	a.note(reason)
	a.retryAfter()
	a.x.refuse(a.x.onlyID(), a.x.unavailable(http.StatusBadGateway, "the upstream's answer does not pass: "+reason))
}

// note logs why an answer did not pass as it came.
func (a *answerWriter) note(reason string) {
	a.x.warn("the upstream's answer does not pass", fault(reason))
}

// onlyID is the id of the request, nil if there is none or more than one.
func (x *exchange) onlyID() []byte {
	if len(x.ids) == 1 {
		return x.ids[0]
	}
	return nil
}

// release gives memory back. Nothing of the answer is in use any more.
func (a *answerWriter) release() {
	if a.stream != nil {
		a.stream.drop()
	}
	a.leave()
	a.mode = draining
	a.buf.release()
	a.buf = nil
	if a.stream != nil {
		a.stream.out.release()
		a.stream = nil
	}
	a.forget()
}

// forget gives the filter back, if there is one.
func (a *answerWriter) forget() {
	if a.f != nil {
		a.f.release()
		a.f = nil
	}
}
