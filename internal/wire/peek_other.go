//go:build !unix

package wire

import "net"

// Supported says whether there is a way here to tell if a connection can be used again.
const Supported = false

type peeker struct{}

func (*peeker) of(net.Conn) {}

func (*peeker) quiet() bool { return false }
