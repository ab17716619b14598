package caddymodule

import (
	"context"
	"encoding/json"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func init() { caddy.RegisterModule(App{}) }

// App is the part of the MCP gateway that all guarded servers share: the OAuth authorization server that MCP clients sign
// people in with, the identity providers behind it, the role policy, and the store for grants. The servers themselves
// are guarded by the HTTP handler `mcp_gateway`.
type App struct {
	// The public origin of the authorization server, such as https://mcp.example.com: one string everywhere, without a
	// slash at the end. Plain http is for loopback only. Required.
	Issuer string `json:"issuer,omitempty"`

	// The path below which the OAuth endpoints stand. Default: /.
	OAuthPath string `json:"oauth_path,omitempty"`

	// The resource that a client means that names none, as the URL clients use. Needed only for such clients, where there
	// is more than one.
	DefaultResource string `json:"default_resource,omitempty"`

	// Whom people ask who need more than their role allows, such as it@example.com: it stands on the pages that say so. At most
	// 200 characters.
	Contact string `json:"contact,omitempty"`

	// The places where people sign in, in the order they are offered.
	IdentitiesRaw []json.RawMessage `json:"identities,omitempty" caddy:"namespace=mcp_gateway.identity inline_key=module"`

	// The role policy. Either this or policy_file is required.
	Policy *policy.Document `json:"policy,omitempty"`

	// A file with the role policy, in YAML. It is read when the config is loaded, and again whenever it changes; one with
	// mistakes is reported, and the policy from before stays.
	PolicyFile string `json:"policy_file,omitempty"`

	// Where grants, codes, clients and keys are kept. Default: caddy, which is Caddy's configured storage.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=mcp_gateway.stores inline_key=module"`

	// Whether a person who has once allowed a client something is asked again: once, or always. Clients that can't be
	// told apart, because the answer goes to the person's own machine, are asked about every time. Default: once.
	Consent string `json:"consent,omitempty"`

	// How long an access token is good. Default: 1h.
	AccessTokenTTL caddy.Duration `json:"access_token_ttl,omitempty"`

	// How long a refresh token may lie unused. Default: 30d.
	RefreshTokenTTL caddy.Duration `json:"refresh_token_ttl,omitempty"`

	// How long a refresh token goes on working after the one that replaced it was used: clients refresh in parallel, and
	// lose answers. Default: 2m.
	RefreshGrace caddy.Duration `json:"refresh_grace,omitempty"`

	// How long a call is kept waiting for the person who has to approve it. Many clients give a call up after a minute, and then
	// don't read why. What is approved later is good when the call is made again. Default: 50s.
	ApprovalTimeout caddy.Duration `json:"approval_timeout,omitempty"`

	// How long a key signs access tokens before the next one does. That one is published an hour earlier, and the old one stays
	// until the last token signed with it has expired. Default: 30d, at least 2h.
	KeyRotation caddy.Duration `json:"key_rotation,omitempty"`

	// How old a person's roles may be before the identity provider is asked again. Default: 5m.
	IdentityRefresh caddy.Duration `json:"identity_refresh,omitempty"`

	// How old they may be while the identity provider is down. Default: 1h.
	IdentityMaxStale caddy.Duration `json:"identity_max_stale,omitempty"`

	// Whether people may make access tokens by hand on their page, /connections, for programs that can't open a browser. Such a
	// token lives long, and whoever has it is the person: so it is off by default. Turning it off ends those that there are.
	PersonalTokens bool `json:"personal_tokens,omitempty"`

	// How long a personal token may live, in whole days. Default: 90d.
	PersonalTokenTTL caddy.Duration `json:"personal_token_ttl,omitempty"`

	// The OAuth clients.
	Clients Clients `json:"clients,omitzero"`

	// The web origins whose pages may talk to the servers from a browser. A port may be a star.
	// Default: http://localhost:* and http://127.0.0.1:*.
	Origins []string `json:"origins,omitempty"`

	// Where decisions are recorded besides the logger mcp_gateway.audit, which gets all of them.
	AuditRaw []json.RawMessage `json:"audit,omitempty" caddy:"namespace=mcp_gateway.audit inline_key=module"`

	logger       *zap.Logger
	now          func() time.Time
	issuer       origin
	drained      []*caddyhttp.Server // those that end the streams when they shut down
	origins      originList
	policy       *policySource
	mentions     []mention // what of this config names roles and permissions
	auditor      audit.Sink
	auditKeepers []auditKeeper
	providers    []identity.Provider
	oauth        *oauth.Server
	oauthNames   []string // the paths it has or keeps free, folded
	sites        *survey
	handlers     map[string][]*Handler // of the mounts, by the server's name
	streams      *streams
	seq          uint64   // later configs have higher ones
	shared       *runtime // nil until provisioned
	key          string   // of shared

	documentsKey string // of the documents' cache; "" if there is none

	written written // where things stand in the Caddyfile, if that is known

	storeConfig string // StoreRaw, which loading the module clears

	stop    context.CancelFunc
	stopped chan struct{} // closed once the background work has ended
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway", New: func() caddy.Module { return new(App) }}
}

// Provision sets up the app. It runs for `caddy validate` too, so it makes no key, writes nothing and calls nobody.
func (app *App) Provision(ctx caddy.Context) error {
	app.written = recall(app)
	app.logger = ctx.Logger()
	app.now = time.Now
	app.streams = new(streams)
	app.setDefaults()
	if err := app.check(); err != nil {
		return err
	}
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}

	if err := app.takePolicy(); err != nil {
		return err
	}
	providers, named, err := app.loadIdentities(ctx)
	if err != nil {
		return err
	}
	app.providers = providers
	if err := app.checkMentions(append(app.Clients.mentions(), named...)...); err != nil {
		return err
	}
	kept, err := app.loadStore(ctx)
	if err != nil {
		return err
	}
	if app.auditor, err = app.loadAudit(ctx); err != nil {
		return err
	}
	clients, err := app.Clients.resolved()
	if err != nil {
		return err
	}
	documents, err := app.joinDocuments()
	if err != nil {
		return err
	}
	if err := app.join(ctx, kept); err != nil {
		return err
	}
	consent := oauth.ConsentOnce
	if app.Consent == "always" {
		consent = oauth.ConsentAlways
	}
	app.oauth, err = oauth.New(oauth.Config{
		Issuer:           app.issuer.String(),
		Path:             app.OAuthPath,
		Resources:        app.resources,
		DefaultResource:  app.DefaultResource,
		Providers:        providers,
		Store:            kept,
		Sealer:           app.shared.sealer,
		Dynamic:          app.Clients.Dynamic == nil || *app.Clients.Dynamic,
		Documents:        documents,
		Static:           clients,
		Consent:          consent,
		AccessTTL:        time.Duration(app.AccessTokenTTL),
		RefreshTTL:       time.Duration(app.RefreshTokenTTL),
		RefreshGrace:     time.Duration(app.RefreshGrace),
		KeyRotation:      time.Duration(app.KeyRotation),
		IdentityRefresh:  time.Duration(app.IdentityRefresh),
		MaxStale:         time.Duration(app.IdentityMaxStale),
		PersonalTokens:   app.PersonalTokens,
		PersonalTokenTTL: time.Duration(app.PersonalTokenTTL),
		Abilities:        app.abilities,
		Offers:           app.offers,
		Approvals:        app.shared.approvals,
		Trusted:          app.trusted,
		Contact:          app.Contact,
		Audit:            app.auditor,
		Logger:           app.logger.Named("oauth"),
		Now:              app.now,
		Pages:            pages.New(),
	})
	if err != nil {
		return err
	}
	app.oauthNames = app.foldedOAuthNames()
	return nil
}

// Interface guards.
var (
	_ caddy.App             = (*App)(nil)
	_ caddy.Provisioner     = (*App)(nil)
	_ caddy.CleanerUpper    = (*App)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)
