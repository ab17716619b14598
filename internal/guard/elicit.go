package guard

import (
	"encoding/json"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// A client that can show its person an address (URL mode of elicitation, since revision 2025-11-25) sends them to the page
// where a call is approved. Up to that revision it is asked on the stream that answers the call; from 2026-07-28 on it is
// answered that input is required, and makes the call again.

// inputKey names what the gateway asks within a result, and the answer to it.
const inputKey = "mcp_gateway_approval"

// elicitPrefix is what the ids of the gateway's own requests to clients begin with.
const elicitPrefix = "mcp-gateway-approval-"

// elicitID is the id of the request that sends a person to the page of a call, raw.
func elicitID(c *approval.Call) []byte {
	id, _ := c.ID() // it was asked for before
	return jsonrpc.AppendString(nil, elicitPrefix+id)
}

// elicitParams are the parameters of a request that sends a person to a page. Up to 2025-11-25 it has a name.
func elicitParams(v *verdict, page string, name []byte) []byte {
	b := jsonrpc.AppendString([]byte(`{"mode":"url","message":`), pleaseApprove(called(v.kind, v.name)))
	b = jsonrpc.AppendString(append(b, `,"url":`...), page)
	if name != nil {
		b = append(append(b, `,"elicitationId":`...), name...)
	}
	return append(b, '}')
}

// elicit makes the request that sends a person to a page (revision 2025-11-25, "URL Mode Elicitation Requests").
func elicit(v *verdict, c *approval.Call, page string) []byte {
	id := elicitID(c)
	b := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	b = append(append(b, `,"method":"elicitation/create","params":`...), elicitParams(v, page, id)...)
	return append(b, '}')
}

// elicitComplete says that the page is of no use any more.
func elicitComplete(c *approval.Call) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":`), elicitID(c)...)
	return append(b, "}}"...)
}

// urlRequired answers that a person has to open a page before the call is made again (revision 2025-11-25, "URL Elicitation
// Required Error").
func urlRequired(v *verdict, c *approval.Call, page string) *refusal {
	r := notDone(v.kind, notApprovedYet(called(v.kind, v.name), page), "its person is sent to approve it")
	r.told, r.code, r.decision = false, codeURLElicitation, Asked
	r.data = append(append([]byte(`{"elicitations":[`), elicitParams(v, page, elicitID(c))...), "]}"...)
	return r
}

// inputRequired answers that a person has to open a page, and that the call is then to be made again (revision 2026-07-28,
// "Multi Round-Trip Requests"). What is asked for is known by the call itself, so there is no state that a client could change.
func inputRequired(v *verdict, page string) *refusal {
	r := notDone(v.kind, "", "its person is sent to approve it")
	r.decision = Asked
	r.result = append([]byte(`{"resultType":"input_required","inputRequests":{"`+inputKey+`":{"method":"elicitation/create","params":`), elicitParams(v, page, nil)...)
	r.result = append(r.result, "}}}"...)
	return r
}

// answer is what a client says of being asked.
type answer uint8

const (
	notAsked answer = iota
	accepted        // its person goes to the page
	declined        // its person does not
)

// elicited returns what a call that is made again says of the gateway's asking, and notes the edit that keeps this from the
// server, unless v is nil.
func (x *exchange) elicited(m *jsonrpc.Message, v *verdict) answer {
	if x.rev.eras() != modern || m.Params.Raw == nil {
		return notAsked
	}
	params, _ := memberOf(m.Raw, 0, "params")
	responses, end := memberOf(m.Raw, params, "inputResponses")
	if responses == end || m.Raw[responses] != '{' {
		return notAsked
	}
	ours, end := memberOf(m.Raw, responses, inputKey)
	if ours == end {
		return notAsked
	}
	if v != nil {
		if count(m.Raw, responses) == 1 {
			v.edits = append(v.edits, leaveOut(m.Raw, params, "inputResponses"))
		} else {
			v.edits = append(v.edits, leaveOut(m.Raw, responses, inputKey))
		}
	}
	return said(m.Raw[ours:end])
}

// said reads the result of an elicitation. What can't be read is no consent.
func said(result []byte) answer {
	var r struct {
		Action string `json:"action"`
	}
	if json.Unmarshal(result, &r) != nil || r.Action != "accept" {
		return declined
	}
	return accepted
}

// count counts the members of the object that begins at i.
func count(text []byte, i int) (n int) {
	members(text, i, func([]byte, int, int, int) { n++ })
	return n
}

// leaveOut makes the edit that takes a member that is there out of the object that begins at i.
func leaveOut(text []byte, i int, name string) jsonrpc.Edit {
	var e jsonrpc.Edit
	before, found, first := 0, false, true
	members(text, i, func(key []byte, at, _, end int) {
		switch {
		case string(key) == name:
			found = true
			if e = (jsonrpc.Edit{Start: before, End: end}); first {
				e.Start = at
			}
		case found && first:
			e.End, found = at, false // the comma that follows goes as well
		case !found:
			first = false
		}
		before = end
	})
	return e
}

// offersURLs reports whether a message says that its client can show its person an address (revision 2026-07-28,
// "Capabilities" of elicitation).
func (x *exchange) offersURLs(m *jsonrpc.Message) bool {
	return has(m.Params.Meta, "io.modelcontextprotocol/clientCapabilities", "elicitation", "url")
}

// has reports whether there is an object at the end of a path of members.
func has(text []byte, path ...string) bool {
	start, end := 0, len(text)
	for _, name := range path {
		if start, end = memberOf(text, start, name); start == end {
			return false
		}
	}
	return start < end && text[start] == '{'
}

// answersUs takes a client's answer to a request of the gateway's own, and reports whether it was one. One who declines waits
// no longer.
func (x *exchange) answersUs(m *jsonrpc.Message) bool {
	if m.Kind != jsonrpc.Result && m.Kind != jsonrpc.Failure || !isElicitID(m.ID) {
		return false
	}
	if start, end := memberOf(m.Raw, 0, "result"); m.Kind == jsonrpc.Result && said(m.Raw[start:end]) == declined {
		x.g.waits.cancel(x.waitKey(m.ID))
	}
	return true
}

// isElicitID reports whether an id, raw, is of a request of the gateway's own.
func isElicitID(id []byte) bool {
	return len(id) > len(elicitPrefix) && string(id[1:len(elicitPrefix)+1]) == elicitPrefix
}
