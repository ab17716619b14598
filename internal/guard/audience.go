package guard

import (
	"slices"
	"sync"
)

// audience is a client, as far as it is told that lists changed: all the streams of one session, or one stream. A message
// goes to one stream of a session only (revision 2025-11-25, "Multiple Connections"): the newest, since an older one may
// be of a connection that is lost.
type audience struct {
	session string // handle; empty if it is one stream
	streams []*Live
	told    sights // of what the client knows
}

// audiences are those of all streams that are open. It is safe for concurrent use.
type audiences struct {
	mu       sync.Mutex
	sessions map[string]*audience
}

// enter adds a stream that opens while its caller sees what now says. One that opens beside others of its session changes
// nothing in what the client knows.
func (s *audiences) enter(l *Live, session string, now sights) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.sessions[session]
	if a == nil {
		a = &audience{session: session, told: now}
		if session != "" {
			if s.sessions == nil {
				s.sessions = make(map[string]*audience)
			}
			s.sessions[session] = a
		}
	}
	a.streams = append(a.streams, l)
	l.audience = a
}

// leave takes a stream out.
func (s *audiences) leave(l *Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := l.audience
	a.streams = slices.DeleteFunc(a.streams, func(other *Live) bool { return other == l })
	if len(a.streams) == 0 && a.session != "" {
		delete(s.sessions, a.session)
	}
}

// behind reports whether the client behind a stream is to be told, on this stream, of what its caller sees now.
func (s *audiences) behind(l *Live, now sights) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.audience.hears(l) && l.audience.told.changed(now)&l.kinds != 0
}

// tell returns the lists that have changed for the client behind a stream, and takes it for told.
func (s *audiences) tell(l *Live, now sights) lists {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := l.audience
	if !a.hears(l) {
		return 0
	}
	changed := a.told.changed(now)
	a.told = now
	return changed & l.kinds
}

// hears reports whether a stream is the one that its client is told on.
func (a *audience) hears(l *Live) bool {
	return len(a.streams) > 0 && a.streams[len(a.streams)-1] == l
}
