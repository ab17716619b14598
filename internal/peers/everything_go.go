package peers

import (
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// goEverything is the Go SDK's server for the conformance suite, which comes with the module.
const goEverything = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"

// BuildGoEverything builds the Go SDK's everything-server, at the version of the module, and returns the path of the
// program.
func BuildGoEverything(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "everything-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, goEverything).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", goEverything, err, out)
	}
	return program
}

// GoEverything starts a program of [BuildGoEverything] over Streamable HTTP, with sessions or without, and returns its
// host:port. Every path of it is its endpoint.
func GoEverything(t testing.TB, program string, stateless bool) string {
	t.Helper()
	for range 3 {
		address := net.JoinHostPort("localhost", FreePort(t))
		p := start(t, program, "-http", address, "-stateless="+strconv.FormatBool(stateless))
		if p.listens(address) {
			return address
		}
		p.stop()
	}
	t.Fatal("the Go SDK's everything-server does not start")
	return ""
}
