package guard

import (
	"errors"
	"slices"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// errJSON is the fault of a message that is not JSON.
var errJSON = errors.New("not JSON, or nested too deep")

// fault is why a message from an upstream does not pass.
type fault string

func (f fault) Error() string { return string(f) }

// frame is what a message from an upstream is, as far as its passing depends on it.
type frame struct {
	kind   jsonrpc.Kind
	id     []byte // raw; nil if there is none, or null
	method string

	// Of params.
	uri      string
	hasURI   bool
	hasList  bool   // there is a list of tools, prompts or resources
	asks     Asks   // what it asks the client for
	asksElse string // likewise, if it is none of these
	foreign  bool   // it names a task, or a resource it watches, that is not the caller's to know

	// Of result.
	task     heldTask // that the result names
	filtered int      // entries left out, or when observing that would have been
	oversize int      // those of them that were left out for their size
}

// caller is whom messages are filtered for.
type caller interface {
	// sealHandle makes a handle of what the upstream calls plain.
	sealHandle(purpose, plain string) (handle string, err error)
	task(plain string) (heldTask, bool)     // one that the caller has and may use
	newTask(plain string) (heldTask, error) // one that the caller is to have
	judged(view *policy.View, s *policy.Subject, kind policy.Kind, name string, args []byte) policy.Decision
	shelf() *catalog.Shelf
	pins() (*catalog.Pinned, error)
}

// filter passes messages on without what the policy hides. The zero value is not
// usable; its fields are set anew for each message, and its memory is reused.
type filter struct {
	view    *policy.View
	facts   policy.Facts // what conditions are judged by, besides
	trusted bool         // what the server says of its tools counts
	now     func() time.Time
	observe bool
	scoped  bool  // what may be cached says for whom, or it may be for all
	ofTask  bool  // the answer may be about a task, whose ttlMs is how long it lives
	maxTTL  int64 // milliseconds
	caller  caller

	known *known      // entries met before; nil if none are remembered
	met   *knownEntry // the last entry, if it was known

	s       scanner
	out     []byte // the message so far, if anything in it changed
	copied  int    // how much of the message is accounted for in out, or was sent
	edited  bool
	fr      frame
	idSpace []byte          // of fr.id
	scratch []byte          // a name without its escapes
	name    []byte          // by which a policy names an entry
	instead []byte          // what goes on in the place of an entry; nil if that is the entry itself
	names   names           // of the members of an entry
	stock   *catalog.Stock  // of the server, while its tools are read
	offered []catalog.Offer // of the server's tools
	reading *reading        // which definitions of tools are read; nil: those that have to be
	spare   int             // how many bytes of definitions may still be read

	pins      *catalog.Pinned // of the server's tools, while they are read; nil if there are none
	pinMode   catalog.PinMode
	sightings []catalog.Sighting        // of tools, that the pins have to know of
	sighted   map[string]catalog.Digest // what they were seen as

	flow flow // how the message arrives, if it does not come whole
}

// message filters one message. It returns msg itself if nothing had to change,
// and otherwise bytes that are valid until the next call.
func (f *filter) message(msg []byte) ([]byte, frame, error) {
	f.begin(scanner{b: msg, token: none})
	if err := f.whole(); err != nil {
		return nil, f.fr, err
	}
	if !f.edited {
		return msg, f.fr, nil
	}
	f.copy(f.s.pos())
	return f.out, f.fr, nil
}

// begin makes ready for a message.
func (f *filter) begin(s scanner) {
	f.s = s
	f.out, f.copied, f.edited, f.fr = f.out[:0], 0, false, frame{}
	f.met, f.offered, f.sightings, f.sighted = nil, nil, nil, nil
}

// whole reads the message and what must not follow it.
func (f *filter) whole() error {
	if err := f.envelope(); err != nil {
		return err
	}
	if f.s.space(); f.s.i != len(f.s.b) {
		return fault("something follows the message")
	}
	return nil
}

// copy has all up to a position of the message in out that is not accounted for yet.
func (f *filter) copy(to int) {
	if f.copied < to {
		f.out = append(f.out, f.s.slice(f.copied, to)...)
		f.copied = to
	}
}

// replace puts with in the place of what stands from start to end of the message.
func (f *filter) replace(start, end int, with []byte) {
	if !f.edited {
		f.out = slices.Grow(f.out, len(f.s.b)) // hardly anything is replaced by more
	}
	f.copy(start)
	f.out = append(f.out, with...)
	f.copied, f.edited = end, true
}

// listNames are the members of a result that are lists of what policies name.
var listNames = jsonrpc.NewNames("tools", "prompts", "resources", "resourceTemplates")

// paramNames are those that are judged in the params of a server's messages.
var paramNames = jsonrpc.NewNames("uri", "taskId", "_meta", "notifications", "inputRequests")

// params reads the params of a server's request or notification.
func (f *filter) params() error {
	s := &f.s
	sawTask := false
	return f.object(func(name []byte) error {
		switch string(name) {
		case "uri":
			if f.fr.hasURI {
				return fault("params.uri twice")
			}
			var ok bool
			if f.fr.uri, ok = s.text(); !ok {
				return fault("params.uri is not a string")
			}
			f.fr.hasURI = true
			return nil
		case "taskId":
			if sawTask {
				return fault("params.taskId twice")
			}
			sawTask = true
			return f.taskNamed()
		case "_meta":
			return f.meta(f.taskNamed)
		case "notifications":
			return f.watched()
		case "result":
			return f.outcome()
		case "error":
			return f.failure()
		case "inputRequests":
			return f.inputRequests()
		}
		if _, variant := paramNames.Match(name); variant {
			return fault("another spelling of a member of params that is judged")
		}
		if known, variant := listNames.Match(name); known || variant {
			f.fr.hasList = true
		}
		if !s.skip() {
			return errJSON
		}
		return nil
	})
}

// failure reads an error object (JSON-RPC 2.0 §5.1). It has no other members, since
// what a client would make of them is unknown, and no lists.
func (f *filter) failure() error {
	f.flow.shut = true // what it asks for is judged when all of the message was seen
	return f.object(func(name []byte) error {
		switch string(name) {
		case "code", "message":
			if c := f.s.space(); c == '{' || c == '[' {
				return fault("an error's code or message that is neither text nor a number")
			}
			if string(name) == "code" {
				return f.errorCode()
			}
		case "data":
			return f.listless()
		default:
			return fault("a member of an error that JSON-RPC does not have")
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
}

// listless reads a value in which, at whatever depth, no member that is named as a
// list may be one. Capabilities have the same names, and are objects.
func (f *filter) listless() error {
	s := &f.s
	switch s.space() {
	case '{':
		return f.object(func(name []byte) error {
			if known, variant := listNames.Match(name); (known || variant) && s.space() == '[' {
				if !s.enter('[') {
					return errJSON
				}
				if more, _ := s.next(']', true); more {
					return fault("a list in an error")
				}
				return nil
			}
			return f.listless()
		})
	case '[':
		if !s.enter('[') {
			return errJSON
		}
		for first := true; ; first = false {
			more, ok := s.next(']', first)
			if !ok {
				return errJSON
			}
			if !more {
				return nil
			}
			if err := f.listless(); err != nil {
				return err
			}
		}
	}
	if !s.skip() {
		return errJSON
	}
	return nil
}

// object reads an object. member is called with the name of each member, which is
// valid until it reads on, and reads the value.
func (f *filter) object(member func(name []byte) error) error {
	s := &f.s
	if s.space() != '{' {
		return fault("not an object")
	}
	if !s.enter('{') {
		return errJSON
	}
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok {
			return errJSON
		}
		if !more {
			return nil
		}
		name, ok := s.key(&f.scratch)
		if !ok {
			return errJSON
		}
		if isStrange(name) {
			return fault("a member that some take for others")
		}
		if err := member(name); err != nil {
			return err
		}
	}
}

// value consumes one value, which is short enough to be looked at whole, and returns
// it and where it begins.
func (f *filter) value() (raw []byte, start int, err error) {
	s := &f.s
	s.space()
	start = s.pos()
	s.token = start
	ok := s.skip()
	s.token = none
	if !ok {
		return nil, start, errJSON
	}
	return s.slice(start, s.pos()), start, nil
}

// isStrange reports whether a member's name is another to some readers: those in JavaScript that copy members set the
// prototype by __proto__, and with it members that aren't there; those in C take a name for what stands before a NUL.
func isStrange(name []byte) bool { return string(name) == "__proto__" || hasControl(name) }

// release gives f back, without the caller it filtered for and without memory that
// one large message had needed.
func (f *filter) release() {
	f.flow.stop()
	out, id, scratch, name, names := f.out[:0], f.idSpace[:0], f.scratch[:0], f.name[:0], f.names.reset()
	if cap(out) > maxPooled {
		out = nil
	}
	*f = filter{out: out, idSpace: id, scratch: scratch, name: name, names: names}
	filters.Put(f)
}
