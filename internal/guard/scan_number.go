package guard

// literal consumes a word.
func (s *scanner) literal(word string) bool {
	if !s.need(len(word)) || string(s.b[s.i:s.i+len(word)]) != word {
		return false
	}
	s.i += len(word)
	return true
}

// number consumes a number.
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return false
		}
	}
	if s.peek()|0x20 != 'e' {
		return true
	}
	s.i++
	if c := s.peek(); c == '+' || c == '-' {
		s.i++
	}
	return s.digits()
}

// digits consumes one or more.
func (s *scanner) digits() bool {
	digit := false
	for '0' <= s.peek() && s.b[s.i] <= '9' {
		s.i++
		digit = true
	}
	return digit
}

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) || s.fill() {
		return s.b[s.i]
	}
	return 0
}
