package guard

import (
	"bytes"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Bounds of what is known.
const (
	knownPrefix = 192      // bytes of an entry by which it is looked for
	knownMost   = 64 << 10 // bytes of an entry that is too large to be remembered
	knownSpace  = 32 << 20 // bytes of all entries that are remembered
	knownLeast  = 1 << 10  // slots of the first table
	knownSlots  = 1 << 16  // slots of the largest
)

// known remembers entries of lists, so that they are not read again: servers send the
// same ones every time. An entry counts as the same if all its bytes are; nothing is
// believed of a digest. What is remembered is what the entry says, not whom it may be
// shown to.
//
// Only an entry that comes a second time is remembered. Memory is bounded. The zero
// value remembers nothing; known is safe for concurrent use, and reading takes no lock.
type known struct {
	seed  maphash.Seed
	table atomic.Pointer[knownTable]
	grow  sync.Mutex // held while another table is made
}

// knownTable is a hash table in which an entry has two places where it may stand.
type knownTable struct {
	slots  []knownSlot // their number is a power of two
	count  atomic.Int64
	space  atomic.Int64
	passed atomic.Uint32 // entries that found another one's digest in their place
}

type knownSlot struct {
	met   atomic.Uint64 // digest of an entry that came once; a mistaken one does no harm
	entry atomic.Pointer[knownEntry]
}

// knownEntry is an entry of a list that was read before.
type knownEntry struct {
	sum  uint64
	kind policy.Kind
	raw  []byte
	tool *catalog.Tool // its definition; nil if that can't be read, or it is no tool
	name string        // by which policies name it; empty if it may not be shown to anyone
	next atomic.Uint32 // place of the entry that came after it last

	stock atomic.Pointer[catalog.Stock]  // the last that had the tool as it is here
	pins  atomic.Pointer[catalog.Pinned] // the last that let the tool be seen as it is here

	// The rights of the last for whom the policy was asked, either way. A View never
	// changes, and one of other rights or of another policy is another View.
	shown, hidden atomic.Pointer[policy.View]
}

// shows reports whether the policy lets the entry be seen.
func (e *knownEntry) shows(view *policy.View) bool {
	switch view {
	case e.shown.Load():
		return true
	case e.hidden.Load():
		return false
	}
	if view.Decide(e.kind, e.name).Allowed {
		e.shown.Store(view)
		return true
	}
	e.hidden.Store(view)
	return false
}

// find consumes the entry that begins at s.i if it is known. after is the one before
// it in the list, or nil: most often the same one follows it again. If the entry is
// not known, find returns by what to learn it.
func (k *known) find(kind policy.Kind, s *scanner, after *knownEntry) (e *knownEntry, sum uint64) {
	t := k.table.Load()
	if t != nil && after != nil {
		if e := t.slots[after.next.Load()&t.mask()].entry.Load(); e.isAt(kind, s) {
			return e, 0
		}
	}
	s.need(knownPrefix) // or as much as there is
	sum = maphash.Bytes(k.seed, s.b[s.i:min(len(s.b), s.i+knownPrefix)])
	if t == nil {
		return nil, sum
	}
	for _, place := range t.places(sum) {
		if e := t.slots[place].entry.Load(); e != nil && e.sum == sum && e.isAt(kind, s) {
			if after != nil {
				after.next.Store(place)
			}
			return e, sum
		}
	}
	return nil, sum
}

// isAt consumes e if it is what begins at s.i, and reports whether it is.
func (e *knownEntry) isAt(kind policy.Kind, s *scanner) bool {
	if e == nil || e.kind != kind {
		return false
	}
	here := s.b[s.i:]
	if len(here) < len(e.raw) {
		if !bytes.HasPrefix(e.raw, here) || !s.need(len(e.raw)) {
			return false
		}
		here = s.b[s.i:]
	}
	if !bytes.Equal(here[:len(e.raw)], e.raw) {
		return false
	}
	s.i += len(e.raw)
	return true
}

// mask makes a place in the table of a number.
func (t *knownTable) mask() uint32 { return uint32(len(t.slots) - 1) }

// places returns where in the table an entry may stand.
func (t *knownTable) places(sum uint64) [2]uint32 {
	return [2]uint32{uint32(sum) & t.mask(), uint32(sum>>32) & t.mask()}
}

// learn remembers an entry that find did not find, if it came before. name is what it
// is named by, and empty if it may not be shown.
func (k *known) learn(sum uint64, kind policy.Kind, raw []byte, name string, tool *catalog.Tool) {
	if len(raw) > knownMost || raw[0] != '{' { // a number may be the beginning of another
		return
	}
	t := k.table.Load()
	if t == nil {
		t = k.larger(nil)
	}
	digest := maphash.Bytes(k.seed, raw)
	if !t.again(&t.slots[t.places(sum)[digest&1]], digest) { // either, so that two that begin alike are not in each other's way
		return
	}
	if tool == nil && kind == policy.Tool && name != "" {
		tool = catalog.Read(raw)
	}
	e := &knownEntry{sum: sum, kind: kind, raw: bytes.Clone(raw), name: name, tool: tool}
	if t.space.Load()+e.size() > knownSpace || t.count.Load() > int64(len(t.slots)/2) && len(t.slots) < knownSlots {
		t = k.larger(t)
	}
	t.put(e)
}

// again reports whether the entry with this digest came before.
func (t *knownTable) again(slot *knownSlot, digest uint64) bool {
	switch old := slot.met.Load(); {
	case old == digest:
		slot.met.Store(0)
		return true
	case old == 0, t.passed.Add(1)%4 == 0:
		// The other that is met here gets its turn, but not for ever: it may never come again.
		slot.met.Store(digest)
	}
	return false
}

// put puts an entry into the table, in the place of another if need be.
func (t *knownTable) put(e *knownEntry) {
	places := t.places(e.sum)
	slot, other := &t.slots[places[0]], &t.slots[places[1]]
	if slot.entry.Load() != nil && other.entry.Load() == nil {
		slot = other
	}
	t.space.Add(e.size())
	if old := slot.entry.Swap(e); old != nil {
		t.space.Add(-old.size())
	} else {
		t.count.Add(1)
	}
}

// size is about what the entry costs in memory, in bytes.
func (e *knownEntry) size() int64 { return int64(len(e.raw)+len(e.name)) + 128 }

// larger makes a table with more room than t has, and makes it the one in use. If it
// can't be larger, it is empty: what is still sent will soon be known again.
func (k *known) larger(t *knownTable) *knownTable {
	k.grow.Lock()
	defer k.grow.Unlock()
	if now := k.table.Load(); now != t {
		return now // another was as quick
	}
	next := &knownTable{}
	switch {
	case t == nil:
		next.slots = make([]knownSlot, knownLeast)
	case len(t.slots) == knownSlots || t.space.Load() > knownSpace/2: // it is full of large ones
		next.slots = make([]knownSlot, len(t.slots))
	default:
		next.slots = make([]knownSlot, 4*len(t.slots))
		for i := range t.slots {
			if e := t.slots[i].entry.Load(); e != nil {
				next.put(e)
			}
		}
	}
	k.table.Store(next)
	return next
}
