package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The members of a tool that are its definition, in the order of their names: what a model reads before it uses the tool.
const (
	partAnnotations = iota
	partDescription
	partInput
	partName
	partOutput
	partTitle
	parts
)

var partNames = [parts]string{"annotations", "description", "inputSchema", "name", "outputSchema", "title"}

// Digest stands for the definition of a tool: equal ones are of the same definition, however it was written. The zero Digest
// is that of none.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// errDigest says that a text is no digest.
var errDigest = errors.New("not the digest of a definition: it has 64 hexadecimal digits")

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return errDigest
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return errDigest
	}
	return nil
}

// digestOf returns the digest of a definition in canonical form.
func digestOf(canonical []byte) Digest { return sha256.Sum256(canonical) }

// definition is an entry of a list of tools, taken apart.
type definition struct {
	parts [parts]jsontext.Value // raw; nil where there is none
	meta  jsontext.Value
}

// readDefinition takes an entry apart. ok says that it is an object that every reader takes for the same: no member stands
// twice, and none is another spelling of one that is part of the definition, which some readers would take for it.
func readDefinition(entry []byte) (d definition, ok bool) {
	if len(entry) > maxEntry {
		return d, false
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(entry))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return d, false
	}
	for dec.PeekKind() == '"' {
		t, err := dec.ReadToken()
		if err != nil {
			return d, false
		}
		to, variant := d.member(t.String())
		raw, err := dec.ReadValue()
		if err != nil || variant {
			return d, false
		}
		if end := dec.InputOffset(); to != nil {
			*to = entry[end-int64(len(raw)) : end] // what dec returned is its own to change
		}
	}
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '}' {
		return d, false
	}
	_, err := dec.ReadToken()
	return d, err == io.EOF
}

// member returns where the value of a member goes, nil if it is not wanted. variant says that the name is another spelling
// of one that is.
func (d *definition) member(name string) (to *jsontext.Value, variant bool) {
	for i, part := range partNames {
		if name == part {
			return &d.parts[i], false
		}
		if len(name) >= len(part) && strings.EqualFold(name, part) {
			return nil, true
		}
	}
	if name == "_meta" {
		return &d.meta, false
	}
	return nil, false
}

// canonical returns the definition in the form that is pinned: the members that belong to it, sorted by name at every depth,
// without white space, each text written in one way. Numbers keep their digits, since 9007199254740993 in a schema is another
// number than 9007199254740992 (RFC 8785 would make one of them).
func (d *definition) canonical() []byte {
	text := append(make([]byte, 0, 1024), '{')
	for i, part := range d.parts {
		if part == nil {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, '"'), partNames[i]...), `":`...)
		// It can't fail: what was read is well-formed. If it did, nothing would be appended.
		text, _ = jsontext.AppendFormat(text, part, jsontext.ReorderRawObjects(true))
	}
	return append(text, '}')
}

// Definition returns the definition of a tool, one entry of a server's list, in the form that its digest is of: JSON, sorted
// and without white space. ok is false exactly if Read returns nil.
func Definition(entry []byte) (canonical []byte, ok bool) {
	d, ok := readDefinition(entry)
	if !ok {
		return nil, false
	}
	return d.canonical(), true
}
