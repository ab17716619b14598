package mcpcmd

import (
	"encoding/json"
	"strings"
	"testing"
)

const zooPolicy = `roles:
  keeper:
    inherit: [visitor]
    allow:
      - server: zoo
        tools: [feed_animal, sell_animal]
    ask:
      - tools: [sell_animal]
  visitor:
    allow:
      - server: zoo
        tools: ["*"]
        annotations: { readOnlyHint: true }
    deny:
      - tools: [list_animals]
permissions:
  map:
    allow:
      - server: zoo
        resources: ["zoo://map"]
everyone:
  allow:
    - server: zoo
      prompts: ["*"]
`

func TestToolsShowsWhoSeesWhat(t *testing.T) {
	address, file := zoo(t), write(t, zooPolicy)
	stdout, stderr, status := runCommand(t, toolsCommand(), address, "--policy", file, "--header", zooHeader)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	golden(t, "tools.txt", stdout)

	stdout, _, status = runCommand(t, toolsCommand(), address, "--policy", file, "--header", zooHeader, "--json")
	var table sightTable
	if err := json.Unmarshal([]byte(stdout), &table); err != nil || status != 0 || table.Server != "zoo" {
		t.Fatalf("status %d, %v: %s", status, err, stdout)
	}
	for _, row := range table.Rows {
		if row.Name == "sell_animal" && (row.Seen["keeper"] != "ask" || row.Seen["visitor"] != "deny" || !row.Annotations["destructiveHint"]) {
			t.Errorf("%+v", row)
		}
	}
}

func TestToolsThatCanNotBeShown(t *testing.T) {
	several := write(t, "roles:\n  a:\n    allow:\n      - {server: x, tools: [t]}\n      - {server: y, tools: [t]}\n")
	for _, c := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"no policy", []string{"http://127.0.0.1:1/mcp"}, exitUsage, "--policy is missing"},
		{"a wrong policy", []string{"http://127.0.0.1:1/mcp", "--policy", write(t, wrongPolicy)}, exitUsage, "policy.yaml:5: "},
		{"several servers", []string{"http://127.0.0.1:1/mcp", "--policy", several}, exitUsage, "--server is missing: the policy has rules for x, y"},
		{"several servers, and a URL that names one", []string{"http://127.0.0.1:1/x", "--policy", several}, exitNo, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, status := runCommand(t, toolsCommand(), c.args...)
			if status != c.status || stdout != "" || !strings.Contains(stderr, c.stderr) {
				t.Errorf("status %d: %s%s", status, stdout, stderr)
			}
		})
	}
}
