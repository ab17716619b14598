package mcpcmd

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestInitWritesAPolicyOfWhatAServerOffers(t *testing.T) {
	address := zoo(t)
	stdout, stderr, status := runPolicy(t, "init", address, "--header", zooHeader)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	golden(t, "init.yaml", stdout, address, "http://localhost:9000/mcp")
	document, err := policy.Parse("policy", []byte(stdout))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		role string
		kind policy.Kind
		name string
		want string
	}{
		{"member", policy.Tool, "get_animal", "allow"},
		{"member", policy.Tool, "true", "allow"},
		{"member", policy.Tool, "löwe: \"x\" # y", "allow"},
		{"member", policy.Tool, "feed_animal", "deny"},
		{"member", policy.Tool, "whatever", "deny"},
		{"editor", policy.Tool, "get_animal", "allow"},
		{"editor", policy.Tool, "feed_animal", "allow"},
		{"editor", policy.Tool, "say_nothing", "allow"},
		{"editor", policy.Tool, "sell_animal", "ask"},
		{"editor", policy.Tool, "delete_everything", "deny"},
		{"member", policy.Resource, "zoo://animals/7", "allow"},
		{"member", policy.Resource, "zoo://animals/7/keeper", "deny"},
		{"member", policy.Resource, "zoo://files/a/b", "allow"},
		{"member", policy.Resource, "zoo://secret", "deny"},
		{"member", policy.Prompt, "tour", "allow"},
	} {
		decision := compiled.View(&policy.Subject{Roles: []string{c.role}}, "zoo-keeper").Decide(c.kind, c.name)
		if got := decision.Verdict(); got != c.want {
			t.Errorf("%s %s %s: %s, want %s (%s)", c.role, c.kind, c.name, got, c.want, decision.Rule)
		}
	}
}

func TestInitAnswersInJSON(t *testing.T) {
	stdout, stderr, status := runPolicy(t, "init", zoo(t), "--header", zooHeader, "--json", "--server", "zoo", "--role", "visitor")
	var document policy.Document
	if err := document.UnmarshalJSON([]byte(stdout)); err != nil || status != 0 || document.Roles["visitor"].Allow[0].Server != "zoo" {
		t.Errorf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
}

func TestInitReplacesNoFileUnasked(t *testing.T) {
	address, file := zoo(t), filepath.Join(t.TempDir(), "mcp-policy.yaml")
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"-o", file}, 0, "wrote " + file},
		{[]string{"-o", file}, exitNo, "is there already; --force"},
		{[]string{"-o", file, "--force", "--role", "visitor"}, 0, "wrote " + file},
	} {
		stdout, stderr, status := runPolicy(t, append([]string{"init", address, "--header", zooHeader}, c.args...)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q: status %d: %s%s", c.args, status, stdout, stderr)
		}
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "  visitor:") {
		t.Errorf("%v %s", err, text)
	}
}

func TestServersThatCanNotBeAsked(t *testing.T) {
	address := zoo(t)
	elsewhere := httptest.NewServer(http.RedirectHandler(address, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	for _, c := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"no token", []string{address}, exitNo, "wants to know who asks (401); add --header"},
		{"no such variable", []string{address, "--header", "Authorization: Bearer {env.NOT_THERE_AT_ALL}"}, exitUsage, "--header Authorization: "},
		{"no header", []string{address, "--header", "Bearer"}, exitUsage, "--header takes"},
		{"no URL", []string{"localhost:9000"}, exitUsage, "is not the URL of an MCP server"},
		{"credentials in the URL", []string{"http://a:b@localhost:9000/mcp"}, exitUsage, "is not the URL of an MCP server"},
		{"nobody there", []string{"http://127.0.0.1:1/mcp"}, exitNo, "refused"},
		{"a redirect", []string{elsewhere.URL, "--header", zooHeader}, exitNo, errRedirect.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, status := runPolicy(t, append([]string{"init"}, c.args...)...)
			if status != c.status || stdout != "" || !strings.Contains(stderr, c.stderr) {
				t.Errorf("status %d: %s%s", status, stdout, stderr)
			}
		})
	}
}

func TestAServerOfTheOlderTransportIsAskedToo(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "old", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "look", InputSchema: map[string]any{"type": "object"}, Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}}, nil)
	handler := mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil)
	listener := httptest.NewServer(handler)
	defer listener.Close()
	stdout, stderr, status := runPolicy(t, "init", listener.URL+"/sse")
	if status != 0 || !strings.Contains(stdout, "- server: old\n") || !strings.Contains(stdout, "- look\n") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}

func TestServersAreNamedByTheirURLs(t *testing.T) {
	for address, want := range map[string]string{
		"http://localhost:9000/mcp":           "server-of-acme",
		"http://127.0.0.1:9000":               "server-of-acme",
		"http://[::1]:9000/mcp/":              "server-of-acme",
		"https://mcp.example.com/github":      "github",
		"https://mcp.example.com/github/":     "github",
		"https://mcp.example.com/mcp":         "example",
		"https://api.githubcopilot.com/mcp/":  "githubcopilot",
		"https://images/sse":                  "images",
		"https://example.com/mcp":             "example",
		"https://mcp.example.com/Any%20thing": "any-thing",
	} {
		if got := serverName(address, "acme/Server of Acme"); got != want {
			t.Errorf("%s is named %s, want %s", address, got, want)
		}
	}
	if got := serverName("http://localhost/mcp", ""); got != "mcp" {
		t.Errorf("a server without any name is named %s", got)
	}
}

func TestATemplateStandsForAGlob(t *testing.T) {
	for template, want := range map[string]string{
		"a://{id}":           "a://*",
		"a://{id:3}/x":       "a://*/x",
		"a://{+path}":        "a://**",
		"a://x{/path*}":      "a://x**",
		"a://x{?q,r}":        "a://x**",
		"a://{a}{+b}/{c}{d}": "a://**/**",
		"a://plain":          "a://plain",
	} {
		if got := namedBy(template); got != want {
			t.Errorf("%s stands for %s, want %s", template, got, want)
		}
	}
}
