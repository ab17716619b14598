package guard

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// admit judges the request and answers it if it may not go on. ok says that
// x.body is what goes on.
func (x *exchange) admit() (ok bool) {
	id, r := x.examine()
	if r != nil {
		x.refuse(id, r)
		return false
	}
	return !x.answered // a batch answers itself
}

// examine judges the request. It returns the refusal, if there is one, and the id
// that it answers.
func (x *exchange) examine() (id []byte, r *refusal) {
	x.out.Method = shorten(x.r.Method, mostNamed)
	x.rev = rev20250326 // what revision 2025-06-18 says to assume without the header
	x.recognize()
	s := x.subject()
	if s == nil {
		return nil, x.unavailable(http.StatusServiceUnavailable, "the caller's grant has ended")
	}
	x.person = s.ID
	switch x.r.Method {
	case http.MethodPost:
		return x.post()
	case http.MethodGet, http.MethodDelete:
		return nil, x.bare()
	}
	r = protocol(http.StatusMethodNotAllowed, jsonrpc.CodeInvalidRequest, "Method not allowed")
	r.allow = "GET, POST, DELETE"
	return nil, r
}

// post reads and judges a request with a message.
func (x *exchange) post() (id []byte, r *refusal) {
	switch {
	case !isJSON(x.r.Header[headerContentType]):
		return nil, protocol(http.StatusUnsupportedMediaType, jsonrpc.CodeInvalidRequest, "Content-Type must be application/json")
	case !isIdentity(x.r.Header[headerEncoding]):
		return nil, protocol(http.StatusUnsupportedMediaType, jsonrpc.CodeInvalidRequest, "Content-Encoding is not accepted")
	}
	body, r := x.read()
	if r != nil {
		return nil, r
	}
	x.body = body
	if jsonrpc.IsBatch(body) {
		return nil, x.postBatch()
	}
	m, err := jsonrpc.Parse(body, jsonrpc.Limits{})
	if err != nil {
		return parseRefused(err)
	}
	x.out.Method = m.Method
	if m.Method == "" {
		x.out.Method = m.Kind.String()
	}
	if m.Kind == jsonrpc.Request {
		id = m.ID // nothing else is answered
	}
	if r := x.openEndpoint(m); r != nil {
		return id, r
	}
	if r := x.agree(m); r != nil {
		return id, r
	}
	if r := x.openSession(); r != nil {
		return id, r
	}
	if x.answersUs(m) {
		x.empty(http.StatusAccepted)
		x.answered = true
		return nil, nil
	}
	switch m.Method {
	case methodCancelled:
		x.cancelled(m)
	case "initialize":
		x.urls = has(m.Params.Raw, "capabilities", "elicitation", "url")
	}
	x.aim()
	if m.Method == methodListen && x.rev.eras() == modern {
		x.subscribe(m)
	}
	v := x.judge(m)
	x.report(&v)
	if r := v.refusal; r != nil {
		if id == nil && r.status == http.StatusOK {
			r.status = http.StatusBadRequest
		}
		return id, r
	}
	if r := x.mirrors(m); r != nil {
		return id, r
	}
	if r := x.approve(m, &v); r != nil {
		x.out.Rule = v.rule
		return id, r
	}
	if r := x.spend(m, &v); r != nil {
		return id, r
	}
	if id != nil {
		x.ids = append(x.oneID[:0], id)
	}
	if methods[m.Method].target == tool {
		x.calls(m)
	}
	if len(v.edits) > 0 {
		if x.body = jsonrpc.Splice(body, v.edits...); x.body == nil {
			return id, x.unavailable(http.StatusServiceUnavailable, "a handle could not be put in its place")
		}
	}
	return id, nil
}

// report notes in the Outcome what the policy was asked and said.
func (x *exchange) report(v *verdict) {
	x.out.HasTarget, x.out.Kind, x.out.Name, x.out.Rule = v.named, v.kind, shorten(v.name, mostNamed), v.rule
	if v.observed {
		x.out.Decision = Observe
	}
}

// parseRefused makes the refusal of what is not one message.
func parseRefused(err error) (id []byte, r *refusal) {
	var e *jsonrpc.Error
	if !errors.As(err, &e) {
		return nil, malformed("Not a JSON-RPC message")
	}
	return e.ID, protocol(http.StatusBadRequest, e.Code, e.Reason)
}

// firstRead is how much is set aside for a body before any of it has arrived.
const firstRead = 64 << 10

// read reads the body, whole and within bounds. Its memory is not reused: a
// transport may still be reading it when next has returned.
func (x *exchange) read() ([]byte, *refusal) {
	most := x.g.cfg.MaxBody
	if x.r.ContentLength > most {
		return nil, tooLarge()
	}
	size := int64(512)
	if x.r.ContentLength >= 0 {
		// One more, to see the end without growing.
		size = min(x.r.ContentLength+1, firstRead)
	}
	b := make([]byte, 0, size)
	for {
		n, err := x.r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > most {
			return nil, tooLarge()
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, unread(err)
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// unread makes the refusal of a body that could not be read to its end.
func unread(err error) *refusal {
	if limit := new(http.MaxBytesError); errors.As(err, &limit) {
		return tooLarge() // for whoever set the limit
	}
	r := malformed("The body could not be read")
	r.reason = "reading the body: " + err.Error()
	return r
}

func tooLarge() *refusal {
	return protocol(http.StatusRequestEntityTooLarge, jsonrpc.CodeInvalidRequest, "The body is too large")
}

// agree compares the headers with the message, and settles the revision.
func (x *exchange) agree(m *jsonrpc.Message) *refusal {
	c, reason := readClaims(x.r.Header)
	if reason != "" {
		return mismatch(reason)
	}
	x.claims = c
	var meta jsonrpc.Text // what the body says; initialize names there what it proposes
	if m.Method != "initialize" {
		meta = m.Params.ProtocolVersion
	} else if _, ok := revisions[m.Params.ProtocolVersion.Value]; ok {
		x.out.Protocol = m.Params.ProtocolVersion.Value
	}
	switch {
	case !c.version.set && meta.Set:
		return mismatch(headerVersion + " is missing")
	case meta.Set && meta.Value != c.version.value:
		return mismatch(headerVersion + " differs from the body")
	}
	if r := x.settle(c.version); r != nil {
		return r
	}
	if x.rev.eras() == modern && m.Kind == jsonrpc.Request {
		if !c.method.set {
			return mismatch(headerMethod + " is missing")
		}
		if methods[m.Method].named && !c.name.set {
			return mismatch(headerName + " is missing")
		}
	}
	if c.method.set && c.method.value != m.Method {
		return mismatch(headerMethod + " differs from the body")
	}
	if name := mirrored(m); c.name.set && (!name.Set || c.name.value != name.Value) {
		return mismatch(headerName + " differs from the body")
	}
	if x.rev.eras() == modern && m.Kind == jsonrpc.Request && !meta.Set && m.Method != "initialize" {
		r := invalid("Missing or invalid _meta field " + metaVersion)
		r.status = http.StatusBadRequest
		return r
	}
	return nil
}

// mirrored returns the member of the body that Mcp-Name repeats: params.name or
// params.uri, whichever the method goes by, and in the tasks extension params.taskId.
func mirrored(m *jsonrpc.Message) jsonrpc.Text {
	switch {
	case methods[m.Method].target == resource:
		return m.Params.URI
	case strings.HasPrefix(m.Method, "tasks/"):
		return m.Params.TaskID
	}
	return m.Params.Name
}

// settle takes the revision from the header. Without one it stays what it was.
func (x *exchange) settle(version field) *refusal {
	if version.set {
		rev, ok := revisions[version.value]
		if !ok {
			return unsupported(version.value)
		}
		x.rev = rev
	}
	if version.set || x.out.Protocol == "" {
		x.out.Protocol = x.rev.String()
	}
	return nil
}

// headerEra returns the era that the headers claim, for answers to what could not
// be read.
func (x *exchange) headerEra() eras {
	if v := x.r.Header[headerVersion]; len(v) == 1 {
		if rev, ok := revisions[v[0]]; ok {
			return rev.eras()
		}
	}
	return x.rev.eras()
}

// bare judges a request without a message: GET, which opens or resumes a stream, and
// DELETE, which ends a session. Revision 2026-07-28 has neither.
func (x *exchange) bare() *refusal {
	c, reason := readClaims(x.r.Header)
	switch {
	case reason != "":
		return mismatch(reason)
	case c.method.set || c.name.set:
		return mismatch("there is no message for " + headerMethod + " and " + headerName)
	}
	x.claims = c
	if r := x.settle(c.version); r != nil {
		return r
	}
	if x.rev.eras() == modern {
		r := protocol(http.StatusMethodNotAllowed, jsonrpc.CodeInvalidRequest, "Method not allowed")
		r.allow = http.MethodPost
		return r
	}
	if r := x.openSession(); r != nil {
		return r
	}
	if r := x.mayListen(); r != nil {
		return r
	}
	switch {
	case x.r.Method == http.MethodDelete && !c.session.set:
		return malformed(headerSession + " is missing")
	case c.lastEvent.set && x.r.Method == http.MethodGet:
		if r := x.openEvent(); r != nil {
			return r
		}
	}
	x.aim()
	return nil
}
