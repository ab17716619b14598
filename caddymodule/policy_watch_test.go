package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// policyOf is a policy that allows one tool.
func policyOf(tool string) string {
	return fmt.Sprintf("roles:\n  member:\n    allow:\n      - tools: [%s]\n    deny:\n      - tools: [delete_*]\n", tool)
}

// watched is a policy file, and the source that looks at it.
type watched struct {
	t    *testing.T
	file string
	now  time.Time
	told []policyState
	*policySource
}

// watch makes a policy file and its source.
func watch(t *testing.T, file, content string) *watched {
	t.Helper()
	w := &watched{t: t, file: file, now: time.Now().Add(time.Hour)}
	w.policySource = &policySource{
		file:  file,
		now:   func() time.Time { return w.now },
		check: func(p *policy.Policy) error { return p.CheckServers([]string{"github"}) },
		tell:  func(state policyState) { w.told = append(w.told, state) },
	}
	w.write(content)
	if err := w.load(); err != nil {
		t.Fatal(err)
	}
	return w
}

// write writes the file in place.
func (w *watched) write(content string) {
	w.t.Helper()
	if err := os.WriteFile(w.file, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// allows says whether a member may use a tool now.
func (w *watched) allows(tool string) bool {
	return w.current().View(&policy.Subject{Roles: []string{"member"}}, "github").Decide(policy.Tool, tool).Allowed
}

// settle looks twice, which is what it takes for something new to count.
func (w *watched) settle() {
	w.look()
	w.look()
}

// expect checks what is in force, what is wrong with the file, and how often something was told.
func (w *watched) expect(tool, fault string, told int) {
	w.t.Helper()
	state := w.state.Load()
	if !w.allows(tool) || len(w.told) != told {
		w.t.Errorf("%s is allowed: %v; told %d times, want %d", tool, w.allows(tool), len(w.told), told)
	}
	if (state.fault == nil) != (fault == "") || state.fault != nil && !strings.Contains(state.fault.Error(), fault) {
		w.t.Errorf("the fault is %v, want %q", state.fault, fault)
	}
	if (state.fault == nil) != state.faultSince.IsZero() {
		w.t.Errorf("a fault %v since %v", state.fault, state.faultSince)
	}
}

func TestAPolicyFileIsReadAnewWhenItChanges(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "policy.yaml"), policyOf("get_a"))
	w.settle()
	w.expect("get_a", "", 0)
	w.write(policyOf("get_b"))
	w.settle()
	w.expect("get_b", "", 1)
	w.settle()
	w.expect("get_b", "", 1)
}

func TestAnEditorThatReplacesThePolicyFileIsFollowed(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "policy.yaml"), policyOf("get_a"))
	next := w.file + ".new"
	if err := errors.Join(os.WriteFile(next, []byte(policyOf("get_b")), 0o600), os.Rename(next, w.file)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expect("get_b", "", 1)
}

// A ConfigMap of Kubernetes is a folder of symbolic links to one that is exchanged as a whole.
func TestASymbolicLinkThatLeadsElsewhereIsFollowed(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"a", "b"} {
		folder := filepath.Join(dir, version)
		if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "policy.yaml"), []byte(policyOf("get_"+version)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "policy.yaml")
	if err := errors.Join(os.Symlink("a", data), os.Symlink(filepath.Join("data", "policy.yaml"), file)); err != nil {
		t.Fatal(err)
	}
	w := watch(t, file, policyOf("get_a"))
	if err := errors.Join(os.Symlink("b", data+".new"), os.Rename(data+".new", data)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expect("get_b", "", 1)
}

func TestAHalfWrittenPolicyFileIsNotTaken(t *testing.T) {
	whole := policyOf("get_b")
	w := watch(t, filepath.Join(t.TempDir(), "policy.yaml"), policyOf("get_a"))
	// Each of the parts is a policy, or nothing: the second is without its denials.
	for _, part := range []string{"", strings.Split(whole, "    deny:")[0], whole} {
		w.write(part)
		w.look()
		w.expect("get_a", "", 0)
	}
	w.look()
	w.expect("get_b", "", 1)
}

func TestABadPolicyFileLeavesTheOldPolicyAndIsToldOnce(t *testing.T) {
	for name, c := range map[string]struct{ content, fault string }{
		"no YAML":               {"roles: [", "policy.yaml:1: "},
		"a misspelt key":        {policyOf("get_b") + "    alow: []\n", "policy.yaml:7: "},
		"a server there is not": {policyOf("get_b") + "  other:\n    allow:\n      - {server: githb, tools: [get_b]}\n", "policy.yaml:9: no server named githb; did you mean github?"},
		"nothing":               {"", "is empty"},
		"too much":              {strings.Repeat("#", policy.MaxDocument+1), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, filepath.Join(t.TempDir(), "policy.yaml"), policyOf("get_a"))
			w.write(c.content)
			w.settle()
			w.expect("get_a", c.fault, 1)
			since := w.state.Load().faultSince
			w.now = w.now.Add(time.Hour)
			w.settle()
			w.expect("get_a", c.fault, 1)
			if got := w.state.Load().faultSince; got != since {
				t.Errorf("wrong since %v, later since %v", since, got)
			}
			w.write(policyOf("get_a"))
			w.settle()
			w.expect("get_a", "", 2)
		})
	}
}

func TestAPolicyFileThatGoesLeavesTheOldPolicy(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "policy.yaml"), policyOf("get_a"))
	if err := os.Remove(w.file); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expect("get_a", "policy.yaml", 1)
	w.write(policyOf("get_b"))
	w.settle()
	w.expect("get_b", "", 2)
	if err := errors.Join(os.Remove(w.file), os.Mkdir(w.file, 0o700)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expect("get_b", errNotAFile.Error(), 3)
}

// A file system may count time so coarsely that two changes at one moment are the same to it.
func TestASecondChangeOfTheSameSizeAtTheSameMomentIsFelt(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "policy.yaml"), policyOf("get_a"))
	moment := time.Now().Truncate(2 * time.Second)
	w.now = moment.Add(timestampGrain / 2)
	for i, tool := range []string{"get_b", "get_c"} {
		w.write(policyOf(tool))
		if err := os.Chtimes(w.file, moment, moment); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.expect(tool, "", i+1)
	}
}

// The same meaning on other lines changes no decision, but where the rules are said to stand.
func TestAPolicyFileWithACommentMoreNamesItsNewLines(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "policy.yaml"), policyOf("get_a"))
	hash, since := w.current().Hash(), w.state.Load().since
	w.now = w.now.Add(time.Hour)
	w.write("# who may what\n" + policyOf("get_a"))
	w.settle()
	rule := w.current().View(&policy.Subject{Roles: []string{"member"}}, "github").Decide(policy.Tool, "get_a").Rule
	if !strings.Contains(rule, "policy.yaml:5 ") || w.current().Hash() != hash || w.state.Load().since != since {
		t.Errorf("%s %s since %s, want the hash %s since %s", rule, w.current().Hash(), w.state.Load().since, hash, since)
	}
}

// TestAnEditOfThePolicyFileIsFeltByOpenStreams runs the whole: an edit takes effect without a reload, and who has a stream open
// is told; a bad one leaves the policy, and is in the log and the admin API.
func TestAnEditOfThePolicyFileIsFeltByOpenStreams(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(policyOf("get_*"))
	g := startGateway(t, gatewayConfig{PolicyFile: file, Site: mount("/mcp", newUpstream(t))})
	lines := g.stream("/mcp")
	if _, list := g.call("/mcp", "tools/list", "{}"); strings.Contains(list, "list_files") {
		t.Fatal(list)
	}
	write(policyOf("list_*"))
	told := time.After(patience)
	for found := false; !found; {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatal("the stream ended")
			}
			found = strings.Contains(line, "notifications/tools/list_changed")
		case <-told:
			t.Fatal("the stream is not told")
		}
	}
	if _, list := g.call("/mcp", "tools/list", "{}"); !strings.Contains(list, "list_files") || strings.Contains(list, "get_weather") {
		t.Error(list)
	}
	// The config gives a client the role member; a policy without it would not have loaded in the first place.
	write("roles:\n  membr:\n    allow:\n      - tools: [get_*]\n")
	eventually(t, "the admin API shows what is wrong", func() bool {
		w, err := admin(t, http.MethodGet, "/mcp_gateway/policy")
		return err == nil && strings.Contains(w.Body.String(), "the policy has no role member; did you mean membr?")
	})
	if _, list := g.call("/mcp", "tools/list", "{}"); !strings.Contains(list, "list_files") || strings.Contains(list, "get_weather") {
		t.Error(list)
	}
	write("roles:\n  member:\n    allow:\n      - tools: [\"*\"]\n        annotations: { readOnlyHint: true }\n")
	eventually(t, "annotations are found to count for nothing here", func() bool {
		w, err := admin(t, http.MethodGet, "/mcp_gateway/policy")
		return err == nil && strings.Contains(w.Body.String(), "write trust annotations there")
	})
	logged := g.logged()
	if strings.Count(logged, `"event":"policy_loaded"`) != 2 || strings.Count(logged, `"event":"policy_refused"`) != 2 ||
		strings.Count(logged, "THE POLICY FROM BEFORE STAYS IN FORCE") != 2 {
		t.Error("the log does not tell of two policies and two that were refused")
	}
}
