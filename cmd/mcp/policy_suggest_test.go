package mcpcmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// auditLog writes records as the gateway does.
func auditLog(t *testing.T, records ...audit.Record) string {
	t.Helper()
	var out bytes.Buffer
	config := zap.NewProductionEncoderConfig()
	sink := audit.Log(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.AddSync(&out), zapcore.InfoLevel)).Named(auditLogger))
	for i, record := range records {
		record.Time = time.Date(2026, 11, 1+i%7, 12, 0, 0, 0, time.UTC)
		record.UserID = "local:someone"
		if record.Event == "" {
			record.Event = "tools/call"
		}
		if strings.Contains(record.Event, "/") {
			record.Method = record.Event
		}
		sink.Record(&record)
	}
	return out.String()
}

// week is a week of records.
func week(t *testing.T) string {
	t.Helper()
	engineer, both := []string{"engineer"}, []string{"engineer", "member"}
	records := []audit.Record{
		{Decision: "allow", Rule: "p.yaml:4 (role member, allow)", Roles: both, Server: "github", Kind: "tool", Name: "get_me"},
		{Decision: "allow", Rule: "p.yaml:4 (role member, allow)", Roles: both, Server: "github", Kind: "tool", Name: "get_me"},
		// inherited: the person does not have the role whose rule it is
		{Decision: "allow", Rule: "p.yaml:4 (role member, allow)", Roles: engineer, Server: "github", Kind: "tool", Name: "list_issues"},
		{Decision: "observe", Rule: policy.NoRule, Roles: engineer, Server: "github", Kind: "tool", Name: "create_issue"},
		// who of the two it was is told by the record before
		{Decision: "observe", Rule: policy.NoRule, Roles: both, Server: "github", Kind: "tool", Name: "create_issue"},
		{Decision: "deny", Rule: policy.NoRule, Roles: both, Server: "github", Kind: "tool", Name: "delete_repo"},
		{Decision: "allow", Rule: "p.yaml:9 (permission images, allow)", Roles: both, Permissions: []string{"images"}, Server: "images", Kind: "tool", Name: "generateImage"},
		{Decision: "allow", Rule: "p.yaml:12 (everyone, allow)", Server: "status", Kind: "prompt", Name: "how are you: \"x\"", Event: "prompts/get"},
		{Decision: "allow", Rule: "p.yaml:4 (role member, allow)", Roles: both, Server: "docs", Kind: "resource", Name: "https://docs.example/search?q=secret", Event: "resources/read"},
		{Decision: "allow", Rule: "p.yaml:4 (role member, allow)", Roles: both, Server: "docs", Kind: "resource", Name: "https://docs.example/one", Event: "resources/read"},
		{Decision: "allow", Rule: "p.yaml:4 (role member, allow)", Roles: both, Server: "docs", Event: "tools/list"},
		{Decision: "refuse", Roles: both, Server: "docs", Kind: "tool", Name: "nonsense"},
		{Decision: "allow", Event: "token", Roles: both},
		{Decision: "allow", Rule: "p.yaml:20 (role member, ask)", Roles: both, Server: "github", Kind: "tool", Name: "merge_pull_request"},
		{Decision: "allow", Event: "approval_approved", Roles: both, Server: "github", Kind: "tool", Name: "approved_and_never_called"},
	}
	for i := range mostBeside + 1 {
		records = append(records, audit.Record{
			Decision: "allow", Rule: "p.yaml:4 (role member, allow)", Roles: both, Server: "docs", Kind: "resource",
			Name: fmt.Sprintf("docs://guide/chapters/%d.md", i), Event: "resources/read",
		})
	}
	return auditLog(t, records...) + "not JSON\n" + `{"level":"info","logger":"http.log.access","msg":"handled request"}` + "\n" +
		`{"logger":"other","event":"tools/call","decision":"allow"}` + "\n" + strings.Repeat("x", 3*mostOfLine) + "\n"
}

func TestSuggestWritesWhatWasUsed(t *testing.T) {
	file := write(t, week(t))
	stdout, stderr, status := runPolicy(t, "suggest", file)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	golden(t, "suggest.yaml", stdout)
	stdout, _, status = runPolicy(t, "suggest", file, "--json", "--server", "images")
	var answer struct {
		Policy policy.Document `json:"policy"`
		counts
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || status != 0 || answer.Used != 1 || answer.Skipped != 4 ||
		len(answer.Policy.Roles) != 0 || answer.Policy.Permissions["images"] == nil {
		t.Errorf("status %d, %v: %s", status, err, stdout)
	}
}

// TestASuggestedPolicyAllowsWhatWasUsed holds the promise for every record, and that nothing else is allowed.
func TestASuggestedPolicyAllowsWhatWasUsed(t *testing.T) {
	text := week(t)
	stdout, _, _ := runPolicy(t, "suggest", write(t, text))
	document, err := policy.Parse("policy", []byte(stdout))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		var record auditLine
		if json.Unmarshal([]byte(line), &record) != nil || record.Logger != auditLogger || record.Kind == "" {
			continue
		}
		kind := policy.Kind(0)
		for kind.String() != record.Kind {
			kind++
		}
		subject := &policy.Subject{Roles: record.Roles, Permissions: record.Permissions}
		decision := compiled.View(subject, record.Server).Decide(kind, strings.TrimSuffix(record.name(), "…"))
		if want := record.Method != "" && (record.Decision == "allow" || record.Decision == "observe"); decision.Allowed != want {
			t.Errorf("%s %s: %+v", record.Decision, record.name(), decision)
		}
	}
}

func TestSuggestReadsTheStandardInputAndSeveralFiles(t *testing.T) {
	one := audit.Record{Decision: "allow", Roles: []string{"a"}, Server: "s", Kind: "tool", Name: "one"}
	two := audit.Record{Decision: "allow", Roles: []string{"a"}, Server: "s", Kind: "tool", Name: "two"}
	cmd := policyCommand()
	cmd.SetIn(strings.NewReader(auditLog(t, one)))
	stdout, stderr, status := runCommand(t, cmd, "suggest", "-", write(t, auditLog(t, two)))
	if status != 0 || !strings.Contains(stdout, "- one ") || !strings.Contains(stdout, "- two ") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}

func TestSuggestOfNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"no records", []string{write(t, "{}\n")}, exitNo, "there is no record of anything that was used"},
		{"no file", []string{"/does/not/exist"}, exitNo, "no such file"},
		{"no argument", nil, exitUsage, "AUDIT.log is missing"},
	} {
		_, stderr, status := runPolicy(t, append([]string{"suggest"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: status %d: %s", c.name, status, stderr)
		}
	}
}

// endless is a log without an end, of records that all differ.
type endless struct{ n int }

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	e.n++
	return copy(p, fmt.Sprintf(`{"event":"tools/call","method":"tools/call","decision":"allow","server":"s","kind":"tool","tool":"t%d","roles":["a"]}`+"\n", e.n)), nil
}

func TestALogWithoutEndIsNotKeptInMemory(t *testing.T) {
	if err := readRecords(&endless{}, newTrail(nil)); err != errManyUses {
		t.Errorf("got %v", err)
	}
}

// FuzzSuggest holds that a policy comes of whatever is in a log.
func FuzzSuggest(f *testing.F) {
	f.Add([]byte(`{"event":"tools/call","method":"tools/call","decision":"allow","server":"s","kind":"tool","tool":"t","roles":["a","b"],"ts":1.5}`))
	f.Add([]byte(`{"event":"x","method":"x","decision":"observe","server":"*","kind":"resource","resource":"a://b/…@c?…","permissions":["p\nq"]}`))
	f.Add([]byte("{\"event\":\"x\",\"method\":\"x\",\"decision\":\"allow\",\"server\":\"s\",\"kind\":\"prompt\",\"prompt\":\"\\u0000\"}\n\n[]\n"))
	f.Add([]byte(`{"event":"x","method":"x","decision":"allow","server":"s","kind":"template","template":"t://{x}","rule":"(role , allow)","roles":[""],"ts":"x"}`))
	f.Fuzz(func(t *testing.T, log []byte) {
		u := newTrail(nil)
		if err := readRecords(bytes.NewReader(log), u); err != nil {
			t.Fatal(err)
		}
		if _, err := u.draft().checked(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSuggestFollowsTheRecordsOfTheGateway holds that the words of records are those of the gateway.
func TestSuggestFollowsTheRecordsOfTheGateway(t *testing.T) {
	line := auditLog(t, audit.Record{Decision: "allow", Roles: []string{"a"}, Permissions: []string{"p"}, Server: "s", Kind: "template", Name: "t://{x}"})
	var record auditLine
	if err := json.Unmarshal([]byte(line), &record); err != nil || record.name() != "t://{x}" || record.when().IsZero() ||
		record.Logger != auditLogger || len(record.Permissions) != 1 {
		t.Errorf("%v %+v", err, record)
	}
}
