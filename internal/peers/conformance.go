package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Check is one verdict of the MCP conformance suite.
type Check struct {
	Scenario string `json:"-"`
	ID       string `json:"id"`
	Status   string `json:"status"` // SUCCESS, FAILURE, WARNING, SKIPPED or INFO
	Message  string `json:"errorMessage"`
}

// AuthorizationConformance runs the suite's `authorization` scenarios against an issuer with a public client that may be
// sent back to http://127.0.0.1:<any port>/callback, and returns every verdict. The page that the suite asks a person to
// open is opened in the browser.
func AuthorizationConformance(t testing.TB, issuer, clientID string, browser *Browser) []Check {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	results := t.TempDir()
	port := FreePort(t)
	cmd := exec.CommandContext(ctx, Node(t), conformanceScript(t), "authorization", "--url", issuer, "--client-id", clientID,
		"--port", port, "--output-dir", results)
	cmd.Dir = results
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var transcript strings.Builder
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(&transcript, line)
		if page, err := url.Parse(line); err == nil && page.Query().Get("code_challenge") != "" {
			// It asks for this before it listens for the way back.
			err := accepts(ctx, net.JoinHostPort("127.0.0.1", port))
			if err == nil {
				_, err = browser.Open(ctx, line, nil)
			}
			if err != nil {
				t.Errorf("conformance: the page it wanted opened: %v", err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("conformance: %v\n%s", err, transcript.String())
	}
	return checks(t, results)
}

// accepts waits until something listens at an address. Nothing is said to it: what is said first may count.
func accepts(ctx context.Context, address string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// ServerConformance runs the suite's `server` scenarios that the flags choose against the MCP server at an address, and
// returns every verdict. Scenarios that fail are not the test's failure: their verdicts say so.
func ServerConformance(t testing.TB, address string, flags ...string) []Check {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*startTimeout)
	defer cancel()
	results := t.TempDir()
	args := append([]string{conformanceScript(t), "server", "--url", address, "--output-dir", results}, flags...)
	cmd := exec.CommandContext(ctx, Node(t), args...)
	cmd.Dir = results
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) || !strings.Contains(string(out), "=== SUMMARY ===") {
		t.Errorf("conformance %q: %v\n%s", flags, err, tail(out))
	}
	all := checks(t, results)
	for i := range all {
		all[i].Scenario = runOf.ReplaceAllString(all[i].Scenario, "$1")
	}
	return all
}

// runOf is the name of the folder that a run of a server scenario leaves: the scenario between its kind and its time.
var runOf = regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$`)

// conformanceScript is the suite's command.
func conformanceScript(t testing.TB) string {
	t.Helper()
	return filepath.Join(NPM(t), "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
}

// checks reads the verdicts of all scenarios below a directory.
func checks(t testing.TB, results string) []Check {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(results, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []Check
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []Check
		if err := json.Unmarshal(data, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, check := range some {
			check.Scenario = filepath.Base(filepath.Dir(file))
			all = append(all, check)
		}
	}
	return all
}
