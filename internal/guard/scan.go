package guard

import "math"

// maxDepth bounds the nesting of a message from an upstream.
const maxDepth = 256

// scanner walks JSON text (RFC 8259) in one pass, without copying. It accepts
// exactly the grammar, in valid UTF-8; unlike the parser of requests it does not
// look for equal member names where nothing is judged by them. All its methods
// return false at the first byte that is not as it must be.
//
// The text need not be there whole: b is the part of it that is, and src brings the
// rest. What is read of it is valid until the scanner reads on.
type scanner struct {
	b     []byte
	i     int
	base  int // how much of the text came before b
	depth int // objects and arrays entered by the caller
	src   source
	token int // where what is being read as one begins, and has to stay in b; none if nothing does
}

// source brings more of a text.
type source interface {
	// more puts more of the text behind s.b. It may drop what comes before s.i and
	// s.token. It returns false if there is no more, or none is wanted.
	more(s *scanner) bool
}

// none is no position.
const none = math.MaxInt

// pos is how much of the text was read.
func (s *scanner) pos() int { return s.base + s.i }

// slice returns the text from one position to another, both still in b.
func (s *scanner) slice(from, to int) []byte { return s.b[from-s.base : to-s.base] }

func (s *scanner) fill() bool { return s.src != nil && s.src.more(s) }

// need reports whether there are n more bytes, and has them in b.
func (s *scanner) need(n int) bool {
	for len(s.b)-s.i < n {
		if !s.fill() {
			return false
		}
	}
	return true
}

// space skips white space and returns the byte after it, or 0 at the end.
func (s *scanner) space() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	return s.blank()
}

func (s *scanner) blank() byte {
	for {
		for ; s.i < len(s.b); s.i++ {
			switch c := s.b[s.i]; c {
			case ' ', '\t', '\n', '\r':
			default:
				return c
			}
		}
		if !s.fill() {
			return 0
		}
	}
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

// next reports whether there is another member or element before the closing
// bracket, which it consumes if there is none. first says that none was read yet.
func (s *scanner) next(closing byte, first bool) (more, ok bool) {
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
// it has to be.
func (s *scanner) key(scratch *[]byte) (name []byte, ok bool) {
	if s.space() != '"' {
		return nil, false
	}
	start := s.pos()
	s.token = start
	plain, ok := s.str()
	end := s.pos()
	ok = ok && s.eat(':')
	s.token = none
	if !ok {
		return nil, false
	}
	name = s.slice(start+1, end-1)
	if !plain {
		*scratch, ok = unquote((*scratch)[:0], name)
		name = *scratch
	}
	return name, ok
}

// skip consumes one value of any kind. Nesting is kept in a bitmap and not on the
// stack, so that its cost is the text's length whatever its shape.
func (s *scanner) skip() bool {
	var object [maxDepth/64 + 1]uint64 // bit d: the bracket at depth d is an object's
	base, depth := s.depth, s.depth
	b, i := s.b, s.i // here, since most of the time is spent here; s is brought up to date before it reads
	var c byte
	var inObject bool

value:
	if i < len(b) && b[i] > ' ' {
		c = b[i]
	} else {
		s.i = i
		c = s.space()
		b, i = s.b, s.i
	}
	switch c {
	case '"':
		if i = special(b, i+1); i < len(b) && b[i] == '"' {
			i++
			break
		}
		if _, ok := s.rest(i); !ok {
			return false
		}
		b, i = s.b, s.i
	case '{', '[':
		if depth >= maxDepth {
			return false
		}
		depth++
		i++
		if i >= len(b) || b[i] <= ' ' {
			s.i = i
			s.space()
			b, i = s.b, s.i
		}
		if inObject = c == '{'; inObject {
			object[depth>>6] |= 1 << (depth & 63)
			if i < len(b) && b[i] != '}' {
				goto name
			}
		} else {
			object[depth>>6] &^= 1 << (depth & 63)
			if i < len(b) && b[i] != ']' {
				goto value
			}
		}
	default:
		s.i = i
		if !s.scalar(c) {
			return false
		}
		b, i = s.b, s.i
	}

after:
	if depth == base {
		s.i = i
		return true
	}
	if i < len(b) && b[i] > ' ' {
		c = b[i]
	} else {
		s.i = i
		c = s.space()
		b, i = s.b, s.i
	}
	switch {
	case c == ',':
		i++
		if !inObject {
			goto value
		}
	case c == '}' && inObject, c == ']' && !inObject:
		i++
		depth--
		inObject = object[depth>>6]>>(depth&63)&1 != 0
		goto after
	default:
		return false
	}

name:
	if i >= len(b) || b[i] != '"' {
		s.i = i
		if s.space() != '"' {
			return false
		}
		b, i = s.b, s.i
	}
	if i = special(b, i+1); i < len(b) && b[i] == '"' {
		i++
	} else {
		if _, ok := s.rest(i); !ok {
			return false
		}
		b, i = s.b, s.i
	}
	if i < len(b) && b[i] == ':' {
		i++
		goto value
	}
	s.i = i
	if !s.eat(':') {
		return false
	}
	b, i = s.b, s.i
	goto value
}

// scalar consumes a number or a word that begins with c.
func (s *scanner) scalar(c byte) bool {
	switch c {
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}
