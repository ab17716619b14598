package guard

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
