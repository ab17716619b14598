package guard

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// The HTTP+SSE transport of revision 2024-11-05, which later ones deprecate, has two places: a GET opens a stream, whose
// first event, endpoint, names where messages are posted to. Answers come on the stream.
//
// A mount needs no setting for it: the endpoint event tells a server of this transport from one of Streamable HTTP, which
// never sends it, and such a server's answer to a POST at its endpoint tells a client that tries Streamable HTTP first to
// go on with a GET. Clients get the mount itself with the place, sealed, as its query. So nothing below the mount has to
// be served, the place is of no use to anyone else, and whichever node a message comes to knows where it goes. What only
// the node with the stream can do is to refuse on it.

// purposeEndpoint is the purpose of sealed places that messages are posted to.
const purposeEndpoint = "mcp endpoint"

// endpointQuery is what the query of such a place begins with. The rest is the handle.
const endpointQuery = "session="

// oldPost is a message posted to an endpoint of HTTP+SSE.
type oldPost struct {
	handle string // sealed
	stream string // key of the stream that it belongs to
}

// recognize finds out whether the request is a message of HTTP+SSE.
func (x *exchange) recognize() {
	if x.r.Method != http.MethodPost {
		return
	}
	if handle, found := strings.CutPrefix(x.r.URL.RawQuery, endpointQuery); found {
		x.old, x.rev = &oldPost{handle: handle}, rev20241105
	}
}

// supportedOld are the revisions that clients and servers of HTTP+SSE agree on, newest first, as raw JSON.
const supportedOld = `["2025-11-25","2025-06-18","2025-03-26","2024-11-05"]`

// openEndpoint opens the place that a message of HTTP+SSE is posted to.
func (x *exchange) openEndpoint(m *jsonrpc.Message) *refusal {
	switch {
	case x.old == nil:
		return nil
	case x.r.Header[headerSession] != nil:
		return malformed("This transport has no " + headerSession)
	}
	plain, refused := x.open(purposeEndpoint, x.old.handle, lostSession)
	if refused != nil {
		return refused
	}
	stream, rest, _ := strings.Cut(plain, "\n")
	upstream, target, _ := strings.Cut(rest, "\n")
	to, err := url.ParseRequestURI(target)
	if err != nil {
		return lostSession() // nothing that we sealed
	}
	x.old.stream, x.out.Session = stream, shortHash(stream)
	x.hop = &Hop{Target: to, Upstream: upstream}
	return x.predates(m)
}

// predates refuses revision 2026-07-28, which does not have this transport. Clients ask for it first, some of them only in
// the body, and take up an earlier one if they are refused where they read answers.
func (x *exchange) predates(m *jsonrpc.Message) *refusal {
	version := m.Params.ProtocolVersion.Value
	if m.Method == "initialize" {
		version = "" // what it proposes there is between the client and the server
	}
	if values := x.r.Header[headerVersion]; len(values) == 1 {
		version = trim(values[0])
	}
	if rev, known := revisions[version]; !known || rev.eras() != modern {
		return nil
	}
	r := unsupported(version)
	r.data = jsonrpc.AppendString([]byte(`{"supported":`+supportedOld+`,"requested":`), version)
	r.data = append(r.data, '}')
	if m.Kind == jsonrpc.Request {
		r.status = http.StatusOK
	}
	return r
}

// mayListen says why a GET may not open a stream of HTTP+SSE, nil if it may. It has no session: sessions are of
// Streamable HTTP.
func (x *exchange) mayListen() *refusal {
	if x.r.Method != http.MethodGet || x.claims.session.set {
		return nil
	}
	if x.g.listeners.full(x.caller.Grant) {
		return protocol(http.StatusTooManyRequests, jsonrpc.CodeInvalidRequest, "Too many streams are open")
	}
	return nil
}

// endpoint makes the endpoint event that goes on of the server's. It returns nil if none does.
func (s *stream) endpoint(data []byte) ([]byte, error) {
	a, x := s.a, s.a.x
	switch {
	case a.listening != "":
		// A client would leave the session that it has.
		x.warn("an event is left out", fault("a second endpoint"))
		return nil, nil
	case x.r.Method != http.MethodGet || x.claims.session.set || s.began:
		return nil, fault("an endpoint event that does not open a stream of HTTP+SSE")
	}
	to, err := resolveEndpoint(x.hop.Asked, string(data))
	if err != nil {
		return nil, err
	}
	if strings.Contains(x.hop.From, "\n") {
		return nil, fault("an upstream without a name")
	}
	key := rand.Text()
	handle, err := x.sealHandle(purposeEndpoint, key+"\n"+x.hop.From+"\n"+to.RequestURI())
	if err != nil {
		return nil, err
	}
	if !x.g.listeners.add(key, x.caller.Grant, a.live) {
		return nil, fault("too many streams of HTTP+SSE under one grant")
	}
	a.listening = key
	if !x.claims.version.set {
		x.rev, x.out.Protocol = rev20241105, rev20241105.String()
	}
	x.out.Session = shortHash(key)
	return []byte(x.mount() + "?" + endpointQuery + handle), nil
}

// mount is the path that the client knows the server by.
func (x *exchange) mount() string {
	_, rest, _ := strings.Cut(x.caller.Resource, "://")
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

// leave takes the stream out of those that messages of ours are written to.
func (a *answerWriter) leave() {
	if a.listening != "" {
		a.x.g.listeners.remove(a.listening, a.x.caller.Grant)
	}
	if a.live != nil {
		a.live.close()
	}
}

// onStream answers a message of HTTP+SSE that does not go on, where its client reads answers.
func (x *exchange) onStream(id, answer []byte) {
	l := x.g.listeners.find(x.old.stream)
	if l == nil || !l.deliver(x.r.Context(), answer) {
		// Ended, or on another node. The client learns from the status that there is no answer.
		lost := lostSession()
		x.reply(lost.status, lost.append(nil, id, legacy))
		return
	}
	x.empty(http.StatusAccepted)
}

// posted says what becomes of the server's answer to a message of HTTP+SSE, whose body is of no meaning.
func (a *answerWriter) posted() {
	switch status := a.status; {
	case status < 300:
		a.mode = draining
		a.before()
		a.x.empty(http.StatusAccepted)
	case status == http.StatusNotFound:
		a.instead(lostSession(), "the upstream no longer knows the stream")
	case status < 400, status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		// Between us and the upstream, and none of the client's business.
		a.fail("its status is " + strconv.Itoa(status))
	default:
		a.foreign()
	}
}
