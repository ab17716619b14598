package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests of this package run the real binary against real clients, servers, browsers and identity providers. They
// build it once, with the race detector if they have it themselves.

// startTimeout is how long a Caddy may take to answer; a loaded machine is slow.
const startTimeout = 60 * time.Second

var (
	binaryDir string
	binary    = sync.OnceValues(func() (string, error) {
		path := filepath.Join(binaryDir, "caddy")
		args := append([]string{"build"}, raceFlag...)
		out, err := exec.Command("go", append(args, "-o", path, ".")...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("building caddy: %w\n%s", err, out)
		}
		return path, nil
	})
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if binaryDir, err = os.MkdirTemp("", "caddy-mcp-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(binaryDir)
		return m.Run()
	}())
}

// caddyBinary returns the path of the binary under test.
func caddyBinary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a Caddy that runs. It is ended with the test at the latest, and what it logged is shown if the test failed.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
	err  error         // how it ended; valid after done
}

// startProcess runs the binary in a directory, with additions to the environment.
func startProcess(t testing.TB, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(caddyBinary(t), args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	// A home of its own: neither may a test find the configuration of whoever runs it, nor leave any.
	p.cmd.Env = append(append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		for _, bad := range []string{"WARNING: DATA RACE", "panic"} {
			if strings.Contains(p.out.String(), bad) {
				t.Errorf("caddy wrote of a %s", bad)
			}
		}
		if t.Failed() {
			t.Logf("caddy %q wrote:\n%s", args, p.out.String())
		}
	})
	return p
}

// kill ends the process as kill -9 does, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// interrupt asks the process to end, as Ctrl-C does, and reports how long it took.
func (p *process) interrupt() time.Duration {
	p.t.Helper()
	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(startTimeout):
		p.t.Fatalf("still running %v after an interrupt", startTimeout)
	}
	return time.Since(start)
}

// ready waits until the address answers HTTP with anything.
func (p *process) ready(address string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			return
		}
		select {
		case <-p.done:
			p.t.Fatalf("caddy ended: %v", p.err)
		case <-ctx.Done():
			p.t.Fatalf("%s does not answer", address)
		case <-tick.C:
		}
	}
}

// printed waits until the process has written a text, and returns all it has written by then.
func (p *process) printed(text string) string {
	p.t.Helper()
	deadline := time.After(startTimeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if all := p.out.String(); strings.Contains(all, text) {
			return all
		}
		select {
		case <-p.done:
			p.t.Fatalf("caddy ended without a word of %q: %v", text, p.err)
		case <-deadline:
			p.t.Fatalf("caddy does not say %q", text)
		case <-tick.C:
		}
	}
}

// run runs the binary to its end and returns what it wrote and its exit status.
func run(t testing.TB, dir string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), caddyBinary(t), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// output collects what a process writes. Safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
