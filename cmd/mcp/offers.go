package mcpcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Bounds of what is read of a server.
const (
	mostOffers   = 20_000   // things of one kind
	mostOfAnswer = 64 << 20 // bytes of one answer
)

// offers is what an MCP server offers.
type offers struct {
	server string // what it calls itself, with its version
	name   string // what it calls itself
	kinds  [policy.Template + 1][]offer
}

// offer is one thing that a server offers.
type offer struct {
	name  string // or URI, or URI template
	about string // what the server says of it, as it says it
	hints policy.Annotations

	// warned says that the server itself calls a tool destructive, and does not only not say that it isn't.
	warned bool
}

// serverFlags are the flags of commands that ask an MCP server.
type serverFlags struct {
	headers []string
	timeout time.Duration
}

// add adds the flags to a command.
func (f *serverFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.headers, "header", nil, "a header field for the server, such as \"Authorization: Bearer {env.TOKEN}\"; may be repeated")
	cmd.Flags().DurationVar(&f.timeout, "timeout", time.Minute, "how long all of it may take")
}

// errRedirect is why a redirect is not followed: the header fields, credentials among them, are for the server that was named.
var errRedirect = errors.New("the server sends elsewhere, which is not followed")

// list asks a server for all that it offers. It is asked over Streamable HTTP, or, if it does not know that, over HTTP+SSE, as
// the specification has clients do it (revision 2025-06-18, "Transports", "Backwards Compatibility").
func (f *serverFlags) list(ctx context.Context, address string) (*offers, error) {
	endpoint, err := url.Parse(address)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" || endpoint.User != nil {
		return nil, &questionError{fmt.Errorf("%q is not the URL of an MCP server, such as http://localhost:9000/mcp", address)}
	}
	header, err := readHeaders(f.headers)
	if err != nil {
		return nil, &questionError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	carrier := &carrier{header: header, host: endpoint.Host}
	client := &http.Client{Transport: carrier, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		return fmt.Errorf("%w: %s", errRedirect, r.URL.Redacted())
	}}
	session, err := connect(ctx, &mcp.StreamableClientTransport{Endpoint: address, HTTPClient: client, MaxRetries: -1, DisableStandaloneSSE: true})
	if err != nil && carrier.unknown() {
		var older error
		if session, older = connect(ctx, &mcp.SSEClientTransport{Endpoint: address, HTTPClient: client}); older == nil {
			err = nil
		}
	}
	if err != nil {
		return nil, carrier.explain(err)
	}
	defer session.Close()
	return listAll(ctx, session)
}

// connect begins a session.
func connect(ctx context.Context, transport mcp.Transport) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "caddy-mcp", Version: "1"}, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	return client.Connect(ctx, transport, nil)
}

// listAll asks for the lists that the server says it has.
func listAll(ctx context.Context, session *mcp.ClientSession) (*offers, error) {
	all := new(offers)
	result := session.InitializeResult()
	if info := result.ServerInfo; info != nil {
		all.name, all.server = info.Name, strings.TrimSpace(info.Name+" "+info.Version)
	}
	can := result.Capabilities
	if can == nil {
		return all, nil
	}
	var errs []error
	if can.Tools != nil {
		errs = append(errs, collect(session.Tools(ctx, nil), all, policy.Tool, func(t *mcp.Tool) offer {
			warned := t.Annotations != nil && t.Annotations.DestructiveHint != nil && *t.Annotations.DestructiveHint
			return offer{t.Name, t.Description, hintsOf(t.Annotations), warned && !t.Annotations.ReadOnlyHint}
		}))
	}
	if can.Prompts != nil {
		errs = append(errs, collect(session.Prompts(ctx, nil), all, policy.Prompt, func(p *mcp.Prompt) offer {
			return offer{name: p.Name, about: p.Description}
		}))
	}
	if can.Resources != nil {
		errs = append(errs, collect(session.Resources(ctx, nil), all, policy.Resource, func(r *mcp.Resource) offer {
			return offer{name: r.URI, about: r.Description}
		}), collect(session.ResourceTemplates(ctx, nil), all, policy.Template, func(r *mcp.ResourceTemplate) offer {
			return offer{name: r.URITemplate, about: r.Description}
		}))
	}
	return all, errors.Join(errs...)
}

// collect reads one list, each name once.
func collect[T any](list iter.Seq2[T, error], all *offers, kind policy.Kind, read func(T) offer) error {
	seen := make(map[string]bool)
	for one, err := range list {
		if err != nil {
			return fmt.Errorf("the list of %ss: %w", kind, err)
		}
		if o := read(one); !seen[o.name] {
			seen[o.name] = true
			all.kinds[kind] = append(all.kinds[kind], o)
		}
		if len(seen) > mostOffers {
			return fmt.Errorf("the list of %ss: there are more than %d", kind, mostOffers)
		}
	}
	return nil
}

// hintsOf reads annotations, with the defaults that the specification gives them (schema, ToolAnnotations).
func hintsOf(a *mcp.ToolAnnotations) policy.Annotations {
	hints := policy.Annotations{Known: true, Destructive: true, OpenWorld: true}
	if a == nil {
		return hints
	}
	hints.ReadOnly, hints.Idempotent = a.ReadOnlyHint, a.IdempotentHint
	if a.DestructiveHint != nil {
		hints.Destructive = *a.DestructiveHint
	}
	if a.OpenWorldHint != nil {
		hints.OpenWorld = *a.OpenWorldHint
	}
	return hints
}

// readHeaders reads the values of --header. Placeholders keep secrets out of the list of processes and the shell's history.
func readHeaders(lines []string) (http.Header, error) {
	header := make(http.Header)
	repl := caddy.NewReplacer()
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if !found || !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("--header takes \"Name: value\", not what begins with %q", cutText(name, 20))
		}
		value, err := repl.ReplaceOrErr(strings.TrimSpace(value), true, true)
		if err != nil {
			return nil, fmt.Errorf("--header %s: %w", name, err)
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("--header %s: the value is none of a header field", name)
		}
		header.Add(name, value)
	}
	return header, nil
}

// carrier adds the header fields of the command to requests, and notes how they were answered.
type carrier struct {
	header http.Header
	host   string
	status atomic.Int32 // of the last answer but those to DELETE
}

// RoundTrip implements http.RoundTripper.
func (c *carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.URL.Host == c.host { // HTTP+SSE has the server say where messages go
		for name, values := range c.header {
			r.Header[name] = values
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.Method != http.MethodDelete {
		c.status.Store(int32(res.StatusCode))
	}
	res.Body = &boundedBody{res.Body, mostOfAnswer}
	return res, nil
}

// unknown reports whether the last answer is one of a server that does not know the transport.
func (c *carrier) unknown() bool {
	status := c.status.Load()
	return status >= 400 && status < 500 && status != http.StatusUnauthorized && status != http.StatusForbidden
}

// explain adds to an error what there is to do about it.
func (c *carrier) explain(err error) error {
	if status := c.status.Load(); status == http.StatusUnauthorized || status == http.StatusForbidden {
		return fmt.Errorf("the server wants to know who asks (%d); add --header \"Authorization: Bearer {env.TOKEN}\"", status)
	}
	return err
}

// errLong is why an answer is not read on.
var errLong = fmt.Errorf("the server's answer is longer than %d MiB", mostOfAnswer>>20)

// boundedBody is a body that fails beyond a number of bytes.
type boundedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errLong
	}
	return n, err
}
