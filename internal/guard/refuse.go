package guard

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// refusal is an answer of our own in the place of the server's.
type refusal struct {
	status   int    // HTTP
	code     int    // JSON-RPC
	message  string // for the client
	result   []byte // raw JSON, in the place of an error; nil for none
	told     bool   // message is for the model: it is the result of a tool that was not run
	data     []byte // raw JSON for it; nil for none
	decision string // of the Outcome
	reason   string // for the log; the message if empty
	allow    string // methods, with 405
}

// protocol makes a refusal of what the protocol does not permit.
func protocol(status, code int, message string) *refusal {
	return &refusal{status: status, code: code, message: message, decision: Refuse}
}

// malformed refuses a body that is not one unambiguous message.
func malformed(message string) *refusal {
	return protocol(http.StatusBadRequest, jsonrpc.CodeInvalidRequest, message)
}

// mismatch refuses headers that are missing, malformed or say something else than
// the body (revision 2026-07-28, "Server Validation").
func mismatch(what string) *refusal {
	return protocol(http.StatusBadRequest, jsonrpc.CodeHeaderMismatch, "Header mismatch: "+what)
}

// invalid refuses parameters that a server would not understand.
func invalid(what string) *refusal {
	return protocol(http.StatusOK, jsonrpc.CodeInvalidParams, what)
}

// unsupported refuses a revision we do not know.
func unsupported(version string) *refusal {
	r := protocol(http.StatusBadRequest, jsonrpc.CodeUnsupportedVersion, "Unsupported protocol version")
	r.data = append(r.data, `{"supported":`+supported+`,"requested":`...)
	r.data = append(jsonrpc.AppendString(r.data, clip(version)), '}')
	return r
}

// unknownMethod refuses a method that the revision does not have or the guard does
// not judge. What has no id gets no JSON-RPC answer, so HTTP says it.
func unknownMethod(v revision, kind jsonrpc.Kind, name string) *refusal {
	status := http.StatusOK
	switch {
	case v.eras() == modern:
		status = http.StatusNotFound
	case kind == jsonrpc.Notification:
		status = http.StatusBadRequest
	}
	return protocol(status, jsonrpc.CodeMethodNotFound, "Method not found: "+clip(name))
}

// lostSession says that a session is not this caller's, or not at all. Some clients
// start a new one only if the code is this one.
func lostSession() *refusal {
	return protocol(http.StatusNotFound, jsonrpc.CodeSession, "Session not found")
}

// unknownEvent says that an event is not this caller's, or not at all.
func unknownEvent() *refusal {
	r := invalid("Unknown event")
	r.status = http.StatusBadRequest
	return r
}

// hidden says of something the caller may not see what a server says of something
// that does not exist.
func hidden(v revision, kind policy.Kind, name string) *refusal {
	r := &refusal{status: http.StatusOK, code: jsonrpc.CodeInvalidParams, decision: Deny, reason: "the policy does not allow it"}
	switch kind {
	case policy.Tool:
		r.message = "Unknown tool: " + clip(name)
	case policy.Prompt:
		r.message = "Unknown prompt: " + clip(name)
	default:
		if v.eras() != modern {
			r.code = jsonrpc.CodeResourceNotFound
		}
		r.message = "Resource not found"
		r.data = append(jsonrpc.AppendString([]byte(`{"uri":`), clip(name)), '}')
	}
	return r
}

// notDone refuses the use of something that the caller may see. Of a tool, a model has to read why: so it is told by a result
// (revision 2025-11-25, "Tools", "Error Handling"), and by an error of the others.
func notDone(kind policy.Kind, sentence, reason string) *refusal {
	return &refusal{
		status: http.StatusOK, code: jsonrpc.CodeInvalidRequest, message: sentence, told: kind == policy.Tool, decision: Deny, reason: reason,
	}
}

// toolError makes the result of a tool that was not run.
func toolError(sentence string, era eras) []byte {
	b := []byte{'{'}
	if era == modern {
		b = append(b, `"resultType":"complete",`...)
	}
	b = jsonrpc.AppendString(append(b, `"content":[{"type":"text","text":`...), sentence)
	return append(b, `}],"isError":true}`...)
}

// unavailable is the answer when something we depend on failed. The client gets a
// number to report; why is for the log.
func (x *exchange) unavailable(status int, reason string) *refusal {
	message := "The MCP server could not answer"
	if status == http.StatusServiceUnavailable {
		message = "The gateway could not handle the request"
	}
	return &refusal{
		status: status, code: jsonrpc.CodeInternal, decision: Failed, reason: reason,
		message: message + " (request id " + x.out.RequestID + ")",
	}
}

// Bounds of texts that others wrote, in bytes.
const (
	mostAnswered = 1 << 10 // in an answer to a client, or of a reason
	mostNamed    = 256     // in a name of an Outcome: it is written to more than one log
)

// clip bounds what a client's own text costs in an answer to it.
func clip(s string) string { return shorten(s, mostAnswered) }

// shorten cuts a text off if it is longer than most bytes.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// refuse answers the request. id is raw JSON, nil if there is none to answer.
func (x *exchange) refuse(id []byte, r *refusal) {
	x.note(r)
	if r.allow != "" {
		x.w.Header().Set("Allow", r.allow)
	}
	answer := r.append(nil, id, x.headerEra())
	if x.old != nil && r.status == http.StatusOK {
		x.onStream(id, answer)
		return
	}
	x.reply(r.status, answer)
}

// note keeps what was refused, and why, for the Outcome.
func (x *exchange) note(r *refusal) {
	x.out.Decision, x.out.Reason = r.decision, clip(r.reason)
	if r.reason == "" {
		x.out.Reason = clip(r.message)
	}
}

// append appends the error response. Without an id, revision 2026-07-28 leaves the
// member out where JSON-RPC 2.0 §5 writes null.
func (r *refusal) append(dst, id []byte, era eras) []byte {
	if r.result != nil && id != nil {
		return jsonrpc.AppendResult(dst, id, r.result)
	}
	if r.told && id != nil {
		return jsonrpc.AppendResult(dst, id, toolError(r.message, era))
	}
	if id != nil || era != modern {
		return jsonrpc.AppendError(dst, id, r.code, r.message, r.data)
	}
	dst = append(dst, `{"jsonrpc":"2.0","error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(r.code), 10)
	dst = append(dst, `,"message":`...)
	dst = jsonrpc.AppendString(dst, r.message)
	if r.data != nil {
		dst = append(append(dst, `,"data":`...), r.data...)
	}
	return append(dst, "}}"...)
}

// reply writes a whole JSON answer.
func (x *exchange) reply(status int, body []byte) {
	h := x.w.Header()
	h[headerContentType] = x.value(typeJSON)
	h["Content-Length"] = x.value(strconv.Itoa(len(body)))
	x.guarded("no-store")
	x.out.Status = status
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		// An error means that the client is gone, which its context says, too.
		_, _ = x.w.Write(body)
	}
}

// empty writes an answer without a body.
func (x *exchange) empty(status int) {
	h := x.w.Header()
	h["Content-Length"] = x.value("0")
	if status == http.StatusNoContent {
		delete(h, "Content-Length") // RFC 9110 §8.6
	}
	x.guarded("no-store")
	x.out.Status = status
	x.w.WriteHeader(status)
}

// guarded keeps browsers from guessing at an answer, and caches from keeping what
// was filtered for one person.
func (x *exchange) guarded(caching string) {
	h := x.w.Header()
	h["Cache-Control"] = x.value(caching)
	h["X-Content-Type-Options"] = x.value("nosniff")
}
