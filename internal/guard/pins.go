package guard

import (
	"encoding/binary"
	"net/http"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// pinRule is what an Outcome names in the place of a rule where a pin keeps a tool back.
const pinRule = "its definition is not the one that is pinned or approved"

// book is the pins of what the server offers to the caller's credential, nil if there are none.
func (x *exchange) book() *catalog.Book {
	if x.g.cfg.Pins == nil {
		return nil
	}
	return x.g.cfg.Pins.Book(catalog.Key{Server: x.g.cfg.Server, Credential: x.caller.Credential})
}

// pins returns the pins as they are now, nil if tools are not judged by any. Where tools can be kept back and the pins can't
// be read, that is an error; where changes are only told, they are not told.
func (x *exchange) pins() (*catalog.Pinned, error) {
	book := x.book()
	if book == nil {
		return nil, nil
	}
	now, err := book.Now(x.r.Context(), x.g.cfg.PinMode)
	if err != nil && !x.g.cfg.PinMode.Strict() {
		return nil, nil
	}
	return now, err
}

// pinned judges a tool of a list by its pin, and takes note of it if the pins have to know. tool is nil if the definition in
// the entry is not known.
func (f *filter) pinned(name string, tool *catalog.Tool, entry []byte) (shown bool) {
	if f.pins == nil {
		return true
	}
	shown, note := f.pins.Judge(f.pinMode, name, tool)
	if !note {
		return shown
	}
	if first, again := f.sighted[name]; again && first != tool.Digest {
		return !f.pinMode.Strict() // two of one name in one list: the first is what it was seen as
	}
	if definition, ok := catalog.Definition(entry); ok {
		if f.sighted == nil {
			f.sighted = make(map[string]catalog.Digest)
		}
		f.sighted[name] = tool.Digest
		f.sightings = append(f.sightings, catalog.Sighting{Name: name, Tool: tool, Definition: definition})
	}
	return shown
}

// pinnedAgain is pinned for an entry that was met before.
func (f *filter) pinnedAgain(e *knownEntry) (shown bool) {
	if e.kind != policy.Tool || e.name == "" || f.pins == nil || e.pins.Load() == f.pins {
		return true
	}
	before := len(f.sightings)
	if shown = f.pinned(e.name, e.tool, e.raw); shown && len(f.sightings) == before && e.tool != nil {
		e.pins.Store(f.pins)
	}
	return shown
}

// keptBack refuses the call of a tool that the pins keep back. To the client there is no such tool.
func (x *exchange) keptBack(name string) *refusal {
	if !x.g.cfg.PinMode.Strict() || x.g.cfg.Pins == nil {
		return nil
	}
	tool, err := x.definition(name)
	if err != nil {
		return x.unavailable(http.StatusBadGateway, err.Error())
	}
	pins, err := x.pins()
	if err != nil {
		return x.unavailable(http.StatusBadGateway, "reading the pins: "+err.Error())
	}
	if shown, _ := pins.Judge(x.g.cfg.PinMode, name, tool); shown {
		return nil
	}
	r := hidden(x.rev, policy.Tool, name)
	r.reason = pinRule
	return r
}

// pinShows is keptBack for what a tool has to do with and is not a use of it. The server is not asked: a tool of which
// nothing is known is kept back where tools can be.
func (x *exchange) pinShows(name string) bool {
	if !x.g.cfg.PinMode.Strict() || x.g.cfg.Pins == nil {
		return true
	}
	pins, err := x.pins()
	if err != nil {
		return false
	}
	shown, _ := pins.Judge(x.g.cfg.PinMode, name, x.shelf().Tool(name))
	return shown
}

// withPins has what stands for the tools that a caller sees stand also for what the pins keep back.
func (x *exchange) withPins(s policy.Sight) policy.Sight {
	book := x.book()
	if book == nil || !x.g.cfg.PinMode.Strict() {
		return s
	}
	now, err := book.Now(x.r.Context(), x.g.cfg.PinMode)
	if err == nil && s != (policy.Sight{}) {
		binary.NativeEndian.PutUint64(s[:], binary.NativeEndian.Uint64(s[:])^now.Sight())
	}
	return s
}
