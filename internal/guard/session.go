package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/maphash"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// Purposes of sealed handles: one sealed for a purpose does not open for another.
const (
	purposeSession = "mcp session"
	purposeCursor  = "mcp cursor"
	purposeState   = "mcp request state"
	purposeEvent   = "mcp event"
	// Of a call that may become a task: the stream that is resumed from such an event may say so.
	purposeTaskEvent = "mcp event of a task's call"
)

// maxHandle bounds the handles that are sealed and opened, in bytes.
const maxHandle = 8 << 10

// errSealer is wrapped by errors of the sealer itself, as opposed to handles that
// are not the caller's.
var errSealer = errors.New("no sealer")

// holder returns what handles of this caller are bound to: the person, the client,
// the server and its public URL. Lengths keep one part from running into the next.
func (x *exchange) holder() string {
	if x.holderText == "" {
		id, client, server := x.person, x.caller.Client, x.g.cfg.Server
		x.holderText = strconv.Itoa(len(id)) + ":" + id + strconv.Itoa(len(client)) + ":" + client +
			strconv.Itoa(len(server)) + ":" + server + x.caller.Resource
	}
	return x.holderText
}

// sealHandle makes a handle for the caller of what the upstream calls plain.
func (x *exchange) sealHandle(purpose, plain string) (string, error) {
	if len(plain) > maxHandle {
		return "", fault("a handle that is too long")
	}
	s, err := x.g.cfg.Sealer()
	if err != nil {
		return "", errors.Join(errSealer, err)
	}
	return s.Seal(purpose, x.holder(), []byte(plain)), nil
}

// openHandle returns what the upstream calls the handle that the caller has.
func (x *exchange) openHandle(purpose, text string) (string, error) {
	if len(text) > 2*maxHandle {
		return "", seal.ErrForeign
	}
	s, err := x.g.cfg.Sealer()
	if err != nil {
		return "", errors.Join(errSealer, err)
	}
	plain, err := s.Open(purpose, x.holder(), text)
	return string(plain), err
}

// open opens a handle and makes the refusal if it is not the caller's.
func (x *exchange) open(purpose, text string, foreign func() *refusal) (string, *refusal) {
	plain, err := x.openHandle(purpose, text)
	switch {
	case err == nil:
		return plain, nil
	case errors.Is(err, errSealer):
		return "", x.unavailable(503, err.Error())
	}
	return "", foreign()
}

// openSession opens the session that the headers name, if they name one. Revision
// 2026-07-28 has no sessions and says to ignore the header.
func (x *exchange) openSession() *refusal {
	if !x.claims.session.set || x.rev.eras() == modern {
		return nil
	}
	handle, holder := x.claims.session.value, x.holder()
	s := x.g.sessions.find(holder, handle)
	if s == nil {
		plain, refused := x.open(purposeSession, handle, lostSession)
		if refused != nil {
			return refused
		}
		s = &openedSession{holder: holder, handle: handle}
		var rest, flag string
		s.plain, rest, _ = strings.Cut(plain, "\n")
		s.upstream, flag, _ = strings.Cut(rest, "\n")
		s.urls = flag == flagURLs
		s.hash = shortHash(s.plain)
		x.g.sessions.keep(s)
	}
	x.session, x.upstream, x.out.Session = s.plain, s.upstream, s.hash
	x.urls = s.urls && x.rev == rev20251125
	return nil
}

// openEvent opens the event after which a stream is to be resumed.
func (x *exchange) openEvent() *refusal {
	plain, err := x.openHandle(purposeTaskEvent, x.claims.lastEvent.value)
	if err == nil {
		x.tool, plain, x.asTask = strings.Cut(plain, "\n")
	} else {
		var refused *refusal
		if plain, refused = x.open(purposeEvent, x.claims.lastEvent.value, unknownEvent); refused != nil {
			return refused
		}
	}
	var upstream string
	x.lastEvent, upstream, _ = strings.Cut(plain, "\n")
	if !x.claims.session.set {
		x.upstream = upstream
	}
	return nil
}

// eventFor returns the handle for the id of an event. It says which server the event is of where no session does.
func (x *exchange) eventFor(id string) (string, error) {
	if x.session == "" {
		id = x.hop.at(id)
	}
	if x.asTask {
		return x.sealHandle(purposeTaskEvent, x.tool+"\n"+id)
	}
	return x.sealHandle(purposeEvent, id)
}

// flagURLs is sealed into the handle of a session whose client has said at its beginning that it can show its person an
// address.
const flagURLs = "urls"

// openedSession is a session handle that was opened for its holder. What it says
// never changes, and it never expires, so it may be remembered.
type openedSession struct {
	holder, handle string
	plain, hash    string
	upstream       string // that it is of
	urls           bool   // its client can show its person an address
}

// sessions remembers opened sessions, a bounded number of them: clients name theirs
// with every request. It takes no lock.
type sessions struct {
	seed  maphash.Seed
	slots [1024]atomic.Pointer[openedSession]
}

func (c *sessions) slot(handle string) *atomic.Pointer[openedSession] {
	return &c.slots[maphash.String(c.seed, handle)%uint64(len(c.slots))]
}

// find returns what was opened for exactly this holder and handle, or nil.
func (c *sessions) find(holder, handle string) *openedSession {
	if s := c.slot(handle).Load(); s != nil && s.handle == handle && s.holder == holder {
		return s
	}
	return nil
}

func (c *sessions) keep(s *openedSession) { c.slot(s.handle).Store(s) }

// sessionFor returns the handle for the session that an answer names: the one the
// caller has if it is the same, since some clients take another for another session.
func (x *exchange) sessionFor(plain string) (string, error) {
	if plain == "" || !visible(plain) {
		return "", fault("a session id that is not visible ASCII")
	}
	if plain == x.session && x.claims.session.set {
		return x.claims.session.value, nil
	}
	x.out.Session = shortHash(plain)
	at := x.hop.at(plain)
	if x.urls {
		if at == plain {
			at += "\n"
		}
		at += "\n" + flagURLs
	}
	return x.sealHandle(purposeSession, at)
}

// shortHash names a session in the log without giving it away.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
