package jsonrpc

import "strings"

// maxMethod is the longest method name accepted, in bytes.
const maxMethod = 256

// members is a set of members of the envelope.
type members uint8

const (
	hasVersion members = 1 << iota
	hasID
	hasMethod
	hasParams
	hasResult
	hasError
)

// message reads the message that begins at start of the body. Whether it is
// refused is for fault to say.
func (p *parser) message(start int) (*Message, error) {
	p.start, p.has, p.refusal, p.wrong, p.unclear, p.version = start, 0, "", "", false, Text{}
	m := new(Message)
	if p.dec.PeekKind() != '{' {
		p.refuse("not a JSON object")
		_, err := p.value()
		return m, err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, syntaxError(p.body, err)
	}
	for {
		name, done, err := p.next()
		if err == nil && !done {
			err = p.envelope(m, name)
		}
		if err != nil {
			return nil, err
		}
		if done {
			p.shape(m)
			return m, nil
		}
	}
}

// envelope reads the value of one member of the envelope.
func (p *parser) envelope(m *Message, name []byte) error {
	switch string(name) {
	case "params":
		p.has |= hasParams
		return p.params(m)
	case "result":
		p.has |= hasResult
		return p.result(m)
	case "jsonrpc":
		p.has |= hasVersion
		raw, err := p.value()
		if err == nil && (raw[0] != '"' || string(p.unquote(raw)) != "2.0") {
			p.refuse(`jsonrpc is not "2.0"`)
		}
		return err
	case "id":
		p.has |= hasID
		raw, err := p.value()
		if err == nil && ValidID(raw) {
			m.ID = raw
		} else {
			p.refuse("id is neither a short string nor an integer within 2^53")
		}
		return err
	case "method":
		p.has |= hasMethod
		raw, err := p.value()
		if err != nil {
			return err
		}
		if raw[0] != '"' {
			p.refuse("method is not a string")
			return nil
		}
		method := p.unquote(raw)
		if len(method) == 0 || len(method) > maxMethod || hasControl(method) {
			p.refuse("method is not a usable name")
			return nil
		}
		var ok bool
		if m.Method, ok = specified[string(method)]; !ok {
			m.Method = string(method)
		}
		return nil
	case "error":
		p.has |= hasError
		raw, err := p.value()
		if err == nil && raw[0] != '{' {
			p.refuse("error is not an object")
		}
		return err
	}
	if _, variant := envelope.Match(name); variant {
		p.refuse("member " + quoteName(name) + " is another spelling of a known one")
		p.unclear = true
	} else {
		p.refuse("unknown member " + quoteName(name))
	}
	_, err := p.value()
	return err
}

// shape says what kind of message the members that were there make.
func (p *parser) shape(m *Message) {
	notifies := strings.HasPrefix(m.Method, "notifications/")
	switch p.has &^ hasVersion &^ hasParams {
	case hasMethod | hasID:
		m.Kind = Request
		if notifies {
			p.refuse("a notification with an id")
		}
	case hasMethod:
		m.Kind = Notification
		if !notifies {
			p.refuse("a request without an id")
		}
	case hasResult | hasID:
		m.Kind = Result
	case hasError | hasID:
		m.Kind = Failure
	case hasResult, hasError:
		p.refuse("an answer without an id")
	case 0, hasID:
		p.refuse("neither a method nor an answer")
	default:
		p.refuse("more than one of method, result and error")
	}
	if p.has&hasVersion == 0 {
		p.refuse("jsonrpc is missing")
	}
	if p.has&hasParams != 0 && p.has&hasMethod == 0 {
		p.refuse("params without a method")
	}
	if _, ok := specified[m.Method]; ok && p.wrong != "" {
		p.refuse(p.wrong)
	}
	if m.Method == "initialize" {
		// The one in _meta alone is of revision 2026-07-28, which has no initialize:
		// that is for the guard to say, in the words of that revision.
		if v := m.Params.ProtocolVersion; v.Set && p.version.Set && v.Value != p.version.Value {
			p.refuse("initialize has another protocol version in _meta than in params")
		}
		if p.version.Set {
			m.Params.ProtocolVersion = p.version
		}
	}
}
