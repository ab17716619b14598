package pages

import (
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/url"
	"strings"
)

// Server is an MCP server that a person may use.
type Server struct {
	// Name is what it is called, URL where it is for agents.
	Name, URL string
	// Abilities are what the person's role allows there.
	Abilities []Ability
}

// serverView is a Server with the ways to add it to a client. Cursor and VSCode are links that these programs take; each is one of our own
// schemes and paths, with all that comes from elsewhere encoded in its query.
type serverView struct {
	Name, URL string
	Abilities []abilityView
	Starred   bool

	Cursor, VSCode template.URL
	// ClaudeCode and VSCodeCommand are commands for a shell, Remote is a configuration for clients that can only start programs.
	ClaudeCode, VSCodeCommand, Remote string
}

// viewServer says how a server is added to clients.
func viewServer(s Server) serverView {
	name := slug(s.Name)
	v := serverView{Name: line(s.Name), URL: line(s.URL)}
	v.Abilities, v.Starred = viewAbilities(s.Abilities)
	type remote struct {
		Command string   `json:"command"`
		Args    []string `json:"args"`
	}
	address := struct {
		URL string `json:"url"`
	}{s.URL}
	named := struct {
		Name string `json:"name"`
		Type string `json:"type"`
		URL  string `json:"url"`
	}{name, "http", s.URL}
	servers := map[string]map[string]remote{"mcpServers": {name: {"npx", []string{"-y", "mcp-remote", s.URL}}}}

	// https://cursor.com/docs/mcp/install-links: the entry of mcp.json, without its name, in base64.
	v.Cursor = template.URL("cursor://anysphere.cursor-deeplink/mcp/install?name=" + component(name) +
		"&config=" + component(base64.StdEncoding.EncodeToString(compact(address))))
	// https://code.visualstudio.com/api/extension-guides/ai/mcp: the whole query is the entry, with its name.
	v.VSCode = template.URL("vscode:mcp/install?" + component(string(compact(named))))
	v.ClaudeCode = "claude mcp add --transport http " + name + " " + quote(s.URL)
	v.VSCodeCommand = "code --add-mcp " + quote(string(compact(named)))
	v.Remote = string(compact(servers))
	return v
}

// compact writes a value as JSON. Only strings are in it, which can't fail.
func compact(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return text
}

// component encodes a text for a query as browsers' encodeURIComponent does: a space is not a plus, which not everybody takes for one.
func component(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// slug makes a name that all clients take: letters and digits of ASCII, and hyphens and underscores between them.
func slug(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_') {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
		if b.Len() >= maxClientName {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "mcp"
}

// quote makes one word of a text for a shell, also for that of Windows where there is nothing in it that needs quoting.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~:/%@+,=", r)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
