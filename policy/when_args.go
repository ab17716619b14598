package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
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
	if len(text) > MaxArgs {
		return types.WrapErr(errArgsLong)
	}
	if !utf8.Valid(text) {
		return types.WrapErr(errArgsInvalid)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	value, err := readArg(dec, r, 0)
	if err != nil {
		return types.WrapErr(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return types.WrapErr(errArgsInvalid)
	}
	if _, ok := value.(*object); !ok {
		return types.WrapErr(errArgsInvalid)
	}
	return value
}

// readArg reads the next value.
func readArg(dec *json.Decoder, r *reading, depth int) (ref.Val, error) {
	if depth > maxArgsDepth {
		return nil, errArgsDeep
	}
	token, err := dec.Token()
	if err != nil {
		return nil, errArgsInvalid
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return readObject(dec, r, depth)
		}
		var list []ref.Val
		for dec.More() {
			item, err := readArg(dec, r, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		if _, err := dec.Token(); err != nil { // the bracket
			return nil, errArgsInvalid
		}
		return types.DefaultTypeAdapter.NativeToValue(list), nil
	case json.Number:
		return readNumber(v.String())
	case string:
		return types.String(v), nil
	case bool:
		return types.Bool(v), nil
	default:
		return types.NullValue, nil
	}
}

// readObject reads the members of an object and its closing bracket.
func readObject(dec *json.Decoder, r *reading, depth int) (ref.Val, error) {
	members := make(map[string]any)
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errArgsInvalid
		}
		if _, twice := members[name]; twice {
			return nil, errArgsTwice
		}
		if members[name], err = readArg(dec, r, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errArgsInvalid
	}
	return &object{Mapper: types.NewStringInterfaceMap(types.DefaultTypeAdapter, members), members: members, reading: r}, nil
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
