package mcpcmd

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPolicyTest(t *testing.T) {
	stdout, stderr, status := runPolicy(t, "test", "testdata/policy.yaml", "testdata/cases.yaml")
	if status != 0 || stderr != "" || stdout != "5 cases: 5 as wanted, 0 not\n" {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = runPolicy(t, "test", "testdata/policy.yaml", "testdata/cases_wrong.yaml")
	if status != exitNo || stderr != "" {
		t.Errorf("status %d: %s", status, stderr)
	}
	golden(t, "cases_wrong.txt", stdout)
	stdout, _, status = runPolicy(t, "test", "testdata/policy.yaml", "testdata/cases_wrong.yaml", "--json")
	var answer trials
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || status != exitNo || answer.Failed != 3 || answer.Passed != 1 ||
		len(answer.Cases) != 4 || answer.Cases[1].Line != 7 || answer.Cases[1].OK || answer.Cases[1].Verdict != "ask" {
		t.Errorf("status %d, %v: %s", status, err, stdout)
	}
}

func TestPolicyTestThatCanNotBeUnderstood(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		stderr string
	}{
		{"a wrong policy", []string{write(t, wrongPolicy), "testdata/cases.yaml"}, "policy.yaml:5: "},
		{"wrong cases", []string{"testdata/policy.yaml", write(t, "- {server: s, tol: t}\n")}, `policy.yaml:1: unknown key "tol"; did you mean tool?`},
		{"no cases", []string{"testdata/policy.yaml", "testdata/nothere.yaml"}, "no such file"},
		{"one file", []string{"testdata/policy.yaml"}, "TESTS.yaml is missing"},
	} {
		if stdout, stderr, status := runPolicy(t, append([]string{"test"}, c.args...)...); status != exitUsage || stdout != "" || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: status %d: %s%s", c.name, status, stdout, stderr)
		}
	}
}

func TestPolicyExplain(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{"--role", "member", "--server", "github", "--tool", "get_me"},
		{"--role", "member", "--server", "github", "--tool", "create_issue"},
		{"--role", "engineer", "--server", "github", "--tool", "create_issue"},
		{"--role", "engineer", "--server", "github", "--tool", "create_issue", "--args", `{"owner":"acme","title":"Hello"}`},
		{"--role", "engineer", "--server", "github", "--tool", "create_issue", "--args", `{"owner":"evil","title":"Hello"}`},
		{"--role", "engineer", "--server", "github", "--tool", "create_issue", "--args", `{"owner":"acme"}`},
		{"--role", "engineer", "--server", "github", "--tool", "merge_pull_request"},
		{"--role", "engineer", "--server", "github", "--tool", "delete_repo"},
		{"--role", "engineer", "--server", "docs", "--tool", "search"},
		{"--role", "engineer", "--server", "docs", "--tool", "search", "--annotation", "readOnlyHint=true"},
		{"--role", "engineer", "--server", "docs", "--tool", "search", "--annotation", "destructiveHint=true"},
		{"--role", "enginer", "--server", "docs", "--tool", "search"},
		{"--role", "engineer", "--server", "github", "--tool", "create_issue", "--args", `{"owner":"evil"}`, "--json"},
	} {
		stdout, stderr, status := runPolicy(t, append([]string{"explain", "testdata/policy.yaml"}, args...)...)
		all.WriteString("$ " + strings.Join(args, " ") + "\n" + stderr + stdout)
		if denied := strings.Contains(stdout, "deny"); denied != (status == exitNo) || !denied && status != 0 {
			t.Errorf("%q: status %d", args, status)
		}
	}
	golden(t, "explain.txt", all.String())
}

func TestQuestionsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"--args", "[]"}, "--args: the arguments are not a JSON object"},
		{[]string{"--args", `{"a":1,"a":2}`}, "--args: the arguments have a name twice"},
		{[]string{"--annotation", "readOnlyHint"}, `--annotation: "readOnlyHint" is not NAME=true or NAME=false`},
		{[]string{"--annotation", "readOnly=true"}, "--annotation: readOnly is no annotation of a tool"},
		{[]string{"--now", "today"}, "--now: "},
	} {
		args := append([]string{"explain", "testdata/policy.yaml", "--server", "s", "--tool", "t"}, c.args...)
		if stdout, stderr, status := runPolicy(t, args...); status != exitUsage || stdout != "" || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q: status %d: %s%s", c.args, status, stdout, stderr)
		}
	}
}
