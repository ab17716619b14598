package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// evaluation is what conditions are judged by in one Judge, as CEL asks for it by name.
type evaluation struct {
	server, name string
	kind         Kind
	facts        Facts
	listing      bool    // the arguments are not known
	anyTool      bool    // nor is what the server offers, while listing
	args         ref.Val // once they were read
	reading      reading
}

var evaluations = sync.Pool{New: func() any { return new(evaluation) }}

// Which variables are not known while a list is made, and before it is.
var (
	argsUnknown = []*interpreter.AttributePattern{cel.AttributePattern("args")}
	toolUnknown = append([]*interpreter.AttributePattern{cel.AttributePattern("tool.name"), cel.AttributePattern("tool.annotations")}, argsUnknown...)
)

// ResolveName returns the value of a variable, or false if it has none: then the expression fails.
func (e *evaluation) ResolveName(name string) (any, bool) {
	switch name {
	case "args":
		if e.listing {
			return nil, false
		}
		if e.args == nil {
			e.args = readArgs(e.facts.Args, &e.reading)
		}
		return e.args, true
	case "now":
		return e.facts.Now, !e.facts.Now.IsZero()
	case "tool.server":
		return e.server, e.kind == Tool
	case "tool.name":
		return e.name, e.kind == Tool
	case "tool.annotations":
		if e.kind != Tool || !e.facts.Tool.Known {
			return nil, false
		}
		said := make(map[string]bool, len(hintOf))
		for name, of := range hintOf {
			said[name] = of(e.facts.Tool)
		}
		return said, true
	}
	if s := e.facts.Subject; s != nil {
		return s.fact(name)
	}
	return nil, false
}

// fact returns the value of a variable that is about a person or their agent.
func (s *Subject) fact(name string) (any, bool) {
	switch name {
	case "user.id":
		return s.ID, true
	case "user.email":
		return s.Email, true
	case "user.name":
		return s.Name, true
	case "user.org":
		return s.Org, true
	case "user.roles":
		return s.Roles, true
	case "user.permissions":
		return s.Permissions, true
	case "user.groups":
		return s.Groups, true
	case "user.claims":
		if s.Claims == nil {
			return map[string]any{}, true
		}
		return s.Claims, true
	case "client.id":
		return s.Client.ID, true
	case "client.name":
		return s.Client.Name, true
	}
	return nil, false
}

// Parent returns nil: there is nothing around an evaluation.
func (e *evaluation) Parent() interpreter.Activation { return nil }

// AsPartialActivation says, while a list is made, that not all is known.
func (e *evaluation) AsPartialActivation() (interpreter.PartialActivation, bool) { return e, e.listing }

// UnknownAttributePatterns returns what is not known.
func (e *evaluation) UnknownAttributePatterns() []*interpreter.AttributePattern {
	if e.anyTool {
		return toolUnknown
	}
	return argsUnknown
}
