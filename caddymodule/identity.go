package caddymodule

import (
	"fmt"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity/local"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity/workos"
)

func init() {
	caddy.RegisterModule(WorkOS{})
	caddy.RegisterModule(Local{})
	caddy.RegisterModule(OIDC{})
}

// Identity is a guest module of the namespace mcp_gateway.identity: a place where people sign in.
type Identity interface {
	// Provider returns the provisioned identity provider.
	Provider() identity.Provider
}

// namedIdentity is an Identity of which there can be several, each with a name of its own.
type namedIdentity interface {
	// identityName returns the name, or "" for the one that has that of its kind.
	identityName() string
}

// WorkOS signs people in through WorkOS AuthKit, or through one of WorkOS' other sign-in pages.
type WorkOS struct {
	// The name that tells it from other identities; it is part of people's ids, and of the address of webhooks. Default: workos.
	Name string `json:"name,omitempty"`

	// The client ID of the WorkOS environment. Required. Placeholders are resolved when the config is provisioned.
	ClientID string `json:"client_id,omitempty"`

	// The API key of the environment (WorkOS' guide for Cloudflare calls it client secret). Required. Use a placeholder
	// such as {env.WORKOS_API_KEY}, so that the key stays out of the config.
	APIKey string `json:"api_key,omitempty"`

	// The organizations whose members are let in, in the order in which they are offered to who is a member of several. Either this or
	// any_organization is required.
	Organizations []string `json:"organizations,omitempty"`

	// Let in the members of every organization of the environment.
	AnyOrganization bool `json:"any_organization,omitempty"`

	// The sign-in page: authkit, or one of WorkOS' OAuth providers, such as GoogleOAuth. Default: authkit.
	SignIn string `json:"provider,omitempty"`

	// An SSO connection (conn_…), instead of a provider.
	Connection string `json:"connection,omitempty"`

	// A domain that WorkOS passes on to the sign-in page of the identity provider behind it, such as example.com: of use with provider
	// MicrosoftOAuth and with connections of Google. Default: none.
	DomainHint string `json:"domain_hint,omitempty"`

	// Issuers of session tokens that are accepted besides WorkOS' own: an environment with a custom authentication domain
	// has that domain as its issuer.
	Issuers []string `json:"issuers,omitempty"`

	// An audience that is accepted besides the client ID, for environments whose JWT template sets one.
	Audience string `json:"audience,omitempty"`

	// The secret of the webhook that WorkOS sends to /webhooks/workos, as its dashboard shows it: sessions that are revoked there, and roles that
	// change, then count within a second here. Without it there is no such endpoint. Use a placeholder.
	WebhookSecret string `json:"webhook_secret,omitempty"`

	// The origin of the WorkOS API, for tests against the emulator. Default: https://api.workos.com.
	BaseURL string `json:"base_url,omitempty"`

	provider *workos.Provider
}

// CaddyModule returns the Caddy module information.
func (WorkOS) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway.identity.workos", New: func() caddy.Module { return new(WorkOS) }}
}

// Provision resolves the secrets. It calls nobody.
func (w *WorkOS) Provision(ctx caddy.Context) error {
	config := workos.Config{
		Name:            w.Name,
		AnyOrganization: w.AnyOrganization,
		Provider:        w.SignIn,
		Connection:      w.Connection,
		Logger:          ctx.Logger(),
	}
	var err error
	if config.ClientID, err = resolve("client_id of identity workos", w.ClientID); err != nil {
		return err
	}
	if config.APIKey, err = resolve("api_key of identity workos", w.APIKey); err != nil {
		return err
	}
	if config.Organizations, err = resolveAll("organization of identity workos", w.Organizations); err != nil {
		return err
	}
	if config.Issuers, err = resolveAll("issuer of identity workos", w.Issuers); err != nil {
		return err
	}
	for _, issuer := range config.Issuers {
		if u, err := url.Parse(issuer); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("issuer of identity workos: %q is not a URL such as https://auth.example.com; write it as the tokens have it", issuer)
		}
	}
	if w.Audience != "" {
		if config.Audience, err = resolve("audience of identity workos", w.Audience); err != nil {
			return err
		}
	}
	if w.WebhookSecret != "" {
		if config.WebhookSecret, err = resolve("webhook_secret of identity workos", w.WebhookSecret); err != nil {
			return err
		}
	}
	if w.DomainHint != "" {
		if config.DomainHint, err = resolve("domain_hint of identity workos", w.DomainHint); err != nil {
			return err
		}
	}
	if w.BaseURL != "" {
		if config.BaseURL, err = resolve("base_url of identity workos", w.BaseURL); err != nil {
			return err
		}
	}
	if w.AnyOrganization {
		ctx.Logger().Warn("identity workos lets in the members of every organization of this WorkOS environment; name organizations to narrow it")
	}
	if w.provider, err = workos.New(config); err != nil {
		return fmt.Errorf("identity workos: %w", err)
	}
	return nil
}

// identityName implements namedIdentity.
func (w *WorkOS) identityName() string { return w.Name }

// Provider implements Identity.
func (w *WorkOS) Provider() identity.Provider { return w.provider }

// Local signs in the people named in the config, by password.
type Local struct {
	// The name that tells it from other identities; it is part of people's ids. Default: local.
	Name string `json:"name,omitempty"`

	// The people who may sign in.
	Users []LocalUser `json:"users,omitempty"`

	provider *local.Provider
}

// LocalUser is one person of identity local.
type LocalUser struct {
	// What the person types. Required.
	Name string `json:"name,omitempty"`

	// The bcrypt hash of the password, as `caddy hash-password` prints it. Required.
	Hash string `json:"hash,omitempty"`

	// The e-mail address; policies and logs show it.
	Email string `json:"email,omitempty"`

	// What pages call the person. Default: the name.
	DisplayName string `json:"display_name,omitempty"`

	// The roles of the policy the person has.
	Roles []string `json:"roles,omitempty"`

	// The permissions of the policy the person has.
	Permissions []string `json:"permissions,omitempty"`

	rightsAt []mention
}

// CaddyModule returns the Caddy module information.
func (Local) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway.identity.local", New: func() caddy.Module { return new(Local) }}
}

// Provision resolves the hashes.
func (l *Local) Provision(ctx caddy.Context) error {
	users := make([]local.User, len(l.Users))
	for i, user := range l.Users {
		hash, err := resolve("password hash of user "+user.Name, user.Hash)
		if err != nil {
			return err
		}
		users[i] = local.User{
			Name:        user.Name,
			Hash:        hash,
			Email:       user.Email,
			DisplayName: user.DisplayName,
			Roles:       user.Roles,
			Permissions: user.Permissions,
		}
	}
	var err error
	if l.provider, err = local.New(l.Name, users, time.Now); err != nil {
		return fmt.Errorf("identity local: %w", err)
	}
	if cheap := l.provider.Cheap(); len(cheap) > 0 {
		ctx.Logger().Warn("bcrypt hashes of identity local cost too little to withstand guessing; make them anew with caddy hash-password", zap.Strings("users", cheap))
	}
	return nil
}

// identityName implements namedIdentity.
func (l *Local) identityName() string { return l.Name }

// Provider implements Identity.
func (l *Local) Provider() identity.Provider { return l.provider }

// mentions returns the roles and permissions that users are given.
func (l *Local) mentions() []mention {
	var all []mention
	for _, user := range l.Users {
		if user.rightsAt != nil {
			all = append(all, user.rightsAt...)
			continue
		}
		all = append(all, mentionRights("user "+user.Name, user.Roles, user.Permissions)...)
	}
	return all
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*WorkOS)(nil)
	_ caddyfile.Unmarshaler = (*WorkOS)(nil)
	_ Identity              = (*WorkOS)(nil)

	_ caddy.Provisioner     = (*Local)(nil)
	_ caddyfile.Unmarshaler = (*Local)(nil)
	_ Identity              = (*Local)(nil)
	_ mentioner             = (*Local)(nil)
)
