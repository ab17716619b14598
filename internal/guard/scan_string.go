package guard

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special returns where, from i on, the first byte of a string's text stands that
// is not simply a character: a quote, a backslash, a control character or one that
// is not ASCII. It is len(b) if there is none.
func special(b []byte, i int) int {
	// Sixteen bytes at a time without a branch for each: most strings of a list are
	// shorter, and how long they are is not to be guessed. In a word, m and n have
	// the high bit of the first special byte, and perhaps of some after it. Quotes
	// and control characters are below 0x21 once bit 1 is turned.
	for i+16 <= len(b) {
		v := b[i : i+16 : i+16]
		w, x := binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[8:])
		m := ((w ^ 0x02*ones - 0x21*ones) | (w ^ '\\'*ones - ones) | w) & highs
		n := ((x ^ 0x02*ones - 0x21*ones) | (x ^ '\\'*ones - ones) | x) & highs
		if m|n != 0 {
			if m != 0 {
				return i + bits.TrailingZeros64(m)>>3
			}
			return i + 8 + bits.TrailingZeros64(n)>>3
		}
		i += 16
	}
	for i < len(b) {
		if c := b[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
		i++
	}
	return i
}

// str consumes a string token, at whose opening quote i stands. plain says that it
// has no escapes.
func (s *scanner) str() (plain, ok bool) {
	i := special(s.b, s.i+1)
	if i < len(s.b) && s.b[i] == '"' {
		s.i = i + 1
		return true, true
	}
	return s.rest(i)
}

// rest consumes the rest of a string from b[i] on. plain says that there are no
// escapes in it.
func (s *scanner) rest(i int) (plain, ok bool) {
	plain, s.i = true, i
	for {
		if s.i >= len(s.b) && !s.fill() {
			return false, false
		}
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return plain, true
		case c == '\\':
			plain = false
			s.need(6) // or as many as there are
			n := escape(s.b[s.i:])
			if n == 0 {
				return false, false
			}
			s.i += n
		case c < ' ':
			return false, false
		case c >= utf8.RuneSelf:
			if !s.runes() {
				return false, false
			}
		}
		s.i = special(s.b, s.i)
	}
}

// runes consumes characters that are not ASCII.
func (s *scanner) runes() bool {
	for s.i < len(s.b) && s.b[s.i] >= utf8.RuneSelf {
		if !utf8.FullRune(s.b[s.i:]) && !s.fill() {
			return false
		}
		r, n := utf8.DecodeRune(s.b[s.i:])
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(s.b[s.i:]) {
				continue // it is still not whole
			}
			return false
		}
		s.i += n
	}
	return true
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
	raw, plain, ok := s.quoted()
	if !ok {
		return "", false
	}
	if plain {
		return string(raw), true
	}
	v, ok := unquote(nil, raw)
	return string(v), ok
}

// quoted consumes a string token, at whose opening quote i stands, and returns what
// is between its quotes.
func (s *scanner) quoted() (raw []byte, plain, ok bool) {
	start := s.pos()
	s.token = start
	plain, ok = s.str()
	s.token = none
	if ok {
		raw = s.slice(start+1, s.pos()-1)
	}
	return raw, plain, ok
}
