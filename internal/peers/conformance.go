package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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
	script := filepath.Join(NPM(t), "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
	cmd := exec.CommandContext(ctx, Node(t), script, "authorization", "--url", issuer, "--client-id", clientID,
		"--port", strconv.Itoa(freePort(t)), "--output-dir", results)
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
			if _, err := browser.Open(ctx, line, nil); err != nil {
				t.Errorf("conformance: the page it wanted opened: %v", err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("conformance: %v\n%s", err, transcript.String())
	}
	return checks(t, results)
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
