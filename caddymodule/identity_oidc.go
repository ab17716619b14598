package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity/oidc"
)

// OIDC signs people in with an OpenID provider, such as Keycloak, Entra ID, Google or Okta. The address to register there as redirect URI is
// /callback below the gateway's issuer, or, for each further identity that people are sent to, /callback/ and its name; and for back-channel logout
// /backchannel_logout/oidc, with the name in the place of oidc if there is one.
type OIDC struct {
	// The name that tells it from other identities; it is part of people's ids. Default: oidc.
	Name string `json:"name,omitempty"`

	// What pages call it. Default: the name, or else the issuer's host.
	Label string `json:"label,omitempty"`

	// The issuer, as the provider's discovery document has it. Required.
	Issuer string `json:"issuer,omitempty"`

	// The gateway's client ID there. Required.
	ClientID string `json:"client_id,omitempty"`

	// The gateway's client secret there. Use a placeholder such as {env.OIDC_CLIENT_SECRET}. Without one, the gateway is a public client.
	ClientSecret string `json:"client_secret,omitempty"`

	// What to ask for. Default: openid, profile, email, and offline_access where the provider has it.
	Scopes []string `json:"scopes,omitempty"`

	// Where people's roles are: the names of claims, or paths with dots in them. Default: nowhere.
	RoleClaims []string `json:"role_claims,omitempty"`

	// Where people's permissions are. Default: nowhere.
	PermissionClaims []string `json:"permission_claims,omitempty"`

	// Where people's groups are. Default: groups.
	GroupClaims []string `json:"group_claims,omitempty"`

	// Where people's organization is; the first that is there counts. Default: nowhere.
	OrgClaims []string `json:"org_claims,omitempty"`

	// Roles of the policy for everybody who signs in here, besides those in role_claims.
	Roles []string `json:"roles,omitempty"`

	// Permissions of the policy for everybody who signs in here, besides those in permission_claims.
	Permissions []string `json:"permissions,omitempty"`

	// Who is let in; one of these has to fit. Required.
	Allow []AllowPeople `json:"allow,omitempty"`

	// How long a sign-in counts where the provider gives no refresh token, by which it could be asked whether it still should. Default: 12h.
	SessionTTL caddy.Duration `json:"session_ttl,omitempty"`

	// Parameters that the provider's sign-in page takes besides those of OpenID Connect, such as access_type.
	AuthorizeParams map[string]string `json:"authorize_params,omitempty"`

	provider *oidc.Provider
	rightsAt []mention
}

// AllowPeople is one rule for who is let in. Exactly one of its settings is set, or claim and values.
type AllowPeople struct {
	// Everybody who has an account there.
	Any bool `json:"any,omitempty"`

	// People with a verified e-mail address in these domains.
	Domains []string `json:"domains,omitempty"`

	// Members of these groups.
	Groups []string `json:"groups,omitempty"`

	// People with one of the values in a claim.
	Claim string `json:"claim,omitempty"`

	// The values.
	Values []string `json:"values,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (OIDC) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "mcp_gateway.identity.oidc", New: func() caddy.Module { return new(OIDC) }}
}

// Provision resolves the secrets. It calls nobody.
func (o *OIDC) Provision(ctx caddy.Context) error {
	config, err := o.config(resolve)
	if err != nil {
		return fmt.Errorf("%s: %w", o.called(), err)
	}
	config.Logger, config.Now = ctx.Logger(), time.Now
	if o.provider, err = oidc.New(config); err != nil {
		return fmt.Errorf("%s: %w", o.called(), err)
	}
	for _, rule := range o.Allow {
		if rule.Any {
			ctx.Logger().Warn(o.called() + " lets in everybody who has an account at " + config.Issuer + "; allow domain, group or claim narrows it")
		}
	}
	return nil
}

// config is the provider's configuration, with every text put through read.
func (o *OIDC) config(read func(setting, value string) (string, error)) (oidc.Config, error) {
	config := oidc.Config{
		Name: o.Name, Label: o.Label, RoleClaims: o.RoleClaims, PermissionClaims: o.PermissionClaims, GroupClaims: o.GroupClaims, OrgClaims: o.OrgClaims,
		Roles: o.Roles, Permissions: o.Permissions,
		Scopes: o.Scopes, Parameters: make(map[string]string, len(o.AuthorizeParams)), SessionTTL: time.Duration(o.SessionTTL),
	}
	for _, setting := range []struct {
		name, value string
		required    bool
		to          *string
	}{
		{"issuer", o.Issuer, true, &config.Issuer}, {"client_id", o.ClientID, true, &config.ClientID}, {"client_secret", o.ClientSecret, false, &config.ClientSecret},
	} {
		if setting.value == "" && !setting.required {
			continue
		}
		var err error
		if *setting.to, err = read(setting.name, setting.value); err != nil {
			return config, err
		}
	}
	for name, value := range o.AuthorizeParams {
		var err error
		if config.Parameters[name], err = read("authorize_param "+name, value); err != nil {
			return config, err
		}
	}
	for _, rule := range o.Allow {
		admission := oidc.Admission{Any: rule.Any, Claim: rule.Claim}
		for _, list := range []struct{ from, to *[]string }{
			{&rule.Domains, &admission.Domains}, {&rule.Groups, &admission.Groups}, {&rule.Values, &admission.Values},
		} {
			for _, value := range *list.from {
				text, err := read("allow", value)
				if err != nil {
					return config, err
				}
				*list.to = append(*list.to, text)
			}
		}
		config.Allow = append(config.Allow, admission)
	}
	return config, nil
}

// called is what errors and logs call it.
func (o *OIDC) called() string {
	if o.Name == "" {
		return "identity oidc"
	}
	return "identity oidc " + o.Name
}

// mentions returns the roles and permissions that everybody is given.
func (o *OIDC) mentions() []mention {
	if o.rightsAt != nil {
		return o.rightsAt
	}
	return mentionRights(o.called(), o.Roles, o.Permissions)
}

// identityName implements namedIdentity.
func (o *OIDC) identityName() string { return o.Name }

// Provider implements Identity.
func (o *OIDC) Provider() identity.Provider { return o.provider }

// Interface guards.
var (
	_ caddy.Provisioner     = (*OIDC)(nil)
	_ caddyfile.Unmarshaler = (*OIDC)(nil)
	_ Identity              = (*OIDC)(nil)
	_ namedIdentity         = (*OIDC)(nil)
	_ mentioner             = (*OIDC)(nil)
	_ namedIdentity         = (*Local)(nil)
	_ namedIdentity         = (*WorkOS)(nil)
)
