package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"golang.org/x/crypto/bcrypt"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// gateway is a Caddy with one site on a free port of localhost.
type gateway struct {
	*process
	dir    string
	port   string
	admin  string // address of the admin API
	origin string // http://localhost:port
	config *gatewayConfig
}

// gatewayConfig is what differs between the gateways of the tests.
type gatewayConfig struct {
	Identity string // the identity block; empty: alice and bob with passwords
	Clients  string // the clients block, if any
	Options  string // more global options of the gateway
	Policy   string // inside of the policy block
	Mounts   string // what stands in the site
	Default  string // default_resource; empty: /mcp on the site
	Global   string // more global options of Caddy
	Env      []string

	Port, Admin, Data, AuditLog, AliceHash, BobHash string
}

const (
	alicePassword = "wonderland"
	bobPassword   = "the builder"
)

var gatewayTemplate = template.Must(template.New("Caddyfile").Parse(`{
	admin localhost:{{.Admin}}
	persist_config off
	storage file_system "{{.Data}}"
	{{.Global}}
	log default {
		output stderr
		level INFO
		exclude mcp_gateway.audit
	}
	log audit {
		output file "{{.AuditLog}}" {
			roll_disabled
		}
		include mcp_gateway.audit
		format json
	}
	mcp_gateway {
		issuer http://localhost:{{.Port}}
		default_resource {{if .Default}}{{.Default}}{{else}}http://localhost:{{.Port}}/mcp{{end}}
		{{if .Identity}}{{.Identity}}{{else}}identity local {
			user alice {{.AliceHash}} {
				email alice@example.com
				role admin
				permission image_generation
			}
			user bob {{.BobHash}} {
				email bob@example.com
				role member
			}
		}{{end}}
		{{.Clients}}
		{{.Options}}
		policy {
			{{.Policy}}
		}
	}
}
http://localhost:{{.Port}} {
	{{.Mounts}}
}
http://:{{.Port}} {
	respond "no such host here" 421
}
`))

// startGateway runs a gateway until the end of the test.
func startGateway(t testing.TB, config gatewayConfig) *gateway {
	t.Helper()
	dir := t.TempDir()
	config.Port, config.Admin = peers.FreePort(t), peers.FreePort(t)
	config.Data, config.AuditLog = filepath.Join(dir, "data"), filepath.Join(dir, "audit.log")
	config.AliceHash, config.BobHash = hash(t, alicePassword), hash(t, bobPassword)
	g := &gateway{dir: dir, port: config.Port, admin: "localhost:" + config.Admin, origin: "http://localhost:" + config.Port, config: &config}
	g.write()
	g.process = g.start(t)
	return g
}

// write writes the Caddyfile anew from g.config.
func (g *gateway) write() {
	var text strings.Builder
	if err := gatewayTemplate.Execute(&text, g.config); err != nil {
		panic(err) // the template is a constant
	}
	if err := os.WriteFile(g.caddyfile(), []byte(text.String()), 0o600); err != nil {
		panic(err) // a test's own directory
	}
}

func (g *gateway) caddyfile() string { return filepath.Join(g.dir, "Caddyfile") }

// start runs a Caddy with the gateway's Caddyfile and storage.
func (g *gateway) start(t testing.TB) *process {
	t.Helper()
	p := startProcess(t, g.dir, g.config.Env, "run", "--config", g.caddyfile(), "--adapter", "caddyfile")
	p.ready(g.origin + "/.well-known/oauth-authorization-server")
	return p
}

// restart starts the gateway again after it has ended.
func (g *gateway) restart(t testing.TB) {
	t.Helper()
	g.process = g.start(t)
}

func hash(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// alice and bob are what the two of them answer on the gateway's pages.
var (
	alice = map[string]string{"decision": "allow", "username": "alice", "password": alicePassword}
	bob   = map[string]string{"decision": "allow", "username": "bob", "password": bobPassword}
)
