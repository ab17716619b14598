package guard

import (
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// uiScheme is what the URIs of resources begin with that show results of tools (SEP-1865).
const uiScheme = "ui://"

// judged asks the policy about one name, as far as the subject and the arguments of the use are known; args is nil if it is only
// to be seen. A resource of the scheme ui, for which the policy has no rule, may be read by who may see a tool whose results it
// shows, and which no pin keeps back.
func (x *exchange) judged(view *policy.View, s *policy.Subject, kind policy.Kind, name string, args []byte) policy.Decision {
	d := x.decision(view, s, kind, name, args)
	if d.Allowed || d.Seen || d.Rule != policy.NoRule || kind != policy.Resource || !strings.HasPrefix(name, uiScheme) {
		return d
	}
	for _, tool := range x.shelf().ShownBy(name) {
		if by := x.decision(view, s, policy.Tool, tool, nil); by.Allowed && x.pinShows(tool) {
			return policy.Decision{Allowed: true, Rule: by.Rule} // what is said of calls is not said of pages
		}
	}
	return d
}

// decision asks the policy about what one name stands for.
func (x *exchange) decision(view *policy.View, s *policy.Subject, kind policy.Kind, name string, args []byte) policy.Decision {
	if !view.Conditional(kind) {
		return view.Decide(kind, name)
	}
	f := policy.Facts{Subject: s, Args: args, Now: x.g.cfg.Now()}
	if kind == policy.Tool && x.g.cfg.TrustAnnotations && view.WantsAnnotations(name) {
		f.Tool = x.annotations(name, args != nil)
	}
	return view.Judge(kind, name, &f)
}

// leaves reports whether the person left their agent what is named. That holds also where the policy is only observed: it is the person who
// takes away, not the policy.
func (x *exchange) leaves(view *policy.View, kind policy.Kind, name string, args []byte) bool {
	var said policy.Annotations
	if kind == policy.Tool && x.g.cfg.TrustAnnotations && view.WantsAnnotations(name) {
		said = x.annotations(name, args != nil)
	}
	return view.Leaves(kind, name, said)
}

// annotations returns what the server says of a tool. For a use of it the server is asked if need be; where it can't be,
// nothing is known.
func (x *exchange) annotations(name string, use bool) policy.Annotations {
	if !use {
		return x.g.annotations(x.shelf().Tool(name))
	}
	tool, err := x.definition(name)
	if err != nil {
		return policy.Annotations{}
	}
	return x.g.annotations(tool)
}
