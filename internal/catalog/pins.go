package catalog

import (
	"context"
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// PinMode says what becomes of a tool that is not what it was.
type PinMode uint8

// The modes of pins.
const (
	PinsObserve  PinMode = iota // it is told and let pass
	PinsFirstUse                // what is seen first is pinned; a tool that is something else waits for approval
	PinsBlock                   // a tool that was never seen waits, too
)

// Strict reports whether tools can be kept back.
func (m PinMode) Strict() bool { return m != PinsObserve }

// Bounds of pins.
const (
	mostPinned = 12_000           // tools of one record
	mostNames  = 384 << 10        // bytes of their names, which have to find room in a record, too
	mostNews   = 8 << 20          // bytes of definitions that are not kept yet; of others the text is let go
	pinTime    = 10 * time.Second // that reading or writing a record may take
	pinRetry   = 5 * time.Second  // between two tries to read one
	keepEvery  = time.Second      // between two writes of one
)

// Sighting is a tool as a server listed it, of which the pins have to know.
type Sighting struct {
	Name       string
	Tool       *Tool
	Definition []byte // in canonical form
}

// Change is what the pins noticed.
type Change struct {
	Server    string
	Tool      string
	New       bool   // it was never seen before; else it was, as something else
	Was, Now  Digest // of its definitions
	Waits     bool   // for approval, before it may be seen or used
	Concealed bool   // the definition has characters that can't be seen
	Times     int    // how often it has changed since somebody approved it
}

// Pins remember which definition of each tool was seen first or approved. They are kept in a store, and so are those of all
// nodes. A Pins is used after its fields are set, which are not changed then; it is safe for concurrent use.
type Pins struct {
	Store  store.Store
	Now    func() time.Time
	Notice func(Change)        // is told of what is new and what changed, once, by the node that kept it; required
	Failed func(string, error) // is told which server's pins could not be read or kept, and why; required

	books sync.Map // Key to *Book

	mu     sync.Mutex // held to change what follows
	writes int        // that are under way, or about to be
	idle   chan struct{}
}

// begin says that a write is about to be.
func (p *Pins) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
}

// end says that a write is over.
func (p *Pins) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writes--; p.writes == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// Settle waits until what is being kept is kept, or ctx ends.
func (p *Pins) Settle(ctx context.Context) {
	p.mu.Lock()
	if p.writes == 0 {
		p.mu.Unlock()
		return
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// Book returns the pins of one server and credential.
func (p *Pins) Book(k Key) *Book {
	if b, ok := p.books.Load(k); ok {
		return b.(*Book)
	}
	b, _ := p.books.LoadOrStore(k, &Book{pins: p, key: k})
	return b.(*Book)
}

// Refresh reads anew the pins that keep tools back, since another node may have changed them, and tries again to keep what
// could not be kept.
func (p *Pins) Refresh(ctx context.Context) {
	p.books.Range(func(_, value any) bool {
		b := value.(*Book)
		b.mu.Lock()
		b.resume()
		b.mu.Unlock()
		if b.strict.Load() && b.state.Load() != nil {
			if err := b.read(ctx); err != nil {
				p.Failed(b.key.Server, err)
			}
		}
		return ctx.Err() == nil
	})
}

// Pinned are the pins of one server and credential at one time. It is not changed; nil knows of no tool.
type Pinned struct {
	tools map[string]pinnedTool
	names int    // bytes of the names of the tools
	sight uint64 // stands for what is kept back
}

// full reports whether no other tool finds room.
func (p *Pinned) full() bool { return len(p.tools) >= mostPinned || p.names >= mostNames }

// pinnedTool is what is known of one tool.
type pinnedTool struct {
	pinned  Digest // zero if nothing is
	pending Digest // that waits for approval; zero if none does
}

// Judge says whether a tool may be seen and used, and whether the pins have to know of it. tool is nil if its definition is
// not known.
func (p *Pinned) Judge(mode PinMode, name string, tool *Tool) (shown, note bool) {
	if tool == nil {
		return !mode.Strict(), false
	}
	var known pinnedTool
	full := false
	if p != nil {
		known, full = p.tools[name], p.full()
	}
	if known.pinned == tool.Digest {
		return true, false
	}
	if known.pinned == (Digest{}) && mode != PinsBlock {
		full = full && known.pending == (Digest{})
		return !mode.Strict() || !full, !full
	}
	return !mode.Strict(), known.pending != tool.Digest && (!full || known != pinnedTool{})
}

// Sight stands for what the pins keep back: where it differs, other tools may be seen.
func (p *Pinned) Sight() uint64 {
	if p == nil {
		return 0
	}
	return p.sight
}
