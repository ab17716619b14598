package guard

import (
	"net/http"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// postBatch judges a batch (revision 2025-03-26, "Sending Messages to the Server")
// message by message. If one may not go on, none does: a server may run them in
// any order, and side by side.
func (x *exchange) postBatch() *refusal {
	x.out.Method = "batch"
	c, reason := readClaims(x.r.Header)
	switch {
	case reason != "":
		return mismatch(reason)
	case c.method.set || c.name.set:
		return mismatch("a batch has no one message for " + headerMethod + " and " + headerName)
	}
	x.claims = c
	if r := x.settle(c.version); r != nil {
		return r
	}
	if !x.rev.batches() || x.old != nil {
		return malformed("This protocol version has no batches")
	}
	batch, err := jsonrpc.ParseBatch(x.body, jsonrpc.Limits{})
	if err != nil {
		_, r := parseRefused(err)
		return r
	}
	for _, m := range batch {
		if m.Method == "initialize" || m.Params.ProtocolVersion.Set {
			return malformed("A batch may not hold what begins a session or names its own protocol version")
		}
	}
	if r := x.openSession(); r != nil {
		return r
	}
	x.aim()
	x.batch = true
	return x.judgeBatch(batch)
}

// judgeBatch judges each message of a batch and makes the body that goes on.
func (x *exchange) judgeBatch(batch []*jsonrpc.Message) *refusal {
	var first *verdict
	verdicts := make([]verdict, len(batch))
	body := []byte{'['}
	for i, m := range batch {
		v := &verdicts[i]
		*v = x.judge(m)
		if v.unclear {
			x.report(v)
			return v.refusal // as what is no batch at all
		}
		if v.refusal != nil && first == nil {
			first = v
		}
		if x.out.Decision != Observe {
			x.report(v) // the first that is only observed is the one to report
		}
		if m.Kind == jsonrpc.Request {
			x.ids = append(x.ids, m.ID)
		}
		raw := m.Raw
		if len(v.edits) > 0 {
			raw = jsonrpc.Splice(raw, v.edits...)
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, raw...)
	}
	if first == nil {
		first = x.settleAll(batch, verdicts)
	}
	if first == nil {
		x.body = append(body, ']')
		return nil
	}
	x.report(first)
	if len(x.ids) == 0 {
		first.refusal.status = http.StatusBadRequest
		return first.refusal
	}
	x.note(first.refusal)
	x.reply(http.StatusOK, x.stopped(batch, verdicts))
	x.answered = true
	return nil
}

// settleAll asks for the approval of the messages of a batch that is about to go on, and counts them. It returns the first that
// may not go on after all; those before it are approved and counted, though they don't go on either.
func (x *exchange) settleAll(batch []*jsonrpc.Message, verdicts []verdict) *verdict {
	for i, m := range batch {
		v := &verdicts[i]
		if v.refusal = x.approved(m, v); v.refusal == nil {
			v.refusal = x.spend(m, v)
		}
		if v.refusal != nil {
			return v
		}
	}
	return nil
}

// stopped answers each request of a batch that did not go on: the refused ones as
// if they had come alone, the others with why they were not run.
func (x *exchange) stopped(batch []*jsonrpc.Message, verdicts []verdict) []byte {
	body := []byte{'['}
	for i, m := range batch {
		if m.Kind != jsonrpc.Request {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		switch r := verdicts[i].refusal; {
		case r != nil:
			body = r.append(body, m.ID, legacy)
		case m.Method == "tools/call":
			body = jsonrpc.AppendResult(body, m.ID, toolError(stoppedWith, legacy))
		default:
			body = jsonrpc.AppendError(body, m.ID, jsonrpc.CodeInvalidRequest, stoppedWith, nil)
		}
	}
	return append(body, ']')
}
