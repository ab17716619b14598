package guard

import (
	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// list filters the list of one kind. Entries that stay keep their bytes; so does
// the white space around them as long as none of their neighbours went.
func (f *filter) list(kind policy.Kind) error {
	s := &f.s
	s.space()
	if s.literal("null") {
		return nil
	}
	if s.space() != '[' {
		return fault("a list that is not an array")
	}
	f.facts = policy.Facts{Subject: f.facts.Subject}
	if f.view.Conditional(kind) {
		f.facts.Now = f.now()
	}
	if kind == policy.Tool {
		f.stock, f.spare = f.caller.shelf().Stock(), f.reading.spare(time.Now())
		var err error
		if f.pins, err = f.caller.pins(); err != nil {
			return fault("the pins of its tools can't be read: " + err.Error())
		}
	}
	return f.entries(func() (bool, error) { return f.element(kind) })
}

// entries reads an array and leaves out of it what element, which reads an entry,
// says is not to be shown.
func (f *filter) entries(element func() (shown bool, err error)) error {
	s := &f.s
	if !s.enter('[') {
		return errJSON
	}
	kept := false
	gap := false // entries were left out since the last kept one
	for first := true; ; first = false {
		last := s.pos()
		f.flow.keep = last
		more, ok := s.next(']', first)
		if !ok {
			return errJSON
		}
		if !more {
			if gap {
				f.copied = s.pos() - 1
			}
			f.flow.keep = none
			return nil
		}
		s.space()
		start := s.pos()
		f.flow.inEntry, f.instead = true, nil
		shown, err := element()
		f.flow.inEntry = false
		if err != nil {
			return err
		}
		if s.pos()-last > f.flow.mostEntry() {
			shown = false
			f.fr.oversize++
		}
		switch {
		case !shown:
			f.fr.filtered++
			if f.copied < last {
				f.replace(last, s.pos(), nil)
			}
			f.copied, f.edited, gap = s.pos(), true, true
			continue
		case gap && kept:
			f.out = append(f.out, ',')
			f.copied = start
		case gap:
			f.copied = start
		}
		if kept, gap = true, false; f.instead != nil {
			f.replace(start, s.pos(), f.instead)
		}
	}
}

// element reads an entry, or takes it for one that it has met before, and says
// whether it may be shown.
func (f *filter) element(kind policy.Kind) (shown bool, err error) {
	if f.known == nil {
		name, err := f.entry(kind)
		return f.mayShow(kind, name, nil), err
	}
	e, sum := f.known.find(kind, &f.s, f.met)
	if f.met = e; e != nil {
		f.offerAgain(e)
		return f.pinnedAgain(e) && e.name != "" && (f.shows(e) || f.hide(e.kind, e.name, e.tool)), nil
	}
	start := f.s.pos()
	name, err := f.entry(kind)
	var tool *catalog.Tool
	kept := true // by its pin
	if err == nil && start >= f.s.base {
		raw := f.s.slice(start, f.s.pos())
		var read bool
		if tool, read = f.define(kind, name, raw); read {
			f.offer(kind, name, tool)
			kept = f.pinned(name, tool, raw)
		} else {
			f.unread(kind, name)
		}
		f.known.learn(sum, kind, raw, name, tool)
	} else if kind == policy.Tool && f.pinMode.Strict() {
		kept = false // it was not held whole, so that nothing is known of it
	}
	return kept && f.mayShow(kind, name, tool), err
}

// mayShow says whether an entry may be shown that was read just now. It has no name if it may not be shown to anyone.
func (f *filter) mayShow(kind policy.Kind, name string, tool *catalog.Tool) bool {
	return name != "" && (f.allows(kind, name, tool) || f.hide(kind, name, tool))
}

// identity is the member by which policies name an entry of each kind.
var identity = [...]struct {
	name  string
	names *jsonrpc.Names
}{
	policy.Tool:     {"name", jsonrpc.NewNames("name")},
	policy.Prompt:   {"name", jsonrpc.NewNames("name")},
	policy.Resource: {"uri", jsonrpc.NewNames("uri")},
	policy.Template: {"uriTemplate", jsonrpc.NewNames("uriTemplate")},
}

// entry reads an entry of a list and returns its name. One that some reader could
// take for another, or that has no name at all, may not be shown, and its name is
// returned as none.
func (f *filter) entry(kind policy.Kind) (name string, err error) {
	s := &f.s
	if s.space() != '{' {
		if !s.skip() {
			return "", errJSON
		}
		return "", nil
	}
	if !s.enter('{') {
		return "", errJSON
	}
	id := &identity[kind]
	f.names.clear()
	sound, named := true, false
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok {
			return "", errJSON
		}
		if !more {
			break
		}
		member, ok := s.key(&f.scratch)
		if !ok {
			return "", errJSON
		}
		usual, again := f.names.note(member)
		sound = sound && !again
		if string(member) == id.name {
			if s.space() != '"' {
				sound = false
			} else if named = f.nameText(); !named {
				return "", errJSON
			} else {
				continue
			}
		} else if !usual {
			if _, variant := id.names.Match(member); variant || isStrange(member) {
				sound = false
			}
		}
		if !s.skip() {
			return "", errJSON
		}
	}
	if !sound || !named || len(f.name) == 0 || hasControl(f.name) {
		return "", nil
	}
	return string(f.name), nil
}

// nameText consumes a string into f.name, unescaped.
func (f *filter) nameText() bool {
	raw, plain, ok := f.s.quoted()
	switch {
	case !ok:
	case plain:
		f.name = append(f.name[:0], raw...)
	default:
		f.name, ok = unquote(f.name[:0], raw)
	}
	return ok
}

// hide is called for what the policy denies. When the policy is only observed, the
// entry is counted and stays, unless the person did not leave it to their agent.
func (f *filter) hide(kind policy.Kind, name string, tool *catalog.Tool) (stays bool) {
	if !f.observe || !f.view.Leaves(kind, name, f.said(tool)) {
		return false
	}
	f.fr.filtered++
	return true
}

// hasControl reports whether a name, which is valid UTF-8, has a control character
// (C0, DEL, C1): readers in C end it at a NUL, and what writes lines splits it. A
// request for such a name is refused, so the name is not shown either.
func hasControl(name []byte) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c == 0x7f || c == 0xc2 && name[i+1] < 0xa0 {
			return true
		}
	}
	return false
}
