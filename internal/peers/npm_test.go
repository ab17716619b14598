package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestPinsAreExactVersions(t *testing.T) {
	exact := regexp.MustCompile(`^(@[a-z0-9-]+/)?[a-z0-9-]+@\d+\.\d+\.\d+(-[a-z]+\.\d+)?$`)
	for _, pin := range append(packages(), nodePin) {
		if !exact.MatchString(pin) {
			t.Errorf("%s does not pin one version", pin)
		}
	}
}

func TestInstalledPackagesAreThePinnedOnes(t *testing.T) {
	dir := NPM(t)
	for _, pin := range packages() {
		at := strings.LastIndexByte(pin, '@')
		name, version := pin[:at], pin[at+1:]
		manifest, err := os.ReadFile(filepath.Join(dir, "node_modules", filepath.FromSlash(name), "package.json"))
		if err != nil {
			t.Error(err)
		} else if !regexp.MustCompile(`"version":\s*"` + regexp.QuoteMeta(version) + `"`).Match(manifest) {
			t.Errorf("%s is not installed at version %s", name, version)
		}
	}
}

func TestNodeIsTheVersionThePeersWant(t *testing.T) {
	out, err := exec.Command(Node(t), "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "v22.") {
		t.Errorf("node --version: %s, %v", out, err)
	}
}

func TestInstallSaysWhenNPMIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	root := t.TempDir()
	err := install(root, filepath.Join(root, "x"))
	if err == nil || !strings.Contains(err.Error(), "npm is missing") {
		t.Errorf("got %v", err)
	}
}
