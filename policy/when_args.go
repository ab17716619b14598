package policy

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Bounds of the arguments that a condition reads. Those of a call beyond them can't be judged.
const (
	MaxArgs      = 1 << 20 // bytes
	maxArgsDepth = 64
)

// Why arguments can't be judged.
var (
	errArgsLong    = errors.New("the arguments are too long to be judged")
	errArgsDeep    = errors.New("the arguments are nested too deeply to be judged")
	errArgsInvalid = errors.New("the arguments are not a JSON object")
	errArgsTwice   = errors.New("the arguments have a name twice")
	errArgsNumber  = errors.New("the arguments have a number that can't be judged exactly")
)

// reading is what was found out while arguments were read.
type reading struct {
	variant string // a name that some readers take for one that was asked for; "" if there was none
}

// readArgs reads the arguments of a call as CEL's values.
func readArgs(text []byte, r *reading) ref.Val {
	switch {
	case len(text) > MaxArgs:
		return types.WrapErr(errArgsLong)
	case !utf8.Valid(text) || !json.Valid(text):
		return types.WrapErr(errArgsInvalid)
	}
	a := argReader{text: text, reading: r}
	if a.next() != '{' {
		return types.WrapErr(errArgsInvalid)
	}
	value, err := a.value(0)
	if err != nil {
		return types.WrapErr(err)
	}
	return value
}

// argReader walks arguments that are known to be valid JSON.
type argReader struct {
	text    []byte
	i       int
	reading *reading
}

// next skips white space and what stands between values, and returns the byte after it.
func (a *argReader) next() byte {
	for {
		switch c := a.text[a.i]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			a.i++
		default:
			return c
		}
	}
}

// value reads the next value.
func (a *argReader) value(depth int) (ref.Val, error) {
	if depth > maxArgsDepth {
		return nil, errArgsDeep
	}
	switch c := a.next(); c {
	case '{':
		return a.object(depth)
	case '[':
		list := []ref.Val{}
		for a.i++; a.next() != ']'; {
			item, err := a.value(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		a.i++
		return types.NewRefValList(types.DefaultTypeAdapter, list), nil
	case '"':
		text, err := a.str()
		return types.String(text), err
	case 't':
		a.i += len("true")
		return types.True, nil
	case 'f':
		a.i += len("false")
		return types.False, nil
	case 'n':
		a.i += len("null")
		return types.NullValue, nil
	default:
		start := a.i
		for a.i < len(a.text) && strings.IndexByte("+-.0123456789Ee", a.text[a.i]) >= 0 {
			a.i++
		}
		return readNumber(string(a.text[start:a.i]))
	}
}

// object reads an object.
func (a *argReader) object(depth int) (ref.Val, error) {
	members := make(map[string]any)
	for a.i++; a.next() != '}'; {
		name, err := a.str()
		if err != nil {
			return nil, err
		}
		if _, twice := members[name]; twice {
			return nil, errArgsTwice
		}
		if members[name], err = a.value(depth + 1); err != nil {
			return nil, err
		}
	}
	a.i++
	return &object{Mapper: types.NewStringInterfaceMap(types.DefaultTypeAdapter, members), members: members, reading: a.reading}, nil
}

// str reads a text.
func (a *argReader) str() (string, error) {
	start, plain := a.i, true
	for a.i++; a.text[a.i] != '"'; a.i++ {
		if a.text[a.i] == '\\' {
			plain = false
			a.i++
		}
	}
	a.i++
	if plain {
		return string(a.text[start+1 : a.i-1]), nil
	}
	var text string
	err := json.Unmarshal(a.text[start:a.i], &text)
	return text, err
}

// readNumber reads a number without changing it: whole ones as far as 64 bits go, others as a double, which is what servers
// make of them, unless a double of that size has no room for what stands behind the point.
func readNumber(text string) (ref.Val, error) {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return types.Int(n), nil
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return types.Uint(n), nil
		}
		return nil, errArgsNumber
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) >= 1<<53 {
		return nil, errArgsNumber
	}
	return types.Double(f), nil
}
