package identity

import (
	"context"
	"net/netip"
)

// originKey is the key of the origin in a context.
type originKey struct{}

// WithOrigin says where an attempt to sign in comes from: the network of one subscriber, such as an IPv4 address or a /64 of IPv6,
// so that a Verifier's limits on one don't lock out the others.
func WithOrigin(ctx context.Context, origin netip.Prefix) context.Context {
	return context.WithValue(ctx, originKey{}, origin)
}

// Origin returns what WithOrigin said; the zero Prefix stands for all of whom nothing is known.
func Origin(ctx context.Context) netip.Prefix {
	origin, _ := ctx.Value(originKey{}).(netip.Prefix)
	return origin
}
