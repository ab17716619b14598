package peers

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

//go:embed inspectorweb.mjs
var inspectorWebScript []byte

// InspectorWeb says what somebody does in the browser UI of npm's MCP Inspector.
type InspectorWeb struct {
	// URL is that of the MCP server, and Document the address of the client metadata document that the Inspector is set up with; without one
	// it registers.
	URL      string `json:"-"`
	Document string `json:"-"`
	// Answers are what is typed and pressed on the pages of the login, as for [Browser].
	Answers map[string]string `json:"answers"`
	// Tool is run with Arguments, texts by the name of their field, until something is on the page that matches the regular expression
	// Answer, in JavaScript's dialect.
	Tool      string            `json:"tool"`
	Arguments map[string]string `json:"arguments"`
	Answer    string            `json:"answer"`
}

// InspectorSaw is what was seen in it.
type InspectorSaw struct {
	Client string   `json:"client"` // the client id it signed in with
	Tools  []string `json:"tools"`  // what it lists, sorted
	Answer string   `json:"answer"` // what matched
}

// inspectorAddress is what the UI says its own address is, with the secret of its API.
var inspectorAddress = regexp.MustCompile(`http://localhost:\d+\S*TOKEN=\w+`)

// UseInspectorWeb starts the Inspector's UI for a server and uses it in Debian's chromium.
func UseInspectorWeb(t testing.TB, in InspectorWeb) InspectorSaw {
	t.Helper()
	home := t.TempDir()
	if in.Document != "" {
		kept := filepath.Join(home, "storage")
		if err := os.Mkdir(kept, 0o700); err != nil {
			t.Fatal(err)
		}
		settings, err := json.Marshal(map[string]any{"cimd": map[string]any{"enabled": true, "clientMetadataUrl": in.Document}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(kept, "client.json"), settings, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(NPM(t), "node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	ui := startIn(t, []string{
		"HOST=localhost", "CLIENT_PORT=" + FreePort(t), "MCP_SANDBOX_PORT=" + FreePort(t), "MCP_AUTO_OPEN_ENABLED=false",
		"MCP_STORAGE_DIR=" + filepath.Join(home, "storage"), "MCP_INSPECTOR_SECRET_STORE=memory",
	}, Node(t), script, "--web", "--transport", "http", "--server-url", in.URL)
	task, err := json.Marshal(struct {
		InspectorWeb
		Address    string `json:"address"`
		Modules    string `json:"modules"`
		Executable string `json:"executable"`
	}{in, ui.says(t, inspectorAddress), filepath.Join(NPM(t), "node_modules"), chromium(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, Node(t), "--input-type=module", "--eval", string(inspectorWebScript))
	cmd.Stdin = bytes.NewReader(task)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("the Inspector in chromium: %v\n%s", err, tail(errs.Bytes()))
	}
	var saw InspectorSaw
	if err := json.Unmarshal(out.Bytes(), &saw); err != nil {
		t.Fatalf("the Inspector in chromium: %v in %.500q", err, out.Bytes())
	}
	return saw
}

// says waits until the process has written what matches, and returns that.
func (p *process) says(t testing.TB, wanted *regexp.Regexp) string {
	t.Helper()
	deadline := time.After(startTimeout)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if found := wanted.Find(p.out.tail()); found != nil {
			return string(found)
		}
		select {
		case <-p.done:
			t.Fatalf("it ended before it said %s:\n%s", wanted, p.out.tail())
		case <-deadline:
			t.Fatalf("it does not say %s:\n%s", wanted, p.out.tail())
		case <-tick.C:
		}
	}
}
