package jsonrpc

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"unicode"
)

// member is one member of an object, in the order it came, duplicates and all.
type member struct {
	name  string
	value any
}

// object is an object as the readers below see it.
type object []member

// readTree reads one JSON value with encoding/json and keeps what its maps
// would lose.
func readTree(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := readNode(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return v, nil
}

func readNode(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := object{}
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, err
			}
			value, err := readNode(dec)
			if err != nil {
				return nil, err
			}
			o = append(o, member{name.(string), value})
		}
		_, err := dec.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			value, err := readNode(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := dec.Token()
		return list, err
	}
	return token, nil
}

// reader is a way in which some parser in use looks up a member.
type reader struct {
	name string
	fold func(string) string // names that fold alike are one
	last bool                // the last of several counts, else the first
	cut  bool                // strings end at a NUL
}

// readers are the ways known, each with the first and the last of duplicates.
func readers() []reader {
	exact := func(s string) string { return s }
	simple := func(s string) string { // as encoding/json, which takes the smallest of each orbit
		return strings.Map(func(r rune) rune {
			least := r
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				least = min(least, f)
			}
			return least
		}, s)
	}
	each := func(s string) string { // as Java's equalsIgnoreCase, character by character
		return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
	}
	dotted := func(s string) string { return strings.Map(unicode.ToLower, s) }
	bare := func(s string) string { return simple(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	var all []reader
	for _, last := range []bool{false, true} {
		all = append(all,
			reader{"exact", exact, last, false},
			reader{"C strings", exact, last, true},
			reader{"simple folding", simple, last, false},
			reader{"upper case", strings.ToUpper, last, false},
			reader{"lower case", strings.ToLower, last, false},
			reader{"upper and lower of each", each, last, false},
			reader{"lower of each", dotted, last, false},
			reader{"without _ and -", bare, last, false},
		)
	}
	return all
}

func (r reader) text(s string) string {
	if i := strings.IndexByte(s, 0); r.cut && i >= 0 {
		return s[:i]
	}
	return s
}

// get returns what r finds at a path of names below v, nil if nothing.
func (r reader) get(v any, path ...string) any {
	for _, name := range path {
		o, _ := v.(object)
		if r.last {
			o = slices.Clone(o)
			slices.Reverse(o)
		}
		i := slices.IndexFunc(o, func(m member) bool { return r.fold(r.text(m.name)) == r.fold(name) })
		if i < 0 {
			return nil
		}
		v = o[i].value
	}
	if s, ok := v.(string); ok {
		return r.text(s)
	}
	return v
}
