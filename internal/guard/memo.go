package guard

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Bounds of a memo.
const (
	memoLeast = 2 << 10  // bytes of a message that is worth remembering
	memoMost  = 4 << 20  // and of one that is too large to
	memoSpace = 32 << 20 // bytes of all that is remembered
	memoPages = 8        // messages remembered for the same rights
)

// memo remembers lists that were filtered, so that the same list for the same
// rights is not read again: servers send the same one every time. A list counts as
// the same if all its bytes but the id are; nothing is believed of a digest.
//
// Only a list that comes a second time is remembered. Memory is bounded, and what
// was remembered first is forgotten first. A memo is safe for concurrent use.
type memo struct {
	seed maphash.Seed
	met  [256]atomic.Uint64 // digests of lists that came once; a mistaken one does no harm

	mu    sync.RWMutex
	pages map[rights][]*page
	order []*page // as they came
	space int
}

// again reports whether a list has come before, for the same rights, not long ago.
func (m *memo) again(r rights, msg []byte, fr *frame) bool {
	var h maphash.Hash
	h.SetSeed(m.seed)
	maphash.WriteComparable(&h, r)
	_, _ = h.Write(msg[:fr.idFrom])
	_, _ = h.Write(msg[fr.idFrom+len(fr.id):])
	sum := h.Sum64()
	return m.met[sum%uint64(len(m.met))].Swap(sum) == sum
}

// rights are what a filtered list depends on besides its bytes. A View never
// changes, and one of other rights or of another policy is another View.
type rights struct {
	view    *policy.View
	observe bool
	scoped  bool // for a revision in which lists say who may keep them
}

// page is a message and what it became.
type page struct {
	rights rights
	raw    []byte
	id     gap // in raw
	out    []byte
	outID  gap    // in out
	cursor gap    // in out; empty if there is none
	plain  string // the upstream's cursor
	count  int    // entries left out
}

// gap is a piece of a message that differs from one time to the next.
type gap struct{ start, end int }

// recall returns the filtered form of msg if it is remembered, in memory of f, and
// nil if it is not.
func (m *memo) recall(f *filter, x *exchange, r rights, msg []byte) ([]byte, frame, error) {
	if len(msg) < memoLeast {
		return nil, frame{}, nil
	}
	m.mu.RLock()
	pages := m.pages[r]
	m.mu.RUnlock()
	for _, p := range pages {
		id := p.matches(msg)
		if id == nil {
			continue
		}
		fr := frame{kind: jsonrpc.Result, id: id, filtered: p.count}
		edits := [2]jsonrpc.Edit{{Start: p.outID.start, End: p.outID.end, With: id}}
		n := 1
		if p.cursor.end > p.cursor.start {
			handle, err := x.sealHandle(purposeCursor, p.plain)
			if err != nil {
				return nil, fr, err
			}
			edits[1] = jsonrpc.Edit{Start: p.cursor.start, End: p.cursor.end, With: jsonrpc.AppendString(nil, handle)}
			if n = 2; edits[1].Start < edits[0].Start {
				edits[0], edits[1] = edits[1], edits[0]
			}
		}
		out, at := f.out[:0], 0
		for _, e := range edits[:n] {
			out = append(append(out, p.out[at:e.Start]...), e.With...)
			at = e.End
		}
		f.out = append(out, p.out[at:]...)
		return f.out, fr, nil
	}
	return nil, frame{}, nil
}

// matches returns the id of msg if msg is p's message with an id of its own.
func (p *page) matches(msg []byte) (id []byte) {
	at, rest := p.id.start, p.raw[p.id.end:]
	end := len(msg) - len(rest)
	if end <= at || end-at > jsonrpc.MaxID || !bytes.Equal(msg[end:], rest) || !bytes.Equal(msg[:at], p.raw[:at]) {
		return nil
	}
	// Between the two there must be one id and nothing else.
	s := scanner{b: msg[at:end]}
	if id = msg[at:end]; !s.skip() || s.i != len(id) || !jsonrpc.ValidID(id) {
		return nil
	}
	return id
}

// keep remembers what a message became, if it is a list that came before.
func (m *memo) keep(r rights, msg, out []byte, fr *frame) {
	if !fr.list || fr.fresh || fr.kind != jsonrpc.Result || len(msg) < memoLeast || len(msg) > memoMost {
		return
	}
	if !m.again(r, msg, fr) {
		return
	}
	p := &page{
		rights: r,
		raw:    bytes.Clone(msg),
		id:     gap{fr.idFrom, fr.idFrom + len(fr.id)},
		outID:  gap{fr.idAt, fr.idAt + len(fr.id)},
		cursor: gap{fr.cursorAt, fr.cursorTo},
		plain:  fr.cursor,
		count:  fr.filtered,
	}
	p.out = p.raw
	if fr.edited {
		p.out = bytes.Clone(out)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pages == nil {
		m.pages = make(map[rights][]*page)
	}
	if same := m.pages[p.rights]; len(same) >= memoPages {
		m.forget(same[0])
	}
	// A new slice: readers may be looking at the old one.
	m.pages[p.rights] = append(slices.Clone(m.pages[p.rights]), p)
	m.order = append(m.order, p)
	for m.space += p.size(); m.space > memoSpace; {
		m.forget(m.order[0])
	}
}

// size is what p costs.
func (p *page) size() int { return len(p.raw) + len(p.out) }

// forget removes p. The lock is held.
func (m *memo) forget(p *page) {
	m.space -= p.size()
	m.order = slices.DeleteFunc(m.order, func(q *page) bool { return q == p })
	rest := slices.DeleteFunc(slices.Clone(m.pages[p.rights]), func(q *page) bool { return q == p })
	if len(rest) == 0 {
		delete(m.pages, p.rights)
		return
	}
	m.pages[p.rights] = rest
}
