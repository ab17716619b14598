package caddystore

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// childEnv names the folder in which this binary, started anew, is to update a record until it is killed.
const childEnv = "CADDYSTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir, os.Args[1], os.Args[2])
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child counts a record up for ever and tells each number it was told is kept. With mode "hang" it stops
// inside of f.
func child(dir, id, mode string) {
	s := New(&certmagic.FileStorage{Path: dir}, "mcp_gateway", time.Now)
	for {
		var n int
		err := s.Update(context.Background(), "crash", id, func(old []byte) ([]byte, time.Time, error) {
			n = number(old) + 1
			if mode == "hang" {
				fmt.Println(n - 1)
				select {}
			}
			return countValue(n), time.Time{}, nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Println(n)
	}
}

// countValue is a value that shows whether it is whole: a number, repeated as often as makes it long enough
// to be cut.
func countValue(n int) []byte { return bytes.Repeat([]byte(strconv.Itoa(n)+"\n"), 1+n*97%5000) }

func number(value []byte) int {
	line, _, _ := bytes.Cut(value, []byte{'\n'})
	n, _ := strconv.Atoi(string(line))
	return n
}

// TestKilledInTheMiddle kills a process that updates a record, again and again. Each time the record must be
// the last one that the process was told is kept, or the one it was writing; and once the dead process' lock
// has lapsed it can be updated as before.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	const rounds = 25
	dir := t.TempDir()
	s := New(&certmagic.FileStorage{Path: dir}, "mcp_gateway", time.Now)
	for round := range rounds {
		id, mode := strconv.Itoa(round), "run"
		if round == 0 {
			mode = "hang" // one lock at least is certain to be left behind
		}
		told := killed(t, dir, id, mode)
		value, err := s.Get(t.Context(), "crash", id)
		if err != nil && told > 0 {
			t.Fatalf("round %d: %v, after %d updates", round, err, told)
		}
		if n := number(value); err == nil && (n < told || n > told+1 || !bytes.Equal(value, countValue(n))) {
			t.Fatalf("round %d: %d bytes that begin with %d are kept, want %d or %d, whole", round, len(value), n, told, told+1)
		}
	}
	locks, _ := filepath.Glob(filepath.Join(dir, "locks", "*.lock"))
	t.Logf("%d of %d kills left a lock behind", len(locks), rounds)

	// All at once, so that the test takes one staleness and not one for each.
	began := time.Now()
	var wg sync.WaitGroup
	for round := range rounds {
		wg.Go(func() {
			if err := s.Update(t.Context(), "crash", strconv.Itoa(round), func(old []byte) ([]byte, time.Time, error) {
				return countValue(number(old) + 1), time.Time{}, nil
			}); err != nil {
				t.Errorf("round %d: updating afterwards: %v", round, err)
			}
		})
	}
	wg.Wait()
	t.Logf("all could be updated again after %v", time.Since(began).Round(time.Millisecond))
	if got, _ := filepath.Glob(filepath.Join(dir, "locks", "*.lock")); len(got) != 0 {
		t.Errorf("locks are left: %q", got)
	}
}

// killed starts a child, kills it at some moment and returns the last number it told.
func killed(t *testing.T, dir, id, mode string) (told int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd := exec.Command(self, id, mode)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err == nil {
		timer := time.NewTimer(rand.N(15 * time.Millisecond))
		<-timer.C
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("the child failed: %s", stderr.String())
	}
	// The last line may have been cut, and then was not told.
	all := strings.Split(line+string(rest), "\n")
	if len(all) < 2 {
		t.Fatalf("the child told nothing: %q", all)
	}
	told, err = strconv.Atoi(all[len(all)-2])
	if err != nil {
		t.Fatal(err)
	}
	return told
}
