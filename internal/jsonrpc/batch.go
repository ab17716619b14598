package jsonrpc

import (
	"bytes"
	"strconv"
)

// IsBatch reports whether body begins as a JSON array does.
func IsBatch(body []byte) bool {
	for _, c := range body {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c == '['
	}
	return false
}

// ParseBatch reads a batch, which only revision 2025-03-26 knows. It refuses the
// whole of an empty one, of one with another batch or any refused message in
// it, of one with more than lim.Batch messages, and of one that uses an id
// twice: its answers couldn't be told apart. The error is always an *Error, as
// of Parse, but without an id.
func ParseBatch(body []byte, lim Limits) ([]*Message, error) {
	lim = lim.withDefaults()
	if err := lim.Check(body); err != nil {
		return nil, err
	}
	p := newParser(body)
	defer p.release()
	batch, refusal, err := p.batch(lim.Batch)
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	note(&refusal, p.refusal) // of end
	if refusal != "" {
		return nil, &Error{Code: CodeInvalidRequest, Reason: refusal}
	}
	return batch, nil
}

// batch reads an array of messages, and says why it is refused, if it is.
func (p *parser) batch(most int) (batch []*Message, refusal string, err error) {
	if p.dec.PeekKind() != '[' {
		_, err := p.value()
		return nil, "not a batch", err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, "", syntaxError(p.body, err)
	}
	ids := make(map[string]struct{})
	for p.dec.PeekKind() != ']' {
		if len(batch) == most {
			// The rest isn't read, and needn't be: nothing of it goes on.
			return nil, "", &Error{Code: CodeInvalidRequest, Reason: "more than " + strconv.Itoa(most) + " messages in a batch"}
		}
		rest := p.body[p.dec.InputOffset():]
		start := len(p.body) - len(bytes.TrimLeft(rest, ", \t\r\n"))
		m, err := p.message(start)
		if err != nil {
			return nil, "", err
		}
		end := int(p.dec.InputOffset())
		m.Raw, m.Offset = p.body[start:end:end], start
		if p.refusal == "" && m.Kind != Notification {
			key, _ := IDKey(m.ID)
			if m.Kind == Request {
				key = "asks " + key // its sender's own ids; an answer has the other side's
			}
			if _, twice := ids[key]; twice {
				p.refuse("its id is used twice")
			}
			ids[key] = struct{}{}
		}
		if p.refusal != "" {
			note(&refusal, "message "+strconv.Itoa(len(batch)+1)+" of the batch: "+p.refusal)
		}
		batch = append(batch, m)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, "", syntaxError(p.body, err)
	}
	if len(batch) == 0 {
		return nil, "an empty batch", nil
	}
	p.refusal = ""
	return batch, refusal, nil
}
