package peers

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

const (
	// startTimeout bounds how long a peer may take to answer; a loaded machine is slow.
	startTimeout = 90 * time.Second
	// stopTimeout is how long a peer may take to end before it is killed.
	stopTimeout = 5 * time.Second
	pollEvery   = 50 * time.Millisecond
)

// process is a peer that runs. It is stopped at the end of the test at the latest.
type process struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
	out    output
}

// start runs a program, and shows what it wrote if the test fails.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	return startIn(t, nil, name, args...)
}

// startIn is start with additions to the environment.
func startIn(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel: cancel, done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopTimeout
	// A home and a folder of its own: peers must neither find settings of whoever runs the tests nor leave any.
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(os.Environ(), "HOME="+cmd.Dir, "CI=1", "NO_UPDATE_NOTIFIER=1"), env...)
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended shows in what it wrote
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s %q wrote:\n%s", name, args, p.out.tail())
		}
	})
	return p
}

// stop ends the process and waits for its end. It may be called more than once.
func (p *process) stop() {
	p.cancel()
	<-p.done
}

// ready waits until url answers 200, and reports false if the process ends or time runs out before that.
func (p *process) ready(url string) bool {
	client := &http.Client{Timeout: 5 * time.Second}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		resp, err := client.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-p.done:
			return false
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// output keeps the end of what a process wrote.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() > 1<<20 {
		o.buf.Reset()
	}
	return o.buf.Write(p)
}

func (o *output) tail() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return tail(bytes.Clone(o.buf.Bytes()))
}

// tail returns the last few kilobytes of b.
func tail(b []byte) []byte { return b[max(0, len(b)-4096):] }
