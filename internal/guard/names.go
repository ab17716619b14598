package guard

import "bytes"

// Bounds of the members of an entry that the specification does not have.
const (
	maxMembers    = 64
	maxMemberName = 1 << 10 // bytes
)

// nameMeta is the bit of _meta.
const nameMeta = 1 << 7

// names are the names of an entry's members so far.
type names struct {
	usual  uint32 // bits of those that the specification has
	others []byte // the others, one after the other
	ends   []int  // where each of them ends
}

// clear forgets all names.
func (n *names) clear() { n.usual, n.others, n.ends = 0, n.others[:0], n.ends[:0] }

// reset returns empty names with the memory of n.
func (n *names) reset() names { return names{others: n.others[:0], ends: n.ends[:0]} }

// note adds a name. usual says that the specification has it. again says that it was
// there before, or can't be told from those that were.
func (n *names) note(name []byte) (usual, again bool) {
	if bit := usualName(name); bit != 0 {
		again = n.usual&bit != 0
		n.usual |= bit
		return true, again
	}
	start := 0
	for _, end := range n.ends {
		if bytes.Equal(n.others[start:end], name) {
			return false, true
		}
		start = end
	}
	if len(n.ends) == maxMembers || len(name) > maxMemberName {
		return false, true
	}
	n.others = append(n.others, name...)
	n.ends = append(n.ends, len(n.others))
	return false, false
}

// usualName returns the bit of a name that the specification has for members of
// tools, prompts, resources or templates, and 0 for another.
func usualName(name []byte) uint32 {
	switch string(name) {
	case "name":
		return 1 << 0
	case "title":
		return 1 << 1
	case "description":
		return 1 << 2
	case "inputSchema":
		return 1 << 3
	case "outputSchema":
		return 1 << 4
	case "annotations":
		return 1 << 5
	case "icons":
		return 1 << 6
	case "_meta":
		return nameMeta
	case "execution":
		return 1 << 8
	case "arguments":
		return 1 << 9
	case "uri":
		return 1 << 10
	case "uriTemplate":
		return 1 << 11
	case "mimeType":
		return 1 << 12
	case "size":
		return 1 << 13
	}
	return 0
}
