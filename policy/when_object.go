package policy

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// object is a JSON object of arguments. Whoever asks it for a name learns if there is another that some reader takes for
// the same: then nothing is said of it, and the call is to be refused.
type object struct {
	traits.Mapper
	members map[string]any
	folded  map[string]string // folded names to names, once a name was asked for
	twin    string            // a name that has a variant beside it; "" if none has
	proto   bool              // there is a member that some readers in JavaScript take for others (see protoName)
	reading *reading
}

// protoName is the member by which readers in JavaScript that copy members give an object others that aren't there.
const protoName = "__proto__"

// fold finds out which names are variants of one another.
func (o *object) fold() {
	if o.folded != nil {
		return
	}
	o.folded = make(map[string]string, len(o.members))
	for name := range o.members {
		key := foldName(name)
		o.proto = o.proto || name == protoName
		if _, twin := o.folded[key]; twin {
			o.twin = name
		}
		o.folded[key] = name
	}
}

// errVariant is the error of an expression that asks for a name of which there is a variant.
func (o *object) errVariant(name string) ref.Val {
	o.reading.variant = name
	return types.NewErr("some readers take %q for another name", name)
}

// variant returns a name that some reader takes for the one that is asked for.
func (o *object) variant(asked string) (name string, found bool) {
	o.fold()
	key := foldName(asked)
	if o.proto && asked != protoName {
		return protoName, true
	}
	name, found = o.folded[key]
	if found && name != asked {
		return name, true
	}
	if found && o.twin != "" {
		for other := range o.members {
			if other != asked && foldName(other) == key {
				return other, true
			}
		}
	}
	return "", false
}

// Find returns the value of a member.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	if name, ok := key.(types.String); ok {
		if other, found := o.variant(string(name)); found {
			return o.errVariant(other), false
		}
	}
	return o.Mapper.Find(key)
}

// Get returns the value of a member, or an error.
func (o *object) Get(key ref.Val) ref.Val {
	value, found := o.Find(key)
	if value == nil && !found {
		return o.Mapper.Get(key)
	}
	return value
}

// Contains reports whether there is a member.
func (o *object) Contains(key ref.Val) ref.Val {
	value, found := o.Find(key)
	if value != nil && types.IsUnknownOrError(value) {
		return value
	}
	return types.Bool(found)
}

// Equal compares with another object.
func (o *object) Equal(other ref.Val) ref.Val {
	if o.fold(); o.twin != "" {
		return o.errVariant(o.twin)
	}
	return o.Mapper.Equal(other)
}

// Iterator goes through the names.
func (o *object) Iterator() traits.Iterator {
	if o.fold(); o.twin != "" {
		o.reading.variant = o.twin
	}
	return o.Mapper.Iterator()
}
