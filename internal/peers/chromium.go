package peers

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed chromium.mjs
var chromiumScript []byte

// Walk says how a person walks through pages in Chromium.
type Walk struct {
	URL     string            `json:"url"`     // where to begin
	Until   string            `json:"until"`   // what the address of the end begins with
	Answers map[string]string `json:"answers"` // as for [Browser]
	// Presses are the CSS selectors of what is pressed on each page, in order; what is folded away is opened first. The page after the
	// last of them is the end. Without them, it is what Answers decide, or the first button.
	Presses []string `json:"presses,omitempty"`
	// Ticks are the CSS selectors of boxes and radio buttons that are chosen, in order, on every page that shows them.
	Ticks  []string `json:"ticks,omitempty"`
	Width  int      `json:"width"` // of the window, in CSS pixels
	Height int      `json:"height"`
	Mobile bool     `json:"mobile"`
	Dark   bool     `json:"dark"`
	Script bool     `json:"script"` // whether the browser runs scripts
	// Pictures is what the paths of the screenshots begin with; each has a number and .png after it.
	Pictures string `json:"pictures"`
}

// Walked is what was seen on the way.
type Walked struct {
	Pages      []WalkedPage `json:"pages"`      // all pages with something to press, in order
	Complaints []string     `json:"complaints"` // errors and warnings of the browser's console
	End        string       `json:"end"`        // the address at the end
}

// WalkedPage is one page on the way.
type WalkedPage struct {
	URL        string   `json:"url"`
	Title      string   `json:"title"`
	Text       string   `json:"text"`
	Picture    string   `json:"picture"`
	Language   string   `json:"language"`
	Overflow   int      `json:"overflow"`   // by how many pixels the page is wider than the window
	Unlabelled []string `json:"unlabelled"` // fields without a label
}

// Chromium walks through pages in Debian's chromium, with playwright-core from npm.
func Chromium(t testing.TB, walk Walk) Walked {
	t.Helper()
	task, err := json.Marshal(struct {
		Walk
		Modules    string `json:"modules"`
		Executable string `json:"executable"`
	}{walk, filepath.Join(NPM(t), "node_modules"), chromium(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, Node(t), "--input-type=module", "--eval", string(chromiumScript))
	cmd.Stdin = bytes.NewReader(task)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, tail(errs.Bytes()))
	}
	var walked Walked
	if err := json.Unmarshal(out.Bytes(), &walked); err != nil {
		t.Fatalf("chromium: %v in %.500q", err, out.Bytes())
	}
	return walked
}

// chromium returns the path of the browser.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("chromium is missing: install it to run the tests of the sign-in pages")
	return ""
}
