package guard

import "sync"

// maxListeners is how many streams of HTTP+SSE may be open at once under one grant.
const maxListeners = 32

// listeners are the open streams of HTTP+SSE on this node, by the random text that is sealed into their endpoints. It is
// safe for concurrent use.
type listeners struct {
	mu     sync.Mutex
	open   map[string]*Live
	grants map[string]int // how many of them each grant has
}

// full reports whether a grant has as many streams as it may have.
func (s *listeners) full(grant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants[grant] >= maxListeners
}

// add adds a stream, unless the grant has as many as it may have.
func (s *listeners) add(key, grant string, l *Live) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grants[grant] >= maxListeners {
		return false
	}
	if s.open == nil {
		s.open, s.grants = make(map[string]*Live), make(map[string]int)
	}
	s.open[key] = l
	s.grants[grant]++
	return true
}

// find returns the stream, nil if it is not open on this node.
func (s *listeners) find(key string) *Live {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[key]
}

// remove takes the stream out that add has put in.
func (s *listeners) remove(key, grant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, key)
	if s.grants[grant]--; s.grants[grant] <= 0 {
		delete(s.grants, grant)
	}
}
