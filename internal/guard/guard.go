// Package guard decides what may pass between an MCP client and an MCP server:
// requests on their way in, and every message on its way out.
//
// A request is read whole, parsed once and strictly, compared with its headers,
// judged by the role policy, and only then handed on, with the bytes it came in.
// Whatever comes back, as JSON or as an event stream, is read message by message;
// lists lose what the policy hides, handles are sealed, and what cannot be read
// without doubt does not pass.
//
// The package covers Streamable HTTP in the revisions of the Model Context
// Protocol from 2025-03-26 to 2026-07-28, and the HTTP+SSE transport of 2024-11-05.
package guard

import (
	"crypto/rand"
	"errors"
	"hash/maphash"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Bounds used where Config has none.
const (
	DefaultMaxBody   = 4 << 20
	DefaultMaxAnswer = 16 << 20
	DefaultMaxTTL    = 5 * time.Minute
)

// Config is what a Guard needs to know. It is not changed after New.
type Config struct {
	Server string                       // the server's name in the policy; required
	Policy func() *policy.Policy        // the newest policy, asked for every message; nil from it denies everything; required
	Sealer func() (*seal.Sealer, error) // seals session ids, cursors and the like; required

	MaxBody   int64         // bytes of a request's body; 0 is DefaultMaxBody
	MaxAnswer int64         // bytes of a JSON answer, and of one event of a stream; 0 is DefaultMaxAnswer
	MaxTTL    time.Duration // the longest ttlMs a client is told; 0 is DefaultMaxTTL

	MayNotAsk Asks // what the server may not ask clients for

	// Ask hands a request of the Guard's own on to the server, with the credential of that name (see Caller), as a Next does
	// with those of clients; nil: the Guard makes none.
	Ask func(w http.ResponseWriter, r *http.Request, credential string) error

	// Pins remember the definitions of the server's tools, and PinMode says what becomes of a tool that has another; nil:
	// nothing is pinned.
	Pins    *catalog.Pins
	PinMode catalog.PinMode

	// TrustAnnotations has what the server says of its tools decide where rules ask for it.
	TrustAnnotations bool

	Limits Limiter // counts the calls that a rule limits; nil: such calls are refused

	Approver        Approver      // brings uses before people; nil: what has to be approved is refused
	ApprovalTimeout time.Duration // how long a request waits for that; 0 is DefaultApprovalTimeout

	Tasks   *Tasks           // which tasks are whose; nil: one of the Guard's own
	Catalog *catalog.Catalog // what the server offers; nil: one of the Guard's own

	Observe      bool             // what the policy denies is reported and let pass
	Now          func() time.Time // the time, for conditions that ask for it; nil is time.Now
	Logger       *zap.Logger
	NewRequestID func() string // nil: random text
}

// Caller is whom a request comes from, as authenticated by the caller of the Guard.
type Caller struct {
	// Subject returns the person as they are now. It is asked for every message, by
	// more than one goroutine, so that a changed role is felt on an open stream; nil
	// from it denies everything.
	Subject func() *policy.Subject

	Grant, Client string // ids

	// Person says that there is a person who can sign in to approve what has to be approved.
	Person bool

	// Credential names what the server is asked with for this caller; empty if that is the same for all.
	Credential string

	// Resource is the public URL of the endpoint that the request came to. Handles are
	// bound to the subject's ID, Client, the server's name and Resource: whoever runs
	// one server can't make them for another, though both have the same path.
	Resource string
}

// Decisions, as an Outcome names them.
const (
	Allow   = "allow"
	Deny    = "deny"    // the policy denied it
	Refuse  = "refuse"  // the protocol does not permit it
	Failed  = "error"   // the upstream failed, or its answer could not pass
	Observe = "observe" // the policy would have denied it
	Asked   = "ask"     // its person is sent to approve it
)

// Outcome is what audit, metrics and the access log want to know of one HTTP
// request. Method is the JSON-RPC method, "batch", or for requests without a
// message the HTTP method. Its texts are bounded, whatever a client or an upstream
// writes, so that logs are, too: a long name or reason is cut off.
type Outcome struct {
	RequestID, Method string
	Kind              policy.Kind // of Name, if HasTarget
	Name              string      // what the request names: a tool, a prompt, a URI
	HasTarget         bool
	Decision          string // one of the constants above
	Rule              string // the deciding rule of the policy
	Reason            string // why it was refused or failed; for the log, never for the client
	Protocol          string // revision
	Session           string // short hash of the session id
	Status            int    // sent to the client; 0 if nothing was
	UpstreamStatus    int    // 0 if it was not asked
	Upstream          time.Duration
	Waited            time.Duration // for a person, before the upstream was asked
	Filtered          int           // entries left out of lists (or, observing, that would have been)
}

// Guard judges the traffic of one MCP server. It is safe for concurrent use.
type Guard struct {
	cfg       Config
	hold      int           // how much of an answer is held before any of it goes on
	part      int           // how much of an event is held before it is read piece by piece
	farewell  time.Duration // see farewellTime
	known     known
	reading   reading
	sessions  sessions
	listeners listeners
	audiences audiences
	waits     waits

	olderServer atomic.Bool // it did not know revision 2026-07-28 when it was asked last
}

// New makes a Guard.
func New(cfg Config) (*Guard, error) {
	switch {
	case cfg.Server == "":
		return nil, errors.New("guard: no server name")
	case cfg.Policy == nil:
		return nil, errors.New("guard: no policy")
	case cfg.Sealer == nil:
		return nil, errors.New("guard: no sealer")
	case cfg.MaxBody < 0 || cfg.MaxAnswer < 0 || cfg.MaxTTL < 0 || cfg.ApprovalTimeout < 0:
		return nil, errors.New("guard: a bound is negative")
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.MaxAnswer == 0 {
		cfg.MaxAnswer = DefaultMaxAnswer
	}
	if cfg.MaxTTL == 0 {
		cfg.MaxTTL = DefaultMaxTTL
	}
	if cfg.ApprovalTimeout == 0 {
		cfg.ApprovalTimeout = DefaultApprovalTimeout
	}
	if cfg.Tasks == nil {
		cfg.Tasks = new(Tasks)
	}
	if cfg.Catalog == nil {
		cfg.Catalog = new(catalog.Catalog)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.NewRequestID == nil {
		cfg.NewRequestID = rand.Text
	}
	seed := maphash.MakeSeed()
	return &Guard{cfg: cfg, hold: holdAnswer, part: holdEvent, farewell: farewellTime, known: known{seed: seed}, reading: reading{all: cfg.TrustAnnotations || cfg.PinMode.Strict()}, sessions: sessions{seed: seed}}, nil
}

// Next hands a request on to the MCP server.
type Next = func(http.ResponseWriter, *http.Request) error

// ServeHTTP is Serve for callers that do not need the Outcome if next panics.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, c Caller, next Next) (Outcome, error) {
	var out Outcome
	err := g.Serve(&out, w, r, c, next)
	return out, err
}
