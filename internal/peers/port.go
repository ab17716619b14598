package peers

import (
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

const (
	// Ports below those that the kernel gives to whoever asks for any (32768 and up on Linux): a test server of another
	// package can't get one between our look at it and the peer's listening, and then answer in the peer's place.
	firstPort, lastPort = 12000, 32000
	// portsEach is how far apart test binaries that run at once begin.
	portsEach = 128
)

var nextPort atomic.Int64

// FreePort returns a port on which nobody listens, neither on IPv4's loopback address nor on IPv6's. It is safe for
// concurrent use, and gives no port twice before it has gone through all of them.
func FreePort(t testing.TB) string {
	t.Helper()
	for range lastPort - firstPort {
		at := int64(os.Getpid())*portsEach + nextPort.Add(1)
		port := strconv.FormatInt(firstPort+at%(lastPort-firstPort), 10)
		if free("127.0.0.1", port) && (!hasIPv6() || free("::1", port)) {
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

func free(host, port string) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// hasIPv6 reports whether the machine has IPv6's loopback address.
func hasIPv6() bool { return free("::1", "0") }
