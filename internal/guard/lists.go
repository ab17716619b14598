package guard

import (
	"bytes"

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
	if !s.enter('[') {
		return errJSON
	}
	f.fr.list = true
	kept := false
	gap := -1 // where the first of the entries left out since the last kept one began
	last := s.i
	for first := true; ; first = false {
		more, ok := s.more(']', first)
		if !ok {
			return errJSON
		}
		if !more {
			if gap >= 0 {
				f.replace(gap, s.i-1, nil)
			}
			return nil
		}
		s.space()
		start := s.i
		shown, err := f.entry(kind)
		if err != nil {
			return err
		}
		switch {
		case !shown:
			f.fr.filtered++
			if gap < 0 {
				gap = last
			}
			continue
		case gap >= 0 && kept:
			f.replace(gap, start, comma)
		case gap >= 0:
			f.replace(gap, start, nil)
		}
		kept, gap, last = true, -1, s.i
	}
}

var comma = []byte{','}

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

// maxMembers bounds the members of an entry; the specification has a dozen.
const maxMembers = 64

// entry reads an entry of a list and says whether it may be shown. One that some
// reader could take for another, or that has no name at all, may not.
func (f *filter) entry(kind policy.Kind) (shown bool, err error) {
	s := &f.s
	if s.space() != '{' {
		if !s.skip() {
			return false, errJSON
		}
		return false, nil
	}
	if !s.enter('{') {
		return false, errJSON
	}
	id := &identity[kind]
	f.names, f.store = f.names[:0], f.store[:0]
	sound, named := true, false
	var name []byte
	for first := true; ; first = false {
		more, ok := s.more('}', first)
		if !ok {
			return false, errJSON
		}
		if !more {
			break
		}
		member, ok := s.key(&f.scratch)
		if !ok {
			return false, errJSON
		}
		sound = sound && f.single(member)
		switch string(member) {
		case id.name:
			if s.space() != '"' {
				sound = false
				break
			}
			if name, named = f.text(); !named {
				return false, errJSON
			}
			continue
		case "description", "inputSchema", "title", "annotations", "outputSchema", "icons", "_meta", "mimeType", "arguments", "execution", "size":
		default:
			if _, variant := id.names.Match(member); variant {
				sound = false
			}
		}
		if !s.skip() {
			return false, errJSON
		}
	}
	if !sound || !named || len(name) == 0 || hasControl(name) {
		return false, nil
	}
	return f.view.Decide(kind, string(name)).Allowed || f.hide(), nil
}

// text consumes a string value and returns it unescaped, without a copy if it can.
func (f *filter) text() ([]byte, bool) {
	start := f.s.i
	plain, ok := f.s.str()
	if !ok {
		return nil, false
	}
	raw := f.s.b[start+1 : f.s.i-1]
	if plain {
		return raw, true
	}
	at := len(f.store)
	f.store, ok = unquote(f.store, raw)
	return f.store[at:len(f.store):len(f.store)], ok
}

// hide is called for what the policy denies. When the policy is only observed, the
// entry is counted and stays.
func (f *filter) hide() bool {
	if f.observe {
		f.fr.filtered++
	}
	return f.observe
}

// single notes the name of an entry's member and reports whether it is the first
// of that name.
func (f *filter) single(name []byte) bool {
	for _, n := range f.names {
		if len(n) == len(name) && bytes.Equal(n, name) {
			return false
		}
	}
	if len(f.names) >= maxMembers {
		return false
	}
	if len(f.scratch) > 0 && len(name) > 0 && &f.scratch[0] == &name[0] {
		// The next name with escapes will overwrite it.
		at := len(f.store)
		f.store = append(f.store, name...)
		name = f.store[at:len(f.store):len(f.store)]
	}
	f.names = append(f.names, name)
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
