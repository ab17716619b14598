package mcpcmd

import (
	_ "embed"
	"strings"
	"text/template"
)

// demoCaddyfile is the gateway of the demo, in the shape of Caddyfile.example. Secrets of WorkOS are named in it and read
// from the environment by Caddy, so that the text holds none.
//
//go:embed demo.caddyfile.tmpl
var demoCaddyfile string

var demoTemplate = template.Must(template.New("Caddyfile").Parse(demoCaddyfile))

// demoConfig is what the demo's Caddyfile is made of.
type demoConfig struct {
	Port     string
	Binds    []string   // addresses to listen on, in the form of Caddy's bind directive
	Data     string     // directory of grants and keys
	AuditLog string     // file of audit records
	Level    string     // of Caddy's log on the terminal
	Upstream string     // host:port of the demo servers
	Users    []demoUser // people who sign in with a password; none with WorkOS
	WorkOS   *demoWorkOS
}

// demoWorkOS says how people sign in through AuthKit.
type demoWorkOS struct {
	KeyVariable  string // the environment variable that holds the API key
	Organization string // an organization's id, or "any"
	BaseURL      string // of the API; empty for WorkOS itself
}

// caddyfile writes the demo's Caddyfile.
func (c *demoConfig) caddyfile() (string, error) {
	var text strings.Builder
	if err := demoTemplate.Execute(&text, c); err != nil {
		return "", err
	}
	return text.String(), nil
}
