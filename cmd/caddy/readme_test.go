package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// readme returns the code blocks of the README of one language, in order.
func readme(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, match[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("the README has no block in %s", language)
	}
	return blocks
}

// readmeSection returns the part of the README below a heading.
func readmeSection(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("the README has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n##")
	return section
}

// commandsOf returns the command lines of a text's blocks that begin with a word.
func commandsOf(text, word string) []string {
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			if strings.HasPrefix(line, word+" ") {
				lines = append(lines, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return lines
}

// readmeCommands returns the command lines of the README that begin with a word.
func readmeCommands(t *testing.T, word string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := commandsOf(string(text), word)
	if len(lines) == 0 {
		t.Fatalf("the README has no command %s", word)
	}
	return lines
}

// shell runs a command line of the README, with this Caddy as `caddy`.
func shell(t *testing.T, dir, line string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(caddyBinary(t))+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestReadmePolicyCommandsRunAsWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mcp-policy.yaml"), []byte(readme(t, "yaml")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range commandsOf(readmeSection(t, "## Use it"), "caddy mcp") {
		if out, err := shell(t, dir, line); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

// TestReadmePolicyFromInitToEnforce follows the how-to for policies, with server-filesystem behind a gateway: a policy that is made of
// what the server offers, looked at, tested, observed, and made again of what was used.
func TestReadmePolicyFromInitToEnforce(t *testing.T) {
	section := readmeSection(t, "### Write, test and roll out a policy")
	lines := commandsOf(section, "caddy mcp")
	dir := t.TempDir()
	upstream := peers.Supergateway(t, dir, "--outputTransport", "streamableHttp", "--stateful")
	cases := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(section)
	if cases == nil || len(lines) != 5 {
		t.Fatalf("the how-to has %d commands", len(lines))
	}
	if err := os.WriteFile(filepath.Join(dir, "mcp-policy.tests.yaml"), []byte(cases[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, gatewayConfig{
		Policy: "mode observe\nrole member {\nallow files tools list_*\n}\nrole admin {\n}\npermission image_generation {\n}",
		Mounts: "mcp_gateway /mcp " + upstream + " {\nserver files\n}",
	})
	b := mustSignIn(t, g.origin+"/mcp", bob, "")
	for _, tool := range []string{"list_directory", "write_file"} {
		b.call(t, tool, map[string]any{"path": filepath.Join(dir, "notes.txt"), "content": "observed"})
	}
	as := strings.NewReplacer("http://127.0.0.1:9000", "http://"+upstream, "/var/log/caddy/mcp-audit.log", g.config.AuditLog)
	for _, line := range lines {
		out, err := shell(t, dir, as.Replace(line))
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		if strings.Contains(line, "mcp tools") && !regexp.MustCompile(`tool write_file +may destroy +· +ask +·`).MatchString(out) {
			t.Errorf("%s prints\n%s", line, out)
		}
	}
	schema, err := os.ReadFile(filepath.Join(dir, "mcp-policy.schema.json"))
	if err != nil || !json.Valid(schema) {
		t.Errorf("the schema is no JSON: %v", err)
	}
	suggested, err := os.ReadFile(filepath.Join(dir, "mcp-policy.suggested.yaml"))
	if err != nil || !regexp.MustCompile(`- write_file +# ! 1×, last .*, would have been denied 1×`).Match(suggested) ||
		!regexp.MustCompile(`- list_directory +# 1×`).Match(suggested) || strings.Contains(string(suggested), "read_text_file") {
		t.Errorf("suggested is, %v\n%s", err, suggested)
	}
	if out, err := shell(t, dir, "caddy mcp policy validate mcp-policy.suggested.yaml --servers files"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInitAgainstServerEverything holds that a policy comes of a server with everything, that allows what reads.
func TestInitAgainstServerEverything(t *testing.T) {
	address, dir := peers.Everything(t), t.TempDir()
	for _, c := range []struct {
		line string
		want bool
	}{
		{"caddy mcp policy init http://" + address + "/mcp -o p.yaml", true},
		{"caddy mcp policy validate p.yaml --servers everything", true},
		{"caddy mcp policy explain p.yaml --role member --server everything --tool echo", true},
		{"caddy mcp policy explain p.yaml --role member --server everything --tool gzip-file-as-resource", false},
		{"caddy mcp policy explain p.yaml --role editor --server everything --tool gzip-file-as-resource", true},
		{"caddy mcp policy explain p.yaml --role editor --server everything --prompt simple-prompt", true},
		{"caddy mcp policy explain p.yaml --role member --server everything --resource demo://resource/dynamic/text/7", true},
		{"caddy mcp policy explain p.yaml --role member --server everything --resource demo://elsewhere", false},
	} {
		if out, err := shell(t, dir, c.line); (err == nil) != c.want {
			t.Errorf("%s: %v\n%s", c.line, err, out)
		}
	}
}

// TestReadmeCaddyfileLoads starts Caddy's validation of the first Caddyfile with the policy beside it.
func TestReadmeCaddyfileLoads(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"mcp-policy.yaml": readme(t, "yaml")[0], "Caddyfile": readme(t, "caddyfile")[0]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := shell(t, dir, "caddy validate", "WORKOS_CLIENT_ID=client_01", "WORKOS_API_KEY=sk_01", "GITHUB_TOKEN=ghp_01"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestReadmeMakeTargetsExist(t *testing.T) {
	for _, line := range readmeCommands(t, "make") {
		if out, err := shell(t, filepath.Join("..", ".."), line+" --dry-run"); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

// TestReadmeStdioServerBehindSupergateway follows the how-to for servers that speak only stdio.
func TestReadmeStdioServerBehindSupergateway(t *testing.T) {
	line := readmeCommands(t, "npx -y supergateway@4.0.0")[0]
	_, flags, found := strings.Cut(line, `." `)
	flags, _, cut := strings.Cut(flags, " --port")
	if !found || !cut || !strings.Contains(line, "@modelcontextprotocol/server-filesystem@2026.8.31") {
		t.Fatalf("the README runs something else than is tested: %s", line)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hello.txt"), []byte("hello from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, gatewayConfig{
		Policy: `role admin {
				allow mcp tools read_text_file list_*
			}
			role member {
				allow mcp tools list_directory
			}
			permission image_generation {
				allow mcp tools read_media_file
			}`,
		Mounts: "mcp_gateway /mcp " + peers.Supergateway(t, dir, strings.Fields(flags)...),
	})
	a := mustSignIn(t, g.origin+"/mcp", alice, "")
	if got := text(a.call(t, "read_text_file", map[string]any{"path": filepath.Join(dir, "hello.txt")})); got != "hello from a file" {
		t.Errorf("read_text_file answers %q", got)
	}
	b := mustSignIn(t, g.origin+"/mcp", bob, "")
	if got, want := b.tools(t), []string{"list_directory"}; !slices.Equal(got, want) {
		t.Errorf("bob sees %v, want %v", got, want)
	}
	b.refused(t, "write_file", map[string]any{"path": filepath.Join(dir, "evil.txt"), "content": "x"})
	if _, err := os.Stat(filepath.Join(dir, "evil.txt")); err == nil {
		t.Error("bob wrote a file")
	}
}

// TestReadmeMachineClientGetsAToken runs the how-to's curl command, against this machine.
func TestReadmeMachineClientGetsAToken(t *testing.T) {
	g := startGateway(t, gatewayConfig{
		Clients: `clients {
			static ci-bot {
				secret {env.CI_BOT_SECRET}
				grant client_credentials
				role member
			}
		}`,
		Policy: demoPolicy,
		Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:    []string{"CI_BOT_SECRET=a-secret-of-the-bot"},
	})
	line := readmeCommands(t, "curl")[0]
	line = strings.ReplaceAll(strings.ReplaceAll(line, "https://mcp.example.com/github", g.origin+"/mcp"), "https://mcp.example.com", g.origin)
	out, err := shell(t, g.dir, strings.Replace(line, "curl", "curl --silent", 1), "CI_BOT_SECRET=a-secret-of-the-bot")
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	token := regexp.MustCompile(`"access_token":"([^"]+)"`).FindStringSubmatch(out)
	if token == nil {
		t.Fatalf("%s answers %s", line, out)
	}
	if status := initialize(t, g, token[1]); status != 200 {
		t.Errorf("the token was answered with %d", status)
	}
}

// TestReadmeAuditQuery runs the how-to's jq command over the audit log of a denial.
func TestReadmeAuditQuery(t *testing.T) {
	g := startGateway(t, gatewayConfig{Policy: demoPolicy, Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground())})
	b := mustSignIn(t, g.origin+"/mcp", bob, "")
	b.refused(t, "delete_everything", noArguments)
	line := strings.ReplaceAll(readmeCommands(t, "jq")[0], "/var/log/caddy/mcp-audit.log", g.config.AuditLog)
	out, err := shell(t, g.dir, line)
	if err != nil || !strings.Contains(out, "bob@example.com\tGo SDK agent\tmcp\tdelete_everything") {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}

// TestReadmeWhoCouldDeleteOnTuesday runs the how-to's jq command, with today for Tuesday.
func TestReadmeWhoCouldDeleteOnTuesday(t *testing.T) {
	g := startGateway(t, gatewayConfig{Policy: demoPolicy, Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground())})
	a := mustSignIn(t, g.origin+"/mcp", alice, "")
	a.call(t, "delete_everything", noArguments)
	b := mustSignIn(t, g.origin+"/mcp", bob, "")
	b.refused(t, "delete_everything", noArguments)
	line := readmeCommands(t, "jq")[1]
	today := strings.NewReplacer("Tuesday", time.Now().UTC().Weekday().String(), "/var/log/caddy/mcp-audit.log", g.config.AuditLog).Replace(line)
	if out, err := shell(t, g.dir, today); err != nil || out != "alice@example.com\tGo SDK agent\tmcp delete_everything allow\n" {
		t.Errorf("%s: %v\n%s", today, err, out)
	}
	another := strings.NewReplacer("Tuesday", time.Now().UTC().AddDate(0, 0, 3).Weekday().String(), "/var/log/caddy/mcp-audit.log", g.config.AuditLog).Replace(line)
	if out, err := shell(t, g.dir, another); err != nil || out != "" {
		t.Errorf("%s: %v\n%s", another, err, out)
	}
}
