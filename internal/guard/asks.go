package guard

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// Asks is a set of what a server asks of clients.
type Asks uint8

// What a server may ask a client for.
const (
	AskElicitation Asks = 1 << iota // input of the person's, also at a URL
	AskSampling                     // an answer of the client's model
	AskRoots                        // which folders it may work in
)

// askKinds are the requests by which a server asks: on a stream, or from 2026-07-28 on within a result.
var askKinds = map[string]Asks{
	"elicitation/create":     AskElicitation,
	"sampling/createMessage": AskSampling,
	"roots/list":             AskRoots,
}

// codeURLElicitation is of an error by which a server has the person open a page (revision 2025-11-25).
const codeURLElicitation = -32042

// unasked is why an answer does not pass that asks for what may not be asked for.
type unasked struct{}

func (unasked) Error() string { return "it asks the client for what this server may not ask for" }

// refuseUnasked makes the answer in the place of one that err keeps back, if the client can be told why; otherwise nil.
func refuseUnasked(err error) *refusal {
	if !errors.As(err, new(unasked)) {
		return nil
	}
	return &refusal{
		status: http.StatusOK, code: jsonrpc.CodeInternal, decision: Failed, reason: err.Error(),
		message: "The MCP server asked for something that it may not ask for here. Trying again will not help",
	}
}

// mayAsk says why a message does not pass for what it asks the client, if it does not.
func (x *exchange) mayAsk(fr *frame) error {
	switch {
	case fr.asks&x.g.cfg.MayNotAsk != 0 && (fr.kind == jsonrpc.Request || fr.kind == jsonrpc.Notification):
		return dropped(unasked{}.Error())
	case fr.asks&x.g.cfg.MayNotAsk != 0:
		return unasked{}
	case fr.asksElse != "" && !x.allowsMethod(fr.asksElse):
		return fault("it asks the client for what is not judged")
	}
	return nil
}

// asksFor notes a request that a message has within it.
func (f *filter) asksFor(method string) {
	if kind, known := askKinds[method]; known {
		f.fr.asks |= kind
	} else {
		f.fr.asksElse = method
	}
}

var askNames = jsonrpc.NewNames("method")

// inputRequests reads what a server asks within a result, by keys of its own (revision 2026-07-28, "Multi Round-Trip
// Requests").
func (f *filter) inputRequests() error {
	if f.s.space() != '{' {
		return fault("input requests that are not an object")
	}
	f.flow.shut = true // what is asked is judged when all of the message was seen
	return f.object(func([]byte) error {
		methods := 0
		err := f.object(func(name []byte) error {
			known, variant := askNames.Match(name)
			switch {
			case known:
				methods++
				method, ok := f.s.text()
				if !ok {
					return fault("an input request's method is not a string")
				}
				f.asksFor(method)
				return nil
			case variant:
				return fault("another spelling of an input request's method")
			}
			if !f.s.skip() {
				return errJSON
			}
			return nil
		})
		if err == nil && methods != 1 {
			err = fault("an input request with no one method")
		}
		return err
	})
}

// errorCode reads the code of an error.
func (f *filter) errorCode() error {
	raw, _, err := f.value()
	if err != nil {
		return err
	}
	if n, err := strconv.ParseFloat(string(raw), 64); err == nil && n == codeURLElicitation {
		f.fr.asks |= AskElicitation
	}
	return nil
}

// quieten notes the edit that takes off what a client says it can be asked for and may not be: a server that heeds it
// (revision 2025-11-25, "Capability Negotiation") does not ask.
func (x *exchange) quieten(m *jsonrpc.Message, v *verdict) {
	if x.g.cfg.MayNotAsk == 0 {
		return
	}
	path := []string{"params", "_meta", "io.modelcontextprotocol/clientCapabilities"}
	if m.Method == "initialize" {
		path = []string{"params", "capabilities"}
	}
	start, end := 0, len(m.Raw)
	for _, name := range path {
		if start, end = memberOf(m.Raw, start, name); start == end {
			return
		}
	}
	capabilities := m.Raw[start:end]
	if left := x.g.cfg.MayNotAsk.without(capabilities, ""); len(left) < len(capabilities) {
		v.edits = append(v.edits, jsonrpc.Edit{Start: start, End: end, With: left})
	}
}

// memberOf returns where the value of a member stands of the object that begins at i of valid JSON; nowhere is 0 and 0.
func memberOf(text []byte, i int, name string) (start, end int) {
	members(text, i, func(key []byte, _, from, to int) {
		if string(key) == name {
			start, end = from, to
		}
	})
	return start, end
}

// members calls member for every member of the object that begins at i of valid JSON, with its name, where the name as it
// is written begins, and where the value begins and ends.
func members(text []byte, i int, member func(key []byte, name, start, end int)) {
	s := scanner{b: text, i: i}
	if s.space() != '{' || !s.enter('{') {
		return
	}
	var scratch []byte
	for first := true; ; first = false {
		if more, ok := s.next('}', first); !ok || !more {
			return
		}
		s.space()
		name := s.i
		key, ok := s.key(&scratch)
		if !ok {
			return
		}
		s.space()
		start := s.i
		if !s.skip() {
			return
		}
		member(key, name, start, s.i)
	}
}

// capabilityOf says by which member of a client's capabilities it offers what.
var capabilityOf = map[string]Asks{
	"/elicitation":                AskElicitation,
	"/sampling":                   AskSampling,
	"/roots":                      AskRoots,
	"/tasks/requests/elicitation": AskElicitation,
	"/tasks/requests/sampling":    AskSampling,
}

// without returns a client's capabilities without those that offer what is in a. What stays keeps its bytes.
func (a Asks) without(object []byte, path string) []byte {
	left, changed := []byte{'{'}, false
	members(object, 0, func(key []byte, name, start, end int) {
		at, value := path+"/"+string(key), object[start:end]
		if capabilityOf[at]&a != 0 {
			changed = true
			return
		}
		if at == "/tasks" || at == "/tasks/requests" {
			value = a.without(value, at)
			changed = changed || len(value) < end-start
		}
		if len(left) > 1 {
			left = append(left, ',')
		}
		left = append(append(left, object[name:start]...), value...)
	})
	if !changed {
		return object
	}
	return append(left, '}')
}
