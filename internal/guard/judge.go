package guard

import (
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// verdict is what became of one message on its way in.
type verdict struct {
	refusal *refusal       // nil if it may go on
	edits   []jsonrpc.Edit // handles to open on the way

	named    bool // it names something the policy was asked about
	kind     policy.Kind
	name     string
	rule     string
	limit    *policy.Limit // that a use counts for; nil if it is not limited
	ask      bool          // each use has to be approved by a person first
	observed bool          // the policy denies it and is only observed
	unclear  bool          // its arguments mean one thing to some readers and another to others
}

// rights returns what applies to the caller now, and whether denials are only
// observed.
func (x *exchange) rights() (*policy.View, bool) {
	view, _, observe := x.standing()
	return view, observe
}

// standing is rights, with the caller as they are now.
func (x *exchange) standing() (*policy.View, *policy.Subject, bool) {
	p, s := x.g.cfg.Policy(), x.subject()
	if p == nil || s == nil {
		return new(policy.View), s, false
	}
	return p.View(s, x.g.cfg.Server), s, x.g.cfg.Observe || p.Observe()
}

// subject returns the caller as they are now, nil if their grant has ended.
func (x *exchange) subject() *policy.Subject {
	if x.caller.Subject == nil {
		return nil
	}
	return x.caller.Subject()
}

// allowsMethod reports whether the policy lets a method outside the specification pass.
func (x *exchange) allowsMethod(name string) bool {
	if withheld[name] {
		return false
	}
	p := x.g.cfg.Policy()
	return p != nil && p.AllowsMethod(name)
}

// judge says whether a message may go on.
func (x *exchange) judge(m *jsonrpc.Message) verdict {
	if m.Kind == jsonrpc.Result || m.Kind == jsonrpc.Failure {
		v := verdict{refusal: x.answerRefused()}
		if v.refusal == nil {
			x.ownTasks(m, &v)
		}
		return v
	}
	spec, known := methods[m.Method]
	if !known && x.allowsMethod(m.Method) {
		spec = method{kind: m.Kind, eras: always}
	} else if !known || spec.eras&x.rev.eras() == 0 || spec.kind != m.Kind {
		return verdict{refusal: unknownMethod(x.rev, m.Kind, m.Method)}
	}
	if m.Params.Task != nil && x.old != nil {
		// Its answer comes on the stream, where nothing says which tool it would be a task of.
		return verdict{refusal: unknownMethod(x.rev, m.Kind, m.Method+" as a task")}
	}
	v := x.decide(m, spec.target)
	v.ask = v.refusal == nil && x.mustAsk(m, &v)
	if v.refusal == nil {
		v.refusal = x.openHandles(m, &v)
	}
	x.quieten(m, &v)
	switch {
	case v.refusal != nil:
	case m.Kind == jsonrpc.Notification:
		x.ownTasks(m, &v)
	default:
		x.openTasks(m, &v)
	}
	return v
}

// answerRefused says why an answer of the client's to a request of the server's
// may not go on, nil if it may. Without a session nothing says whose request it
// answers; revision 2026-07-28 has no such answers.
func (x *exchange) answerRefused() *refusal {
	switch {
	case x.rev.eras() == modern:
		return malformed("An answer is not a request")
	case !x.claims.session.set && x.old == nil:
		return malformed("An answer needs the session of what it answers")
	}
	return nil
}

// decide asks the policy about what the message names.
func (x *exchange) decide(m *jsonrpc.Message, t target) verdict {
	p := &m.Params
	switch t {
	case tool:
		return x.one(policy.Tool, p.Name, "name", argsOf(m))
	case prompt:
		return x.one(policy.Prompt, p.Name, "name", argsOf(m))
	case resource:
		return x.one(policy.Resource, p.URI, "uri", noArgs)
	case reference:
		switch {
		case p.RefType.Value == "ref/prompt" && !p.RefURI.Set:
			return x.one(policy.Prompt, p.RefName, "ref.name", nil) // its arguments are being written
		case p.RefType.Value == "ref/resource" && !p.RefName.Set:
			return x.template(p.RefURI)
		}
		return verdict{refusal: invalid("Invalid params: ref")}
	case watches:
		var v verdict
		for _, uri := range p.Subscriptions {
			one := x.one(policy.Resource, uri, "notifications.resourceSubscriptions", noArgs)
			if one.refusal != nil {
				return one
			}
			if !v.observed {
				v = one // the first that is only observed is the one to report
			}
		}
		return v
	}
	return verdict{}
}

// noArgs are the arguments of what has none.
var noArgs = []byte("{}")

// argsOf returns the arguments of a message.
func argsOf(m *jsonrpc.Message) []byte {
	if m.Params.Arguments == nil {
		return noArgs
	}
	return m.Params.Arguments
}

// one asks about one name. where is the member that has to have it; args are the arguments of its use, nil if they are not
// known.
func (x *exchange) one(kind policy.Kind, name jsonrpc.Text, where string, args []byte) verdict {
	if !name.Set || name.Value == "" {
		return verdict{refusal: invalid("Invalid params: " + where)}
	}
	view, subject, observe := x.standing()
	d := x.judged(view, subject, kind, name.Value, args)
	v := verdict{named: true, kind: kind, name: name.Value, rule: d.Rule, limit: d.Limit, ask: d.Ask}
	switch {
	case d.Allowed:
	case d.Variant != "":
		v.refusal = malformed("The arguments have a member that some take for another that is judged: " + clip(d.Variant))
		v.unclear = true
	case observe && x.leaves(view, kind, name.Value, args):
		v.observed = true
	case d.Seen:
		v.refusal = notDone(kind, notWithThese(called(kind, name.Value)), "the policy does not allow it with these arguments")
	default:
		v.refusal = hidden(x.rev, kind, name.Value)
	}
	if kind == policy.Tool && (v.refusal == nil || d.Seen) {
		if r := x.keptBack(name.Value); r != nil {
			v.refusal, v.rule = r, pinRule
		}
	}
	return v
}

// template asks about the reference of completion/complete, which is a URI
// template or a URI without variables. The latter may be known as a resource, unless
// a rule says that this template is not to be had.
func (x *exchange) template(uri jsonrpc.Text) verdict {
	v := x.one(policy.Template, uri, "ref.uri", nil)
	if (v.refusal != nil || v.observed) && v.named && v.rule == policy.NoRule && !strings.Contains(uri.Value, "{") {
		if r := x.one(policy.Resource, uri, "ref.uri", nil); r.refusal == nil && !r.observed {
			return r
		}
	}
	return v
}

// openHandles notes the edits that put the upstream's handles in the place of ours.
func (x *exchange) openHandles(m *jsonrpc.Message, v *verdict) *refusal {
	for _, h := range [...]struct {
		text    jsonrpc.Text
		purpose string
		foreign string
	}{
		{m.Params.Cursor, purposeCursor, "Invalid cursor"},
		{m.Params.RequestState, purposeState, "Invalid request state"},
	} {
		if !h.text.Set || h.text.Value == "" && h.purpose == purposeCursor {
			continue // an empty cursor asks for the first page, and we hand out none
		}
		plain, refused := x.open(h.purpose, h.text.Value, func() *refusal { return invalid(h.foreign) })
		if refused != nil {
			return refused
		}
		v.edits = append(v.edits, h.text.Replace(plain))
	}
	return nil
}
