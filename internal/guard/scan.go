package guard

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a message from an upstream.
const maxDepth = 256

// scanner walks JSON text (RFC 8259) in one pass, without copying. It accepts
// exactly the grammar, in valid UTF-8; unlike the parser of requests it does not
// look for equal member names where nothing is judged by them. All its methods
// return false at the first byte that is not as it must be, and then i stands
// there.
type scanner struct {
	b     []byte
	i     int
	depth int // objects and arrays entered by the caller
}

// space skips white space and returns the byte after it, or 0 at the end.
func (s *scanner) space() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// eat consumes c, which may stand after white space.
func (s *scanner) eat(c byte) bool {
	if s.space() != c {
		return false
	}
	s.i++
	return true
}

// enter consumes the bracket that opens an object or an array.
func (s *scanner) enter(c byte) bool {
	if s.depth >= maxDepth || !s.eat(c) {
		return false
	}
	s.depth++
	return true
}

// more reports whether there is another member or element before the closing
// bracket, which it consumes if there is none. first says that none was read yet.
func (s *scanner) more(closing byte, first bool) (more, ok bool) {
	switch c := s.space(); {
	case c == closing:
		s.i++
		s.depth--
		return false, true
	case first:
		return true, true
	case c == ',':
		s.i++
		return true, true
	}
	return false, false
}

// key consumes a member's name and its colon. The name is unescaped into *scratch if
// it has to be, and valid until *scratch is used again.
func (s *scanner) key(scratch *[]byte) (name []byte, ok bool) {
	if s.space() != '"' {
		return nil, false
	}
	start := s.i
	plain, ok := s.str()
	if !ok {
		return nil, false
	}
	name = s.b[start+1 : s.i-1]
	if !plain {
		if *scratch, ok = unquote((*scratch)[:0], name); !ok {
			return nil, false
		}
		name = *scratch
	}
	return name, s.eat(':')
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// str consumes a string token, at whose opening quote i stands. plain says that it
// has no escapes.
func (s *scanner) str() (plain, ok bool) {
	b, i := s.b, s.i+1
	plain = true
	for {
		// Eight bytes at a time, for as long as none of them is a quote, a
		// backslash, a control character or outside ASCII.
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			quote := w ^ '"'*ones
			slash := w ^ '\\'*ones
			m := ((w-0x20*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash | w) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			s.i = len(b)
			return false, false
		}
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			return plain, true
		case c == '\\':
			plain = false
			n := escape(b[i:])
			if n == 0 {
				s.i = i
				return false, false
			}
			i += n
		case c < ' ':
			s.i = i
			return false, false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				s.i = i
				return false, false
			}
			i += n
		}
	}
}

// escape returns the length of the escape sequence that b begins with, or 0.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unquote appends the value of a string that str accepted, given without its
// quotes, to dst. It refuses half a surrogate pair: what that means differs from
// one reader to the next.
func unquote(dst, b []byte) ([]byte, bool) {
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			dst = append(dst, b[i])
			i++
			continue
		}
		c := b[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(b[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
					return dst, false
				}
				low, _ := hex4(b[i+2:])
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return dst, false
				}
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
	return dst, true
}

// text consumes a string value and returns it unescaped.
func (s *scanner) text() (string, bool) {
	if s.space() != '"' {
		return "", false
	}
	start := s.i
	plain, ok := s.str()
	if !ok {
		return "", false
	}
	raw := s.b[start+1 : s.i-1]
	if plain {
		return string(raw), true
	}
	v, ok := unquote(nil, raw)
	return string(v), ok
}

// skip consumes one value of any kind. Nesting is kept in a bitmap and not on the
// stack, so that its cost is the text's length whatever its shape.
func (s *scanner) skip() bool {
	var object [maxDepth/64 + 1]uint64 // bit d: the bracket at depth d is an object's
	base, depth := s.depth, s.depth
	var inObject bool

value:
	switch c := s.space(); c {
	case '"':
		if _, ok := s.str(); !ok {
			return false
		}
	case '{', '[':
		if depth >= maxDepth {
			return false
		}
		depth++
		s.i++
		if c == '[' {
			object[depth>>6] &^= 1 << (depth & 63)
			if s.space() != ']' {
				goto value
			}
		} else {
			object[depth>>6] |= 1 << (depth & 63)
			if s.space() != '}' {
				goto name
			}
		}
		s.i++
		depth--
	case 't':
		if !s.literal("true") {
			return false
		}
	case 'f':
		if !s.literal("false") {
			return false
		}
	case 'n':
		if !s.literal("null") {
			return false
		}
	default:
		if !s.number() {
			return false
		}
	}

after:
	if depth == base {
		return true
	}
	inObject = object[depth>>6]>>(depth&63)&1 != 0
	switch c := s.space(); {
	case c == ',':
		s.i++
		if !inObject {
			goto value
		}
		s.space()
	case c == '}' && inObject, c == ']' && !inObject:
		s.i++
		depth--
		goto after
	default:
		return false
	}

name:
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return false
	}
	if _, ok := s.str(); !ok {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == ':' {
		s.i++
	} else if !s.eat(':') {
		return false
	}
	goto value
}

// literal consumes a word.
func (s *scanner) literal(word string) bool {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return false
	}
	s.i += len(word)
	return true
}

// number consumes a number.
func (s *scanner) number() bool {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return false
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.digits()
	}
	return true
}

// digits consumes one or more.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}
