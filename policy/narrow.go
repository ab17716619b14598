package policy

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// Narrowing is what a person left an agent of what they may use themselves. It takes away and never adds: a rule that it
// leaves means what it means without it. It must not be changed once it is in use.
type Narrowing struct {
	// ReadOnly leaves of the tools those that a trusted server says only read (Annotations.ReadOnly).
	ReadOnly bool `json:"read_only,omitempty"`

	// Tools leaves the tools of exactly these names, and none if it is empty; nil leaves all.
	Tools []string `json:"tools,omitzero"`
}

// Why a narrowing denies. These sentences appear in [Decision.Rule].
const (
	narrowTools = "the person did not leave this agent the tool"
	narrowReads = "the person left this agent only tools that are known to only read"
)

// all reports whether nothing is taken away.
func (n *Narrowing) all() bool { return n == nil || !n.ReadOnly && n.Tools == nil }

// String says what is left, such as "only the tools add and echo". Of many tools it names the first.
func (n *Narrowing) String() string {
	const most = 20
	switch {
	case n.all():
		return "everything that the role allows"
	case n.ReadOnly && n.Tools == nil:
		return "only tools that only read"
	case len(n.Tools) == 0:
		return "no tools"
	}
	names, also := n.Tools, ""
	if len(names) > most {
		names = append(names[:most:most], strconv.Itoa(len(n.Tools)-most)+" more")
	}
	if n.ReadOnly {
		also = ", as far as they only read"
	}
	what := "only the tools "
	if len(names) == 1 {
		what = "only the tool "
	}
	return what + enumerate(names, "and") + also
}

// appendTo appends what is taken away, such that nothing else gives the same bytes.
func (n *Narrowing) appendTo(key []byte) []byte {
	flags := byte(0)
	if n.ReadOnly {
		flags |= 1
	}
	if n.Tools != nil {
		flags |= 2
	}
	key = binary.BigEndian.AppendUint32(append(key, flags), uint32(len(n.Tools)))
	for _, name := range n.Tools {
		key = appendText(key, name)
	}
	return key
}

// narrowing is a compiled [Narrowing].
type narrowing struct {
	readOnly bool
	tools    []string // sorted; nil for all
	named    map[string]struct{}
}

func newNarrowing(n *Narrowing) *narrowing {
	out := &narrowing{readOnly: n.ReadOnly}
	if n.Tools == nil {
		return out
	}
	out.named = make(map[string]struct{}, len(n.Tools))
	for _, name := range n.Tools {
		out.named[name] = struct{}{}
	}
	out.tools = slices.Compact(slices.Sorted(slices.Values(n.Tools)))
	if out.tools == nil {
		out.tools = []string{}
	}
	return out
}

// denies says why a tool is not left to the agent; "" if it is.
func (n *narrowing) denies(name string, f *Facts) string {
	if n.tools != nil {
		if _, ok := n.named[name]; !ok {
			return narrowTools
		}
	}
	if n.readOnly && (f == nil || !f.Tool.Known || !f.Tool.ReadOnly) {
		return narrowReads
	}
	return ""
}

// Leaves reports whether what a person left their agent has the thing of that kind and name, whatever the rules say of it. said is what
// the server says of the tool.
func (v *View) Leaves(k Kind, name string, said Annotations) bool {
	return k != Tool || v.narrow == nil || v.narrow.denies(name, &Facts{Tool: said}) == ""
}

// narrowed returns what is left of v.
func (v *View) narrowed(n *Narrowing) *View {
	left := *v
	left.narrow = newNarrowing(n)
	left.patterns = len(n.Tools) // what v has is shared
	left.kinds[Tool].sight = left.narrow.sight(v)
	return &left
}
