package caddymodule

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/upstream"
)

func init() { caddy.RegisterModule(Handler{}) }

// Defaults of a handler.
const (
	defaultEndpoint  = "/mcp"
	defaultMaxBody   = 4 << 20
	defaultMaxAnswer = 16 << 20
)

// Handler guards one MCP server and proxies to it, as one unit: requests below its mount go through the guard or nowhere.
// On the site whose origin is the issuer it also serves the OAuth endpoints; without a mount it serves only these.
//
// It sets these placeholders:
//
// Placeholder | Description
// ------------|-------------
// `{http.mcp_gateway.user}` | Who the request is made for: the identity provider and its id of the user
// `{http.mcp_gateway.server}` | The server's name in the policy
// `{http.mcp_gateway.method}` | The MCP method, such as tools/call
// `{http.mcp_gateway.tool}` | The name of the tool, or what else the request names
// `{http.mcp_gateway.decision}` | allow, deny, ask, refuse, error or observe
type Handler struct {
	// The path of the MCP endpoint, such as /github, compared with the path as it was sent. It answers with and without a
	// slash at the end. Everything else below it, in any case or encoding, is 404.
	Mount string `json:"mount,omitempty"`

	// The server's name in the policy. Default: the mount without its slash.
	Server string `json:"server,omitempty"`

	// The path, and the query if it has one, of the MCP endpoint on the upstream. Default: /mcp.
	Endpoint string `json:"endpoint,omitempty"`

	// The URL that clients use, where it isn't the site's origin and the mount, as behind a proxy that ends TLS.
	Resource string `json:"resource,omitempty"`

	// enforce; or observe, which logs what the policy would deny and lets it pass. Default: enforce.
	Mode string `json:"mode,omitempty"`

	// What the server may ask agents for: elicitation (input of the person's, also at a URL), sampling (an answer of the
	// agent's model), roots (which folders it works in); or none. Default: all three.
	MayAsk []string `json:"may_ask,omitempty"`

	// What becomes of a tool whose definition (name, title, description, schemas, annotations) isn't the one that was seen
	// first or approved: observe, which tells of it in the log and lets it pass; first-use, which hides the tool until it is
	// approved; or block, which also hides tools that were never approved. Default: observe.
	Pins string `json:"pins,omitempty"`

	// What of the server's word about itself counts in the policy: annotations, by which it says of a tool that it only reads,
	// that it destroys, that it can be repeated, that it reaches out. Rules with annotations need it. Default: nothing.
	Trust []string `json:"trust,omitempty"`

	// The largest request body, in bytes. Default: 4 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	// The largest answer, and the largest event of a stream, in bytes. Default: 16 MiB.
	MaxAnswer int64 `json:"max_answer,omitempty"`

	// What the gateway proves itself with to the MCP server. Default: nothing.
	CredentialsRaw json.RawMessage `json:"credentials,omitempty" caddy:"namespace=mcp_gateway.credentials inline_key=module"`

	// The authorization servers that exist already and whose access tokens are accepted too.
	AcceptTokens []AcceptTokens `json:"accept_tokens,omitempty"`

	// How to reach the MCP server: Caddy's reverse proxy. What would let an answer past the guard, or change a request
	// after it was judged, is refused: handle_response, rewrite.
	ReverseProxy *reverseproxy.Handler `json:"reverse_proxy,omitempty"`

	app          *App
	logger       *zap.Logger
	accessLogger *zap.Logger // named as that of the HTTP server, which can't be had
	httpServer   *caddyhttp.Server
	seats        []*seat
	oauthHere    bool   // the OAuth endpoints answer on one of the seats
	folded       string // the mount, as fold has it
	guard        *guard.Guard
	credentials  upstream.Credentials
	target       target
	proxying     bool // ReverseProxy was provisioned
	tally        *tally
	joined       []string // the issuers of AcceptTokens, in the pool
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.mcp_gateway", New: func() caddy.Module { return new(Handler) }}
}

// Provision sets up the handler.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.accessLogger = ctx.Logger(loggerName("http")).Named("log.access")
	app, err := ctx.AppIfConfigured("mcp_gateway")
	switch {
	case errors.Is(err, caddy.ErrNotConfigured):
		return fmt.Errorf("the app mcp_gateway is needed (in a Caddyfile, the global option mcp_gateway): %w", err)
	case err != nil:
		return err
	}
	h.app = app.(*App)
	if err := h.takeSeats(ctx); err != nil {
		return err
	}
	if h.Mount == "" {
		return h.checkBare()
	}
	if err := h.check(); err != nil {
		return err
	}
	h.folded = fold(h.Mount)
	h.tally = &tally{server: h.Server}
	if err := h.provisionAccepted(); err != nil {
		return err
	}
	if h.CredentialsRaw != nil {
		module, err := ctx.LoadModule(h, "CredentialsRaw")
		if err != nil {
			return err
		}
		source, ok := module.(CredentialSource)
		if !ok {
			return fmt.Errorf("module %T has no credentials", module)
		}
		h.credentials = source.Credentials()
	}
	if err := h.provisionProxy(ctx); err != nil {
		return err
	}
	mayNotAsk, err := mayNotAsk(h.MayAsk)
	if err != nil {
		return err
	}
	pins, err := pinMode(h.Pins)
	if err != nil {
		return err
	}
	trusts, err := trusts(h.Trust)
	if err != nil {
		return err
	}
	h.guard, err = guard.New(guard.Config{
		Server:    h.Server,
		Policy:    h.app.currentPolicy,
		Sealer:    func() (*seal.Sealer, error) { return h.app.shared.sealer(ctx) },
		MaxBody:   h.MaxBody,
		MaxAnswer: h.MaxAnswer,
		MaxTTL:    time.Duration(h.app.IdentityRefresh),
		MayNotAsk: mayNotAsk,

		Pins:             h.app.shared.pins,
		PinMode:          pins,
		TrustAnnotations: trusts,
		Ask:              h.ask,

		Limits:          h.app.shared.quota,
		Approver:        h.app.shared.approvals,
		ApprovalTimeout: time.Duration(h.app.ApprovalTimeout),

		Tasks:        &h.app.shared.tasks,
		Catalog:      &h.app.shared.catalog,
		Observe:      h.Mode == "observe",
		Logger:       h.logger,
		NewRequestID: rand.Text,
	})
	if err != nil {
		return err
	}
	if h.app.handlers == nil {
		h.app.handlers = make(map[string][]*Handler)
	}
	h.app.handlers[h.Server] = append(h.app.handlers[h.Server], h)
	return nil
}

// takeSeats finds out at which public origins this handler answers. The first handler of a config makes the survey for
// all of them.
func (h *Handler) takeSeats(ctx caddy.Context) error {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	var http *caddyhttp.App
	for _, module := range ctx.Modules() {
		if app, ok := module.(*caddyhttp.App); ok {
			http = app
		}
	}
	if server == nil || http == nil {
		return errors.New("mcp_gateway can only stand in the routes of a server of the http app")
	}
	h.httpServer = server
	if h.app.sites == nil {
		if err := h.app.takeSurvey(http); err != nil {
			return err
		}
	}
	h.seats = h.app.sites.seatsOf(server, spot{h.Mount, h.Server, h.Resource})
	if len(h.seats) == 0 && h.Mount == "" {
		return h.app.written.at(spot{}, fmt.Errorf("a bare mcp_gateway serves the OAuth endpoints, but this site is not the issuer's, %s", h.app.issuer))
	}
	if len(h.seats) == 0 {
		return h.app.written.at(spot{h.Mount, h.Server, h.Resource},
			fmt.Errorf("mount %s stands where requests never come, or where the site it belongs to can't be told", h.Mount))
	}
	if h.Server == "" {
		h.Server = strings.TrimPrefix(h.Mount, "/")
	}
	h.oauthHere = slices.ContainsFunc(h.seats, func(at *seat) bool { return at.isIssuer })
	h.app.drainOnShutdown(http, server)
	return nil
}

// checkBare makes sure that a handler without a mount has nothing that needs one.
func (h *Handler) checkBare() error {
	if h.ReverseProxy != nil || h.AcceptTokens != nil || h.Server != "" || h.Endpoint != "" || h.CredentialsRaw != nil {
		return errors.New("mcp_gateway without a mount serves the OAuth endpoints alone; to guard a server, add its mount")
	}
	return nil
}

// check says what is wrong with the settings, and fills in what was left out.
func (h *Handler) check() error {
	if err := checkMount(h.Mount); err != nil {
		return err
	}
	if h.Endpoint == "" {
		h.Endpoint = defaultEndpoint
	}
	var err error
	if h.target, err = parseTarget(h.Endpoint); err != nil {
		return err
	}
	switch h.Mode {
	case "", "enforce":
	case "observe":
		h.logger.Warn("the policy of this server is only observed: what it denies is let pass", zap.String("server", h.Server))
	default:
		return fmt.Errorf("mode can be enforce or observe, not %s", h.Mode)
	}
	if h.MaxBody == 0 {
		h.MaxBody = defaultMaxBody
	}
	if h.MaxAnswer == 0 {
		h.MaxAnswer = defaultMaxAnswer
	}
	if h.MaxBody < 0 || h.MaxAnswer < 0 {
		return errors.New("max_body and max_answer must be more than 0")
	}
	return nil
}

// Cleanup gives back what Provision took. It also runs after a Provision that failed half way.
func (h *Handler) Cleanup() error {
	err := h.partIssuers()
	if !h.proxying {
		return err
	}
	h.proxying = false
	if own, ok := h.ReverseProxy.Transport.(*transport); ok {
		own.close()
	}
	return errors.Join(err, h.ReverseProxy.Cleanup())
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
