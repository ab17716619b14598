package jsonrpc

import "unicode/utf8"

// Names is a set of member names that a reader looks for in an object. It is
// immutable and safe for concurrent use.
type Names struct {
	known  map[string]struct{}
	folded map[string]struct{}
}

// longestName bounds the names of a set and with it the work on a member's name.
const longestName = 64

// NewNames makes a set of the given names, which must be ASCII and at most 64
// bytes long: they are constants of the protocol.
func NewNames(names ...string) *Names {
	n := &Names{known: make(map[string]struct{}, len(names)), folded: make(map[string]struct{}, len(names))}
	for _, name := range names {
		if len(name) > longestName {
			panic("jsonrpc: name too long: " + name)
		}
		n.known[name] = struct{}{}
		n.folded[string(fold(nil, []byte(name)))] = struct{}{}
	}
	return n
}

// Match says whether name (unescaped) is one of n or, if it is not, whether it
// is a variant of one: a name that some reader takes for the known one. Readers
// in use fold case (encoding/json, System.Text.Json, Jackson, by different
// tables), leave out `_` and `-` (encoding/json/v2 when told to fold), or take
// snake_case for camelCase (pydantic, by field name).
func (n *Names) Match(name []byte) (known, variant bool) {
	if _, ok := n.known[string(name)]; ok {
		return true, false
	}
	var space [longestName]byte
	key := fold(space[:0], name)
	if len(key) > longestName {
		return false, false
	}
	_, variant = n.folded[string(key)]
	return false, variant
}

// fold appends name in lower case and without `_` and `-`, stopping when it is
// longer than any known name.
func fold(dst, name []byte) []byte {
	for i := 0; i < len(name) && len(dst) <= longestName; {
		c := name[i]
		switch {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(name[i:])
			i += size
			if ascii, ok := foldsToASCII[r]; ok {
				dst = append(dst, ascii...)
			} else {
				dst = append(dst, 0xff) // in no known name
			}
			continue
		case c == '_' || c == '-':
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c|0x20)
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst
}

// foldsToASCII has every code point that some case conversion of Unicode turns
// into ASCII letters: simple folding (ſ, K), upper or lower case taken one
// character at a time (ı, İ), and the full upper case of ligatures.
var foldsToASCII = map[rune]string{
	'\u017f': "s", // ſ long s
	'\u212a': "k", // Kelvin sign
	'\u0131': "i", // ı dotless i
	'\u0130': "i", // İ dotted capital i
	'\u00df': "ss", '\u1e9e': "ss",
	'\ufb00': "ff", '\ufb01': "fi", '\ufb02': "fl", '\ufb03': "ffi", '\ufb04': "ffl",
	'\ufb05': "st", '\ufb06': "st",
}
