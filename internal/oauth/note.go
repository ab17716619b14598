package oauth

import (
	"net/http"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// What a person has just done on their page is said on the next one, once. It travels in a sealed cookie: in the address of the page, anybody
// could send them a link that says they had done it.
const (
	purposeNote = "oauth-note"
	noteTTL     = time.Minute
)

// notices are what is said after something was done.
var notices = map[string]string{
	personRevokes:    "Access has ended.",
	personRevokesAll: "All access has ended.",
	personSignsOut:   "You are signed out.",
	personNarrows:    "What it may use has changed.",

	answersOnce:     "It was allowed, this once.",
	answersAlways:   "It was allowed, and you are not asked again.",
	answersDeny:     "It was denied.",
	answersAskAgain: "You are asked again from now on.",
}

// noteCookie is the name of the cookie.
func (s *Server) noteCookie() string { return s.cookiePrefix + "mcp_note" }

// leaveNote has the next page say that something was done.
func (s *Server) leaveNote(w http.ResponseWriter, sealer *seal.Sealer, done string) {
	name := s.noteCookie()
	s.setCookie(w, name, sealer.Seal(purposeNote, name, []byte(done)), noteTTL)
}

// takeNote returns what to say, and forgets it.
func (s *Server) takeNote(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer) string {
	c, err := r.Cookie(s.noteCookie())
	if err != nil {
		return ""
	}
	done, err := sealer.Open(purposeNote, c.Name, c.Value)
	if err != nil {
		return "" // without TLS, it may be another gateway's on another port of the same computer
	}
	s.setCookie(w, c.Name, "", -1)
	return notices[string(done)]
}
