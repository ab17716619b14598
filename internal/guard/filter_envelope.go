package guard

import "github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"

// errKind is the fault of a message that is more than one, or none.
const errKind = fault("not exactly one of method, result and error")

// envelope members.
const (
	sawVersion = 1 << iota
	sawID
	sawMethod
	sawParams
	sawResult
	sawError
)

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
		if saw |= bit; saw&sawResult != 0 && saw&(sawMethod|sawError|sawParams) != 0 {
			return errKind // at once: some of the result may be on its way before the end is seen
		}
		f.flow.keep = none
		err := f.member(bit)
		f.flow.keep = f.s.pos() // the end of the message is held back until all of it was seen
		return err
	})
	if err != nil {
		return err
	}
	return f.shape(saw)
}

// member reads the value of a member of the message.
func (f *filter) member(bit int) error {
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
		f.flow.divisible = true
		err := f.result()
		f.flow.divisible = false
		return err
	}
	return f.failure()
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
		return errKind
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
	raw, _, err := f.value()
	if err != nil || string(raw) == "null" {
		return err
	}
	if !jsonrpc.ValidID(raw) {
		return fault("id is neither a string nor an integer")
	}
	f.idSpace = append(f.idSpace[:0], raw...)
	f.fr.id = f.idSpace
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
