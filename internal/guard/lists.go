package guard

import (
	"bytes"
	"strconv"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// resultNames are the members of a result that the guard reads, whatever request
// it answers.
var resultNames = jsonrpc.NewNames("tools", "prompts", "resources", "resourceTemplates", "nextCursor", "cacheScope", "ttlMs", "requestState")

// members of a result that were seen.
const (
	sawTools = 1 << iota
	sawPrompts
	sawResources
	sawTemplates
	sawCursor
	sawScope
	sawTTL
	sawState
)

// result reads a result. A list is recognised by its name alone: which request the
// message answers can't be told on every stream.
func (f *filter) result() error {
	saw := 0
	return f.object(func(name []byte) error {
		bit := 0
		switch string(name) {
		case "tools":
			bit = sawTools
		case "prompts":
			bit = sawPrompts
		case "resources":
			bit = sawResources
		case "resourceTemplates":
			bit = sawTemplates
		case "nextCursor":
			bit = sawCursor
		case "cacheScope":
			bit = sawScope
		case "ttlMs":
			bit = sawTTL
		case "requestState":
			bit = sawState
		case "content", "structuredContent", "isError", "_meta", "resultType", "contents", "messages", "description":
			// The members of the answers that come most often.
		default:
			if _, variant := resultNames.Match(name); variant {
				return fault("another spelling of a list's name or of its cursor")
			}
		}
		if saw&bit != 0 {
			return fault("a member of the result twice")
		}
		saw |= bit
		switch bit {
		case sawTools:
			return f.list(policy.Tool)
		case sawPrompts:
			return f.list(policy.Prompt)
		case sawResources:
			return f.list(policy.Resource)
		case sawTemplates:
			return f.list(policy.Template)
		case sawCursor:
			return f.nextCursor()
		case sawScope:
			return f.cacheScope()
		case sawTTL:
			return f.ttl()
		case sawState:
			f.fr.fresh = true
			_, _, err := f.handle(purposeState)
			return err
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
}

// value consumes one value and returns where it began.
func (f *filter) value() (start int, ok bool) {
	f.s.space()
	start = f.s.i
	return start, f.s.skip()
}

// cacheScope tells clients and the caches between that the answer is one person's.
func (f *filter) cacheScope() error {
	start, ok := f.value()
	if !ok {
		return errJSON
	}
	if string(f.s.b[start:f.s.i]) != `"private"` {
		f.replace(start, f.s.i, []byte(`"private"`))
	}
	return nil
}

// ttl bounds how long a client takes an answer for fresh, since what a person may
// see can change meanwhile.
func (f *filter) ttl() error {
	start, ok := f.value()
	if !ok {
		return errJSON
	}
	n, err := strconv.ParseFloat(string(f.s.b[start:f.s.i]), 64)
	switch {
	case err != nil: // not a number, or one beyond all bounds
		f.replace(start, f.s.i, []byte("0"))
	case n > float64(f.maxTTL):
		f.replace(start, f.s.i, strconv.AppendInt(nil, f.maxTTL, 10))
	}
	return nil
}

// nextCursor seals the handle of the next page: it is bound to this caller, and
// what the upstream wrote into it may be the name of a hidden entry.
func (f *filter) nextCursor() error {
	plain, size, err := f.handle(purposeCursor)
	f.fr.cursor, f.fr.cursorAt, f.fr.cursorTo = plain, len(f.out)-size, len(f.out)
	return err
}

// handle puts a sealed handle in the place of a string, and says what the string
// was and how long the token is that it put there: 0 for null, which some servers
// write for "no more" and which stays.
func (f *filter) handle(purpose string) (plain string, size int, err error) {
	f.s.space()
	start := f.s.i
	if f.s.literal("null") {
		return "", 0, nil
	}
	plain, ok := f.s.text()
	if !ok {
		return "", 0, fault("a handle that is not a string")
	}
	sealed, err := f.seal(purpose, plain)
	if err != nil {
		return "", 0, err
	}
	token := jsonrpc.AppendString(nil, sealed)
	f.replace(start, f.s.i, token)
	return plain, len(token), nil
}

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
	sound, named, name := true, false, ""
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
			if name, named = s.text(); !named {
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
	if !sound || !named || name == "" || hasControl(name) {
		return false, nil
	}
	return f.view.Decide(kind, name).Allowed || f.hide(), nil
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
func hasControl(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c == 0x7f || c == 0xc2 && name[i+1] < 0xa0 {
			return true
		}
	}
	return false
}
