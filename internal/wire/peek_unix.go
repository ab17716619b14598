//go:build unix

package wire

import (
	"errors"
	"net"
	"syscall"
)

// Supported says whether there is a way here to tell if a connection can be used again.
const Supported = true

// peeker looks whether there is something to be read from a connection, without waiting for it.
type peeker struct {
	raw  syscall.RawConn // nil if the connection does not let one look
	look func(fd uintptr) bool
	one  [1]byte
	err  error
}

// of sets the connection.
func (p *peeker) of(c net.Conn) {
	plain, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return
	}
	p.raw = raw
	p.look = func(fd uintptr) bool {
		_, _, p.err = syscall.Recvfrom(int(fd), p.one[:], syscall.MSG_PEEK)
		return true
	}
}

// quiet reports whether the connection stands and there is nothing to be read.
func (p *peeker) quiet() bool {
	if p.raw == nil || p.raw.Read(p.look) != nil {
		return false
	}
	return errors.Is(p.err, syscall.EAGAIN) || errors.Is(p.err, syscall.EWOULDBLOCK)
}
