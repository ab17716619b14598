package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzCaddyfile holds that no Caddyfile makes the adapter panic, and that what it adapts is JSON that a config can be
// read from, with no secret of the environment in it.
func FuzzCaddyfile(f *testing.F) {
	setEnvironment(f)
	files, err := filepath.Glob("testdata/*/*.caddyfile")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, text := range strings.Split(string(content), "\n### ") {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "import") {
			return // reads whatever files the fuzzer makes up
		}
		adapted, err := adapt(t, "testdata/good/Caddyfile", []byte(text))
		if err != nil {
			return
		}
		for _, name := range []string{"WORKOS_API_KEY", "CI_BOT_SECRET", "GITHUB_TOKEN"} {
			if strings.Contains(string(adapted), environment[name]) && !strings.Contains(text, "{$") && !strings.Contains(text, environment[name]) {
				t.Fatalf("the JSON holds the value of %s", name)
			}
		}
	})
}
