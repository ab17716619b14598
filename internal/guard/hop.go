package guard

import (
	"context"
	"net/http"
	"net/url"
)

// Hop is what the Guard and the Next it calls tell each other of a request that may be of the HTTP+SSE transport
// (revision 2024-11-05, "HTTP with SSE"), in which the server names the place that messages are posted to. It is used by
// one goroutine at a time.
type Hop struct {
	// Target is the path and query that a message is posted to, at the server's own origin, in the place of its endpoint.
	// It is nil for a request that opens a stream. The Guard sets it.
	Target *url.URL

	// Upstream names one of several servers behind a mount, in Next's own words, without a line feed. Next sets it when a
	// stream is opened, and finds it again with every message that belongs to the stream.
	Upstream string

	// Asked is the URL that a stream was asked for as the server sees it: with the Host that it got, without credentials.
	// Next sets it before the answer begins; if it does not, no endpoint of the server's passes.
	Asked *url.URL
}

type hopKey struct{}

// HopOf returns the Hop of a request that the Guard has handed on, by its context or one made from that, and nil if it
// has none: then it goes to the server's endpoint.
func HopOf(ctx context.Context) *Hop {
	hop, _ := ctx.Value(hopKey{}).(*Hop)
	return hop
}

// withHop makes the request one of which HopOf knows.
func withHop(r *http.Request, hop *Hop) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), hopKey{}, hop))
}
