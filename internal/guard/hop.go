package guard

import (
	"context"
	"net/http"
	"net/url"
)

// Hop is what the Guard and the Next it calls tell each other of a request that is not simply for any server behind the
// mount, at its endpoint: what belongs to a session, or to a stream of the HTTP+SSE transport (revision 2024-11-05, "HTTP
// with SSE"), is known to one server alone, and some answers stay open. It is used by one goroutine at a time.
type Hop struct {
	// Target is the path and query that a message of HTTP+SSE is posted to, at the server's own origin, in the place of its
	// endpoint. The Guard sets it.
	Target *url.URL

	// Upstream names the server that the request must go to, in Next's own words; empty is any. The Guard sets it to what
	// Next once said in From, be it before a restart or on another node.
	Upstream string

	// From names the server that answers, without a line feed. Next sets it before the answer begins.
	From string

	// Gone says that there is no server of the name in Upstream any more, other than that it is down. Next sets it, and
	// returns an error.
	Gone bool

	// Live is there if the answer stays open for as long as the client likes. The Guard sets it; unlike the rest it is safe
	// for concurrent use.
	Live *Live

	// Asked is the URL that a stream was asked for as the server sees it: with the Host that it got, without credentials.
	// Next sets it before the answer begins; if it does not, no endpoint of the server's passes.
	Asked *url.URL
}

type hopKey struct{}

// HopOf returns the Hop of a request that the Guard has handed on, by its context or one made from that, and nil if it
// has none: then it may go to any server, at its endpoint, and its answer ends by itself.
func HopOf(ctx context.Context) *Hop {
	hop, _ := ctx.Value(hopKey{}).(*Hop)
	return hop
}

// withHop makes the request one of which HopOf knows.
func withHop(r *http.Request, hop *Hop) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), hopKey{}, hop))
}

// aim has the request go to the server that its session is of, and where there is none, finds out which server it goes
// to, since the answer may begin one. Revision 2026-07-28 has no sessions: its requests go to any server.
func (x *exchange) aim() {
	if x.hop == nil && x.rev.eras() != modern {
		x.hop = &Hop{Upstream: x.upstream}
	}
	if x.r.Method == http.MethodGet {
		x.hop.Live = &Live{x: x, kinds: allLists}
	}
}

// at adds to a handle, which has no line feed, which server it is of; the name is sealed with it.
func (h *Hop) at(plain string) string {
	if h == nil || h.From == "" {
		return plain
	}
	return plain + "\n" + h.From
}
