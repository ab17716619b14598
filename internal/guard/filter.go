package guard

import (
	"errors"
	"slices"

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
	idFrom int    // where it stands in the message
	idAt   int    // and where in the filtered message
	method string

	// Of params.
	uri      string
	hasURI   bool
	hasList  bool   // there is a list of tools, prompts or resources
	asks     Asks   // what it asks the client for
	asksElse string // likewise, if it is none of these
	foreign  bool   // it names a task, or a resource it watches, that is not the caller's to know

	// Of result.
	list               bool     // there is a list, which was filtered
	filtered           int      // entries left out, or when observing that would have been
	cursor             string   // nextCursor, as the upstream wrote it
	cursorAt, cursorTo int      // where its token stands in the filtered message
	fresh              bool     // there is another handle, which is sealed anew each time
	task               heldTask // that the result names
	edited             bool     // something in it changed
}

// sealer makes handles for the caller of what the upstream calls plain.
type sealer interface {
	sealHandle(purpose, plain string) (handle string, err error)
	task(plain string) (heldTask, bool)     // one that the caller has and may use
	newTask(plain string) (heldTask, error) // one that the caller is to have
}

// filter passes messages on without what the policy hides. The zero value is not
// usable; its fields are set anew for each message, and its memory is reused.
type filter struct {
	view    *policy.View
	observe bool
	scoped  bool  // what may be cached says for whom, or it may be for all
	ofTask  bool  // the answer may be about a task, whose ttlMs is how long it lives
	maxTTL  int64 // milliseconds
	sealer  sealer

	s       scanner
	out     []byte // the message so far, if anything in it changed
	copied  int    // how much of s.b is accounted for in out
	edited  bool
	fr      frame
	scratch []byte   // a name without its escapes
	names   [][]byte // the names of an entry's members
	store   []byte   // those of them that had escapes
}

// envelope members.
const (
	sawVersion = 1 << iota
	sawID
	sawMethod
	sawParams
	sawResult
	sawError
)

// message filters one message. It returns msg itself if nothing had to change,
// and otherwise bytes that are valid until the next call.
func (f *filter) message(msg []byte) ([]byte, frame, error) {
	f.s = scanner{b: msg}
	f.out, f.copied, f.edited, f.fr = f.out[:0], 0, false, frame{}
	if err := f.envelope(); err != nil {
		return nil, f.fr, err
	}
	if f.s.space(); f.s.i != len(msg) {
		return nil, f.fr, fault("something follows the message")
	}
	f.fr.edited = f.edited
	if !f.edited {
		return msg, f.fr, nil
	}
	f.out = append(f.out, msg[f.copied:]...)
	return f.out, f.fr, nil
}

// at returns where the byte at i of the message stands in the filtered message.
// Nothing from there on may have been read.
func (f *filter) at(i int) int { return len(f.out) + i - f.copied }

// replace puts with in the place of the bytes from start to end.
func (f *filter) replace(start, end int, with []byte) {
	if !f.edited {
		f.out = slices.Grow(f.out, len(f.s.b)) // hardly anything is replaced by more
	}
	f.out = append(f.out, f.s.b[f.copied:start]...)
	f.out = append(f.out, with...)
	f.copied, f.edited = end, true
}

// envelope reads the message. It may have no members but those of JSON-RPC, since
// what a client would make of others is unknown.
func (f *filter) envelope() error {
	saw := 0
	err := f.object(func(name []byte) error {
		bit := 0
		switch string(name) {
		case "jsonrpc":
			bit = sawVersion
		case "id":
			bit = sawID
		case "method":
			bit = sawMethod
		case "params":
			bit = sawParams
		case "result":
			bit = sawResult
		case "error":
			bit = sawError
		default:
			return fault("a member that JSON-RPC does not have")
		}
		if saw&bit != 0 {
			return fault("a member twice")
		}
		saw |= bit
		switch bit {
		case sawVersion:
			return f.version()
		case sawID:
			return f.id()
		case sawMethod:
			return f.method()
		case sawParams:
			return f.params()
		case sawResult:
			return f.result()
		}
		return f.failure()
	})
	if err != nil {
		return err
	}
	return f.shape(saw)
}

// shape says what kind of message the members make.
func (f *filter) shape(saw int) error {
	if saw&sawVersion == 0 {
		return fault("jsonrpc is missing")
	}
	switch saw &^ sawVersion &^ sawParams {
	case sawMethod | sawID:
		f.fr.kind = jsonrpc.Request
	case sawMethod:
		f.fr.kind = jsonrpc.Notification
	case sawResult | sawID:
		f.fr.kind = jsonrpc.Result
	case sawError | sawID, sawError:
		f.fr.kind = jsonrpc.Failure
	default:
		return fault("not exactly one of method, result and error")
	}
	if saw&sawParams != 0 && saw&sawMethod == 0 {
		return fault("params without a method")
	}
	if f.fr.id == nil && (f.fr.kind == jsonrpc.Request || f.fr.kind == jsonrpc.Result) {
		return fault("no id")
	}
	return nil
}

func (f *filter) version() error {
	f.s.space()
	if !f.s.literal(`"2.0"`) {
		return fault(`jsonrpc is not "2.0"`)
	}
	return nil
}

func (f *filter) id() error {
	f.s.space()
	start := f.s.i
	if !f.s.skip() {
		return errJSON
	}
	raw := f.s.b[start:f.s.i]
	if string(raw) == "null" {
		return nil
	}
	if !jsonrpc.ValidID(raw) {
		return fault("id is neither a string nor an integer")
	}
	f.fr.id, f.fr.idFrom, f.fr.idAt = raw, start, f.at(start)
	return nil
}

func (f *filter) method() error {
	v, ok := f.s.text()
	if !ok {
		return fault("method is not a string")
	}
	f.fr.method = v
	f.fr.asks |= askKinds[v]
	return nil
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
				if ahead := (scanner{b: s.b, i: s.i + 1}); ahead.space() != ']' {
					return fault("a list in an error")
				}
			}
			return f.listless()
		})
	case '[':
		if !s.enter('[') {
			return errJSON
		}
		for first := true; ; first = false {
			more, ok := s.more(']', first)
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
		more, ok := s.more('}', first)
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
		if string(name) == "__proto__" || hasControl(name) {
			// Readers in JavaScript that copy members set the prototype by it, and with it members that
			// aren't there; those in C take the name for what stands before a NUL.
			return fault("a member that some take for others")
		}
		if err := member(name); err != nil {
			return err
		}
	}
}

// release gives f back, without the caller it filtered for and without memory that
// one large message had needed.
func (f *filter) release() {
	out, scratch, names, store := f.out, f.scratch, f.names, f.store
	if cap(out) > maxPooled {
		out = nil
	}
	clear(names[:cap(names)])
	*f = filter{out: out[:0], scratch: scratch[:0], names: names[:0], store: store[:0]}
	filters.Put(f)
}
