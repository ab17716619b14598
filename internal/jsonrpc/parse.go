package jsonrpc

import (
	"bytes"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Parse reads exactly one message from body, in the direction client to server.
// The error is always an *Error: CodeParse for what is not JSON or nests too
// deep, CodeInvalidRequest for what is JSON but not one unambiguous message.
func Parse(body []byte, lim Limits) (*Message, error) {
	if err := lim.Check(body); err != nil {
		return nil, err
	}
	p := newParser(body)
	defer p.release()
	m, err := p.message(0)
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	if err := p.fault(m); err != nil {
		return nil, err
	}
	m.Raw = body
	return m, nil
}

// parser reads the messages of one body. A reason to refuse a message doesn't
// end the reading of it, since only what is JSON to its end has an id to answer.
// Errors that its methods return are of the JSON, and final.
type parser struct {
	body    []byte
	src     bytes.Buffer
	dec     *jsontext.Decoder
	scratch []byte // the last name or string that had escapes

	start   int     // where the message begins in body
	has     members // of the envelope
	refusal string  // the first reason to refuse the message
	wrong   string  // the first reason within params, which counts in specified methods
	version Text    // params.protocolVersion
	unclear bool    // it can't be told which id a reader would take
}

var parsers = sync.Pool{New: func() any { return &parser{dec: new(jsontext.Decoder)} }}

func newParser(body []byte) *parser {
	p := parsers.Get().(*parser)
	p.body = body
	p.src = *bytes.NewBuffer(body) // the decoder reads a bytes.Buffer in place
	p.dec.Reset(&p.src)
	return p
}

// release gives p back without any reference to the body it read.
func (p *parser) release() {
	p.body, p.src, p.version = nil, bytes.Buffer{}, Text{}
	p.dec.Reset(&p.src)
	parsers.Put(p)
}

// note keeps the first reason of those it is called with.
func note(fault *string, reason string) {
	if *fault == "" {
		*fault = reason
	}
}

// refuse notes why the message is refused.
func (p *parser) refuse(reason string) { note(&p.refusal, reason) }

// fault returns why m is refused, if it is.
func (p *parser) fault(m *Message) error {
	if p.refusal == "" {
		return nil
	}
	e := &Error{Code: CodeInvalidRequest, Reason: p.refusal}
	if !p.unclear {
		e.ID = m.ID
	}
	return e
}

// end reads to the end of the body, where nothing may follow. Names with a NUL
// are left to it because hardly a body has any: C code takes them for the part
// before it, at whatever depth.
func (p *parser) end() error {
	if _, err := p.dec.ReadToken(); err != io.EOF {
		if err == nil {
			return &Error{Code: CodeParse, Reason: "more than one JSON value"}
		}
		return syntaxError(p.body, err)
	}
	if bytes.Contains(p.body, []byte(`\u0000`)) && nulInName(p.body) {
		p.refuse("a member's name has a NUL")
		p.unclear = true
	}
	return nil
}

// nulInName reports whether a member of the valid JSON in body has a NUL in its name.
func nulInName(body []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return err != io.EOF
		}
		if kind, n := dec.StackIndex(dec.StackDepth()); kind == '{' && n%2 == 1 && token.Kind() == '"' {
			if bytes.IndexByte([]byte(token.String()), 0) >= 0 {
				return true
			}
		}
	}
}

// next reads the next member's name of the object that the decoder is in, or the
// object's end. name is valid until the next call of any method.
func (p *parser) next() (name []byte, done bool, err error) {
	if p.dec.PeekKind() == '}' {
		if _, err := p.dec.ReadToken(); err != nil {
			return nil, false, syntaxError(p.body, err)
		}
		return nil, true, nil
	}
	raw, err := p.value()
	if err != nil {
		return nil, false, err
	}
	name = p.unquote(raw)
	if hasControl(name) || string(name) == "__proto__" {
		// A reader in JavaScript that copies members would set the prototype,
		// and with it members that aren't there.
		p.refuse("unusable member name " + quoteName(name))
		p.unclear = true
	}
	return name, false, nil
}

// value reads the next value and returns its bytes.
func (p *parser) value() ([]byte, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, syntaxError(p.body, err)
	}
	end := int(p.dec.InputOffset())
	return p.body[end-len(raw) : end : end], nil
}

// unquote returns the text of a valid JSON string, in place if it can.
func (p *parser) unquote(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	// The decoder has accepted raw, so there is no error to see.
	p.scratch, _ = jsontext.AppendUnquote(p.scratch[:0], raw)
	return p.scratch
}

// text makes a Text of the value that was read last. ok is false if it isn't a
// string, or one with control characters: as names they are cut short by C code
// or split by what writes lines.
func (p *parser) text(raw []byte) (t Text, ok bool) {
	if raw[0] != '"' {
		return Text{}, false
	}
	s := p.unquote(raw)
	if hasControl(s) {
		return Text{}, false
	}
	end := int(p.dec.InputOffset()) - p.start
	return Text{Value: string(s), Start: end - len(raw), End: end, Set: true}, true
}

// hasControl reports whether valid UTF-8 has a control character (C0, DEL, C1).
func hasControl(s []byte) bool {
	for i, c := range s {
		if c < 0x20 || c == 0x7f || c == 0xc2 && s[i+1] < 0xa0 {
			return true
		}
	}
	return false
}
