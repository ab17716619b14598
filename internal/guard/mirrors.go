package guard

import (
	"math"
	"strconv"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// mirrorPrefix is what the names of header fields begin with that repeat arguments of a call.
const mirrorPrefix = "Mcp-Param-"

// shelf is what the server was seen to offer.
func (x *exchange) shelf() *catalog.Shelf {
	if x.own != nil {
		return x.own
	}
	return x.g.shelf(x.caller.Credential)
}

// mirrors compares the header fields that repeat arguments of a call with the arguments (revision 2026-07-28, "Custom
// Headers from Tool Parameters"). Which fields these are, the tool's definition says. Only those that were compared go on:
// a server, or what routes to it, that goes by any other goes by what nobody judged. Where the definition has not been
// seen, as after a restart, the server misses them, and clients do then as with one whose definition changed: they list
// the tools, and call again.
func (x *exchange) mirrors(m *jsonrpc.Message) *refusal {
	if methods[m.Method].target != tool || x.batch {
		return nil
	}
	t := x.shelf().Tool(m.Params.Name.Value)
	if t == nil {
		return nil
	}
	for i := range t.Params {
		if wrong := x.repeated(&t.Params[i], m.Params.Arguments); wrong != "" {
			return mismatch(t.Params[i].Header + wrong)
		}
	}
	x.compared = t.Params
	return nil
}

// repeated says what is wrong with the field that repeats one argument, if anything is.
func (x *exchange) repeated(p *catalog.Param, arguments []byte) string {
	raw := argument(arguments, p.Path)
	values := x.r.Header[p.Header]
	switch {
	case len(values) > 1:
		return " is there more than once"
	case len(values) == 0 && raw == nil, len(values) == 0 && x.rev.eras() != modern:
		return ""
	case len(values) == 0 && (raw[0] == '{' || raw[0] == '['):
		return "" // no field can say it; that it is no argument of the tool's is for the server to say
	case len(values) == 0:
		return " is missing"
	case raw == nil:
		return " is there without its argument"
	}
	v := trim(values[0])
	said, ok := decodeName(v)
	if !visible(v) || !ok {
		return " has characters that it may not have, or is not well-formed Base64"
	}
	if !repeats(said, raw) {
		return " differs from the body"
	}
	return ""
}

// argument returns the value at a path, raw, nil if there is none or it is null.
func argument(arguments []byte, path []string) []byte {
	start, end := 0, len(arguments)
	for _, name := range path {
		if start, end = memberOf(arguments, start, name); start == end {
			return nil
		}
	}
	if raw := arguments[start:end]; string(raw) != "null" {
		return raw
	}
	return nil
}

// repeats reports whether a field says what an argument is. Integers are compared as numbers.
func repeats(said string, raw []byte) bool {
	switch raw[0] {
	case '"':
		s := scanner{b: raw}
		text, ok := s.text()
		return ok && text == said
	case 't', 'f':
		return said == string(raw)
	case '{', '[':
		return false
	}
	if said == string(raw) {
		return true
	}
	number := scanner{b: []byte(said)}
	if !number.number() || number.i != len(said) {
		return false // ParseFloat takes more than JSON has
	}
	a, errA := strconv.ParseFloat(said, 64)
	b, errB := strconv.ParseFloat(string(raw), 64)
	return errA == nil && errB == nil && a == b && a == math.Trunc(a) && math.Abs(a) < 1<<53
}

// wasCompared reports whether a field that repeats an argument says what the argument is.
func (x *exchange) wasCompared(key string) bool {
	for i := range x.compared {
		if x.compared[i].Header == key {
			return true
		}
	}
	return false
}
