package pages

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// hostileURL is an address that a mount could have, as far as URLs go.
const hostileURL = `https://mcp.example.com/a'b"$(touch%20x)&c;d` + "`" + `<script>`

// Each way to add a server carries the very address of it, however that is written, and a name that all clients take.
func TestAServerIsAddedAsItIs(t *testing.T) {
	for _, tc := range []struct{ name, slug, url string }{
		{"github", "github", "https://mcp.example.com/github"},
		{"playground (/sse)", "playground-sse", "http://localhost:8788/sse"},
		{"Büro & Co.", "B-ro-Co", "https://mcp.example.com/%C3%BC"},
		{`"; rm -rf ~; "`, "rm-rf", hostileURL},
		{"✓", "mcp", "https://mcp.example.com/"},
		{strings.Repeat("x", 100), strings.Repeat("x", maxClientName), "https://mcp.example.com/x"},
	} {
		t.Run(tc.slug, func(t *testing.T) {
			v := viewServer(Server{Name: tc.name, URL: tc.url})

			cursor, err := url.Parse(string(v.Cursor))
			if err != nil || cursor.Scheme != "cursor" || cursor.Host != "anysphere.cursor-deeplink" || cursor.Path != "/mcp/install" || len(cursor.Query()) != 2 || cursor.Query().Get("name") != tc.slug {
				t.Errorf("Cursor: %s, %v", v.Cursor, err)
			}
			config, err := base64.StdEncoding.DecodeString(cursor.Query().Get("config"))
			if err != nil {
				t.Error(err)
			}
			equal(t, "Cursor", string(config), map[string]any{"url": tc.url})

			entry := map[string]any{"name": tc.slug, "type": "http", "url": tc.url}
			query, ours := strings.CutPrefix(string(v.VSCode), "vscode:mcp/install?")
			text, err := url.PathUnescape(query) // as decodeURIComponent does: a plus is a plus
			if !ours || err != nil || strings.ContainsAny(query, ` "'<>&+#`) {
				t.Errorf("VS Code: %s, %v", v.VSCode, err)
			}
			equal(t, "VS Code", text, entry)

			if got, want := shellWords(t, v.ClaudeCode), []string{"claude", "mcp", "add", "--transport", "http", tc.slug, tc.url}; strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("Claude Code: %q, want %q", got, want)
			}
			words := shellWords(t, v.VSCodeCommand)
			if len(words) != 3 || words[0] != "code" || words[1] != "--add-mcp" {
				t.Fatalf("VS Code's command: %q", words)
			}
			equal(t, "VS Code's command", words[2], entry)
			equal(t, "mcp-remote", v.Remote, map[string]any{
				"mcpServers": map[string]any{tc.slug: map[string]any{"command": "npx", "args": []any{"-y", "mcp-remote", tc.url}}},
			})
		})
	}
	d := drawPage(t, New(), sample{"", connections(Connections{Servers: []Server{{Name: "<script>", URL: hostileURL, Abilities: []Ability{{Title: "Use every tool"}}}}})})
	if strings.Contains(d.body, "<script>") || len(d.all("a")) != 2 {
		t.Errorf("the page is\n%s", d.body)
	}
	for _, a := range d.all("a") {
		if href := attr(a, "href"); !strings.HasPrefix(href, "cursor://anysphere.cursor-deeplink/mcp/install?") && !strings.HasPrefix(href, "vscode:mcp/install?") {
			t.Errorf("a link leads to %s", href)
		}
	}
}

// shellWords has a shell take a command apart.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+command).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// equal holds that a text is the JSON of a value.
func equal(t *testing.T, who, text string, want map[string]any) {
	t.Helper()
	var got any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%s: %v in %q", who, err, text)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("%s gets %s, want %s", who, a, b)
	}
}
