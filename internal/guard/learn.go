package guard

import (
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// freeReading is how much of definitions is read a second, in bytes, where nothing depends on them but that people are told
// of changes. It is about a hundredth of what a core can read; what comes again is remembered, and read, however much it is.
const freeReading = 512 << 10

// reading says which definitions of tools a Guard reads of the lists that pass.
type reading struct {
	all bool // something depends on them, so that each of them is

	second atomic.Int64 // since 1970
	spent  atomic.Int64 // bytes that were read in that second
}

// spare returns how many bytes may be read of one list.
func (r *reading) spare(now time.Time) int {
	switch second := now.Unix(); {
	case r == nil:
		return 0
	case r.all:
		return math.MaxInt
	case r.second.Swap(second) != second:
		r.spent.Store(0)
	}
	return int(freeReading - r.spent.Load())
}

// define reads the definition of a tool that a server lists, whether the caller may see it or not. read is false if it was
// left unread: then nothing stands in it that has to be known. Of a definition that can't be read nothing is known either,
// and tool is nil.
func (f *filter) define(kind policy.Kind, name string, entry []byte) (tool *catalog.Tool, read bool) {
	switch {
	case kind != policy.Tool || name == "":
		return nil, false
	case f.spare >= len(entry):
		if f.reading != nil && !f.reading.all {
			f.spare -= len(entry)
			f.reading.spent.Add(int64(len(entry)))
		}
	case f.names.usual&nameMeta == 0 && !catalog.Mentions(entry): // what names a user interface stands in _meta
		return nil, false
	}
	tool = catalog.Read(entry)
	if was := f.stock.Tool(name); was.Equal(tool) {
		return was, true // one of them is enough, and quicker to compare
	}
	return tool, true
}

// offer notes a tool that the server lists, tool being nil if its definition could not be read.
func (f *filter) offer(kind policy.Kind, name string, tool *catalog.Tool) {
	if kind != policy.Tool || name == "" {
		return
	}
	if !f.stock.Tool(name).Equal(tool) {
		f.offered = append(f.offered, catalog.Offer{Name: name, Tool: tool})
	}
}

// offerAgain is offer for an entry that was met before.
func (f *filter) offerAgain(e *knownEntry) {
	if e.kind != policy.Tool || f.stock != nil && e.stock.Load() == f.stock {
		return
	}
	before := len(f.offered)
	if f.offer(e.kind, e.name, e.tool); len(f.offered) == before {
		e.stock.Store(f.stock)
	}
}

// unread notes a tool that the server lists and of which nothing but its name was read.
func (f *filter) unread(kind policy.Kind, name string) {
	if kind != policy.Tool || name == "" {
		return
	}
	if was := f.stock.Tool(name); was != nil && (was.UI != "" || len(was.Params) > 0) {
		f.offered = append(f.offered, catalog.Offer{Name: name}) // it has neither any more
	}
}

// shows asks the policy whether an entry that was met before may be shown.
func (f *filter) shows(e *knownEntry) bool {
	if e.kind == policy.Resource && strings.HasPrefix(e.name, uiScheme) || f.view.Conditional(e.kind) {
		return f.allows(e.kind, e.name, e.tool) // which tools there are may have changed, or what else it depends on
	}
	return e.shows(f.view)
}

// allows asks the policy whether an entry may be shown. Of a tool, what the entry itself says of it counts.
func (f *filter) allows(kind policy.Kind, name string, tool *catalog.Tool) bool {
	if kind == policy.Resource && strings.HasPrefix(name, uiScheme) {
		return f.caller.judged(f.view, f.facts.Subject, kind, name, nil).Allowed
	}
	if !f.view.Conditional(kind) {
		return f.view.Decide(kind, name).Allowed
	}
	f.facts.Tool = f.said(tool)
	return f.view.Judge(kind, name, &f.facts).Allowed
}

// said is what counts of what an entry says of its tool, which is nil if that is not known.
func (f *filter) said(tool *catalog.Tool) policy.Annotations {
	if !f.trusted || tool == nil {
		return policy.Annotations{}
	}
	return tool.Annotations
}
