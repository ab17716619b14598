package caddymodule

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth/foreign"
)

// AcceptTokens is an authorization server that exists already, and whose access tokens a server accepts besides the gateway's
// own. Tokens are checked by their signature, or, with introspection, by asking about each of them.
type AcceptTokens struct {
	// The issuer, as its tokens have it. Required.
	Issuer string `json:"issuer,omitempty"`

	// Where the issuer's keys are. Default: where its metadata say.
	JWKS string `json:"jwks,omitempty"`

	// What a token has to be for, one of these at least. Default: the URL that clients use for the server.
	Audiences []string `json:"audiences,omitempty"`

	// Ask the issuer about every token (RFC 7662): for tokens that only it can read. Revoking one is then felt within seconds.
	Introspection *Introspection `json:"introspection,omitempty"`

	// Who is let in; one of these has to fit. Default: everybody the issuer issues a token to for this server.
	Allow []AllowTokens `json:"allow,omitempty"`

	// The identity that says which organization, roles and permissions a person has, where tokens don't: workos, for tokens of
	// AuthKit. It lets in whom it would let in at a sign-in, also those whom no allow lets in, and is asked again when
	// what it said is as old as identity_refresh.
	RolesFrom string `json:"roles_from,omitempty"`

	// Where tokens have roles: the names of claims, or paths with dots in them.
	RoleClaims []string `json:"role_claims,omitempty"`

	// Where tokens have permissions.
	PermissionClaims []string `json:"permission_claims,omitempty"`

	// Where tokens have the person's organization. Default: org_id with roles_from, else nowhere.
	OrgClaims []string `json:"org_claims,omitempty"`

	// Where tokens have the client. Default: client_id, or azp.
	ClientClaims []string `json:"client_claims,omitempty"`

	// Roles of the policy for every token that an allow lets in, which is needed. People whom roles_from alone lets in don't get
	// them.
	Roles []string `json:"roles,omitempty"`

	// Permissions of the policy for every token that an allow lets in, which is needed. People whom roles_from alone lets in
	// don't get them.
	Permissions []string `json:"permissions,omitempty"`

	// Keep the issuer out of the protected resource metadata: for one where no MCP client can sign in, such as that of a CI.
	Unlisted bool `json:"unlisted,omitempty"`
}

// Introspection is how an issuer is asked about tokens.
type Introspection struct {
	// The gateway's client ID at the issuer. Required.
	ClientID string `json:"client_id,omitempty"`

	// Its secret. Required. Use a placeholder such as {env.INTROSPECTION_SECRET}.
	ClientSecret string `json:"client_secret,omitempty"`

	// Where to ask. Default: where the issuer's metadata say.
	Endpoint string `json:"endpoint,omitempty"`
}

// AllowTokens is one rule for whose tokens are let in. Exactly one of its settings is set, or claim and values.
type AllowTokens struct {
	// Everybody.
	Any bool `json:"any,omitempty"`

	// Members of these organizations, by the token's organization.
	Orgs []string `json:"orgs,omitempty"`

	// People with a verified e-mail address in these domains.
	Domains []string `json:"domains,omitempty"`

	// Tokens with one of the values in a claim.
	Claim string `json:"claim,omitempty"`

	// The values.
	Values []string `json:"values,omitempty"`
}

// issuers holds what is known of authorization servers elsewhere, their keys above all, by their settings. It outlives reloads.
var issuers = caddy.NewUsagePool()

// pooledIssuer is an issuer in the pool.
type pooledIssuer struct{ *foreign.Issuer }

// Destruct implements caddy.Destructor. There is nothing to close.
func (pooledIssuer) Destruct() error { return nil }

// issuerLog is the logger of now: an issuer outlives that of the config which first named it.
func issuerLog() *zap.Logger { return caddy.Log().Named("mcp_gateway.accept_tokens") }

// provisionAccepted makes what accept_tokens says ready for the seats of the handler. It calls nobody.
func (h *Handler) provisionAccepted() error {
	if len(h.AcceptTokens) == 0 && len(h.app.providers) == 0 && !h.app.Clients.hasMachine() {
		return h.app.written.at(h.seats[0].spot, fmt.Errorf("identity is missing: nobody could use %s; add identity workos, oidc or local to the option "+
			"mcp_gateway, or a client with the grant client_credentials, or accept_tokens here", h.Mount))
	}
	var all []*oauth.Accepted
	asks := false
	for n := range h.AcceptTokens {
		at := &h.AcceptTokens[n]
		accepted, err := h.accept(at)
		if err != nil {
			return h.app.written.at(h.seats[0].spot, fmt.Errorf("accept_tokens %s: %w", at.Issuer, err))
		}
		name := accepted.Issuer.Name()
		if slices.ContainsFunc(all, func(other *oauth.Accepted) bool { return other.Issuer.Name() == name }) {
			return fmt.Errorf("accept_tokens: %s stands twice", name)
		}
		if asks && at.Introspection != nil {
			return h.app.written.at(h.seats[0].spot, errors.New("accept_tokens: only one issuer of a mount can have introspection: nobody could tell whom to ask about a token"))
		}
		asks = asks || at.Introspection != nil
		all = append(all, accepted)
	}
	for _, seat := range h.seats {
		seat.resource.Accepts = all
	}
	return nil
}

// accept makes one of them ready.
func (h *Handler) accept(at *AcceptTokens) (*oauth.Accepted, error) {
	if err := at.check(); err != nil {
		return nil, err
	}
	config, err := at.config()
	if err != nil {
		return nil, err
	}
	if strings.TrimSuffix(config.Issuer, "/") == h.app.issuer.String() {
		return nil, errors.New("that is this gateway: its own tokens are always accepted")
	}
	accepted := &oauth.Accepted{
		RoleClaims: at.RoleClaims, PermissionClaims: at.PermissionClaims, OrgClaims: at.OrgClaims, ClientClaims: at.ClientClaims,
		Roles: at.Roles, Permissions: at.Permissions, Unlisted: at.Unlisted,
	}
	if len(accepted.ClientClaims) == 0 {
		accepted.ClientClaims = []string{"client_id", "azp"}
	}
	if accepted.Audiences, err = resolveAll("audience", at.Audiences); err != nil {
		return nil, err
	}
	for _, rule := range at.Allow {
		admission := oauth.Admission{Any: rule.Any, Claim: rule.Claim}
		for _, list := range []struct{ from, to *[]string }{
			{&rule.Orgs, &admission.Orgs}, {&rule.Domains, &admission.Domains}, {&rule.Values, &admission.Values},
		} {
			if *list.to, err = resolveAll("allow", *list.from); err != nil {
				return nil, err
			}
		}
		accepted.Admit = append(accepted.Admit, admission)
	}
	if err := h.app.checkMentions(mentionRights("every token", at.Roles, at.Permissions)...); err != nil {
		return nil, err
	}
	if at.RolesFrom != "" {
		if accepted.Directory, err = h.app.identityDirectory(at.RolesFrom); err != nil {
			return nil, err
		}
		if len(accepted.OrgClaims) == 0 {
			accepted.OrgClaims = []string{"org_id"}
		}
	}
	accepted.Issuer, err = h.joinIssuer(config)
	return accepted, err
}

// identityDirectory finds the identity that says who people are.
func (app *App) identityDirectory(name string) (identity.Directory, error) {
	var names []string
	for _, provider := range app.providers {
		directory, ok := provider.(identity.Directory)
		if ok && provider.Name() == name {
			return directory, nil
		}
		if ok {
			names = append(names, provider.Name())
		}
	}
	return nil, fmt.Errorf("roles_from: there is no identity %s that knows people by their id%s", name, didYouMean(name, names))
}

// config resolves what the issuer is reached with.
func (at *AcceptTokens) config() (foreign.Config, error) {
	config := foreign.Config{}
	settings := []struct {
		name, value string
		to          *string
	}{{"issuer", at.Issuer, &config.Issuer}, {"jwks", at.JWKS, &config.JWKS}}
	if in := at.Introspection; in != nil {
		settings = append(settings, []struct {
			name, value string
			to          *string
		}{{"client_id", in.ClientID, &config.ClientID}, {"client_secret", in.ClientSecret, &config.ClientSecret}, {"endpoint", in.Endpoint, &config.Introspection}}...)
	}
	for _, s := range settings {
		if s.value == "" && (s.name == "jwks" || s.name == "endpoint") {
			continue
		}
		var err error
		if *s.to, err = resolve(s.name, s.value); err != nil {
			return config, err
		}
	}
	return config, config.Check()
}

// check says what is wrong with the settings that need nothing else to be judged.
func (at *AcceptTokens) check() error {
	for _, rule := range at.Allow {
		set := 0
		for _, is := range []bool{rule.Any, len(rule.Orgs) > 0, len(rule.Domains) > 0, rule.Claim != "" && len(rule.Values) > 0} {
			if is {
				set++
			}
		}
		switch {
		case set != 1 || (rule.Claim == "") != (len(rule.Values) == 0):
			return errors.New("allow is any, org <ids…>, domain <domains…>, or claim <path> <values…>")
		case len(rule.Orgs) > 0 && len(at.OrgClaims) == 0:
			return errors.New("allow org needs org_claim: where tokens have the organization")
		}
	}
	switch {
	case at.Issuer == "":
		return errors.New("an issuer is missing, such as https://auth.example.com")
	case len(at.Roles)+len(at.Permissions) > 0 && len(at.Allow) == 0:
		return errors.New("with a role or permission for every token, say whose tokens are let in, such as: allow claim repository acme/app")
	case at.RolesFrom != "" && len(at.RoleClaims)+len(at.PermissionClaims) > 0:
		return errors.New("roles come from the tokens (role_claim, permission_claim) or from an identity (roles_from), not from both")
	}
	return nil
}

// joinIssuer takes part in what is known of an issuer.
func (h *Handler) joinIssuer(config foreign.Config) (*foreign.Issuer, error) {
	// The settings may hold a secret: only a digest of them is kept.
	digest := sha256.Sum256(fmt.Appendf(nil, "%q", []string{config.Issuer, config.JWKS, config.ClientID, config.ClientSecret, config.Introspection}))
	key := hex.EncodeToString(digest[:])
	pooled, _, err := issuers.LoadOrNew(key, func() (caddy.Destructor, error) {
		return pooledIssuer{foreign.New(config, nil, time.Now, issuerLog)}, nil
	})
	if err != nil {
		return nil, err
	}
	h.joined = append(h.joined, key)
	return pooled.(pooledIssuer).Issuer, nil
}

// partIssuers gives up the places that joinIssuer took.
func (h *Handler) partIssuers() error {
	var errs []error
	for _, key := range h.joined {
		_, err := issuers.Delete(key)
		errs = append(errs, err)
	}
	h.joined = nil
	return errors.Join(errs...)
}

// Interface guard.
var _ caddy.Destructor = pooledIssuer{}
