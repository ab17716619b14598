package mcpcmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const somePolicy = `roles:
  member:
    allow:
      - server: github
        tools: [get_*]
  admin:
    inherit: [member]
    allow:
      - tools: [create_issue]
        resources: ["docs://**"]
    deny:
      - tools: [get_secret]
permissions:
  images:
    allow:
      - server: images
        tools: [generateImage]
`

const wrongPolicy = `roles:
  member:
    allow:
      - server: github
        tols: [get_*]
  admin:
    inherit: [membre]
`

// runPolicy runs `caddy mcp policy …` and returns what it printed and its exit status.
func runPolicy(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return runCommand(t, policyCommand(), args...)
}

// runCommand runs a command and returns what it printed and its exit status.
func runCommand(t *testing.T, cmd *cobra.Command, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.SetFlagErrorFunc(usage)
	cmd.SilenceUsage = true
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	switch err := cmd.Execute(); {
	case err == nil:
	case err.Error() == "exiting with status 2": // Caddy's own type, which is not exported
		status = exitUsage
	default:
		status = exitNo
	}
	return out.String(), errs.String(), status
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPolicyCommands(t *testing.T) {
	good, bad := write(t, somePolicy), write(t, wrongPolicy)
	for _, c := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // parts of what is printed
	}{
		{"a good file", []string{"validate", good}, 0, "roles admin, member; permissions images", ""},
		{"a good file as JSON", []string{"validate", good, "--json"}, 0, `"valid": true`, ""},
		{"a wrong file, with the line", []string{"validate", bad}, exitNo, "", "policy.yaml:5: "},
		{"a wrong file as JSON", []string{"validate", bad, "--json"}, exitNo, `"line": 5`, ""},
		{"no such file", []string{"validate", good + ".txt"}, exitNo, "", "no such file"},
		{"a rule for a server there is not", []string{"validate", good, "--servers", "github,image"}, exitNo, "", "image"},
		{"no file at all", []string{"validate"}, exitUsage, "", "FILE is missing"},
		{"two files", []string{"validate", good, bad}, exitUsage, "", "is too much"},
		{"an unknown flag", []string{"validate", good, "--jsn"}, exitUsage, "", "unknown flag: --jsn"},

		{"allowed", []string{"explain", good, "--role", "member", "--server", "github", "--tool", "get_me"}, 0, "allow: " + good + ":4", ""},
		{"allowed by inheritance", []string{"explain", good, "--role", "admin", "--server", "github", "--tool", "get_me"}, 0, "allow: ", ""},
		{"denied by a rule", []string{"explain", good, "--role", "admin", "--server", "github", "--tool", "get_secret"}, exitNo, "deny: " + good + ":12", ""},
		{"denied for want of one", []string{"explain", good, "--role", "member", "--server", "github", "--tool", "create_issue"}, exitNo, "deny: ", ""},
		{"a permission", []string{"explain", good, "--permission", "images", "--server", "images", "--tool", "generateImage"}, 0, "allow: ", ""},
		{"a resource", []string{"explain", good, "--role", "admin", "--server", "x", "--resource", "docs://a/b"}, 0, "allow: ", ""},
		{"as JSON", []string{"explain", good, "--role", "member", "--server", "github", "--tool", "get_me", "--json"}, 0, `"allowed": true`, ""},
		{"denied as JSON", []string{"explain", good, "--server", "github", "--tool", "get_me", "--json"}, exitNo, `"allowed": false`, ""},
		{"a misspelt role", []string{"explain", good, "--role", "membr", "--server", "github", "--tool", "get_me"}, exitNo, "deny: ", "did you mean member?"},
		{"no server", []string{"explain", good, "--tool", "x"}, exitUsage, "", "--server is missing"},
		{"nothing to explain", []string{"explain", good, "--server", "x"}, exitUsage, "", "exactly one of"},
		{"two things to explain", []string{"explain", good, "--server", "x", "--tool", "a", "--prompt", "b"}, exitUsage, "", "exactly one of"},
		{"a wrong file to explain", []string{"explain", bad, "--server", "x", "--tool", "a"}, exitUsage, "", "policy.yaml:5: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, status := runPolicy(t, c.args...)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			if !strings.Contains(stdout, c.stdout) || (c.stdout == "" && stdout != "") {
				t.Errorf("printed %q, want %q", stdout, c.stdout)
			}
			if !strings.Contains(stderr, c.stderr) || (c.stderr == "" && stderr != "") {
				t.Errorf("complained %q, want %q", stderr, c.stderr)
			}
		})
	}
}
