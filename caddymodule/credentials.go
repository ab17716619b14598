package caddymodule

import (
	"net/textproto"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/upstream"
)

func init() { caddy.RegisterModule(StaticCredentials{}) }

// CredentialSource is a guest module of the namespace mcp_gateway.credentials: what the gateway proves itself with to an
// MCP server.
type CredentialSource interface {
	// Credentials returns the provisioned credentials.
	Credentials() upstream.Credentials
}

// StaticCredentials sends the same header fields with every request to the MCP server.
type StaticCredentials struct {
	// The header fields. Use placeholders such as {env.GITHUB_TOKEN} in the values, so that secrets stay out of the
	// config; they are resolved when the config is provisioned.
	Headers map[string]string `json:"headers,omitempty"`

	credentials upstream.Credentials
}

// CaddyModule returns the Caddy module information.
func (StaticCredentials) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway.credentials.static", New: func() caddy.Module { return new(StaticCredentials) }}
}

// Provision resolves the values.
func (c *StaticCredentials) Provision(caddy.Context) error {
	names := make([]string, 0, len(c.Headers))
	for name := range c.Headers {
		names = append(names, name)
	}
	slices.Sort(names) // so that of two errors the same one is always seen
	headers := make([]upstream.Header, 0, len(names))
	for _, name := range names {
		value, err := resolve("header "+name+" of credentials static", c.Headers[name])
		if err != nil {
			return err
		}
		headers = append(headers, upstream.Header{Name: name, Value: upstream.Secret(value)})
	}
	var err error
	c.credentials, err = upstream.NewStatic(headers...)
	return err
}

// Credentials implements CredentialSource.
func (c *StaticCredentials) Credentials() upstream.Credentials { return c.credentials }

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	credentials static {
//	    header <name> <value>
//	}
func (c *StaticCredentials) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	err := readBlock(d, nil, options{
		"header*": func(d *caddyfile.Dispenser) error {
			var name, value string
			if !d.AllArgs(&name, &value) {
				return d.Err("header needs a name and a value, such as: header Authorization \"Bearer {env.TOKEN}\"")
			}
			name = textproto.CanonicalMIMEHeaderKey(name)
			if _, twice := c.Headers[name]; twice {
				return d.Errf("header %s is set twice", name)
			}
			if c.Headers == nil {
				c.Headers = make(map[string]string)
			}
			c.Headers[name] = value
			return nil
		},
	})
	if err == nil && len(c.Headers) == 0 {
		err = atStart(d, "credentials static needs at least one header")
	}
	return err
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*StaticCredentials)(nil)
	_ caddyfile.Unmarshaler = (*StaticCredentials)(nil)
	_ CredentialSource      = (*StaticCredentials)(nil)
)
