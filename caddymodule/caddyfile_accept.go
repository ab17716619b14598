package caddymodule

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth/foreign"
)

// readAcceptTokens reads the subdirective from Caddyfile tokens. Syntax:
//
//	accept_tokens <issuer> {
//	    jwks             <url>
//	    audience         <values...>
//	    introspection {
//	        client_id     <id>
//	        client_secret <secret>
//	        endpoint      <url>
//	    }
//	    allow            any|org <ids...>|domain <domains...>|claim <path> <values...>
//	    roles_from       <identity>
//	    role_claim       <paths...>
//	    permission_claim <paths...>
//	    org_claim        <paths...>
//	    client_claim     <paths...>
//	    role             <roles...>
//	    permission       <permissions...>
//	    unlisted
//	}
//
// Lines of allow are alternatives.
func (h *Handler) readAcceptTokens(d *caddyfile.Dispenser) error {
	var accept AcceptTokens
	start := d.Token()
	if err := oneArg(d, &accept.Issuer); err != nil {
		return err
	}
	if slices.ContainsFunc(h.AcceptTokens, func(other AcceptTokens) bool { return other.Issuer == accept.Issuer }) {
		return d.Errf("accept_tokens %s stands twice", accept.Issuer)
	}
	err := readOptions(d, options{
		"jwks":              text(&accept.JWKS),
		"audience*":         words(&accept.Audiences),
		"introspection":     accept.readIntrospection,
		"allow*":            accept.readAllow,
		"roles_from":        text(&accept.RolesFrom),
		"role_claim*":       words(&accept.RoleClaims),
		"permission_claim*": words(&accept.PermissionClaims),
		"org_claim*":        words(&accept.OrgClaims),
		"client_claim*":     words(&accept.ClientClaims),
		"role*":             words(&accept.Roles),
		"permission*":       words(&accept.Permissions),
		"unlisted":          func(*caddyfile.Dispenser) error { accept.Unlisted = true; return nil },
	})
	if err != nil {
		return err
	}
	err = accept.check()
	if err == nil && !slices.ContainsFunc(accept.texts(), hasPlaceholder) {
		config := foreign.Config{Issuer: accept.Issuer, JWKS: accept.JWKS}
		if in := accept.Introspection; in != nil {
			config.ClientID, config.ClientSecret, config.Introspection = in.ClientID, "known when the config is loaded", in.Endpoint
		}
		err = config.Check()
	}
	if err != nil {
		return errAt(start, fmt.Errorf("accept_tokens %s: %w", accept.Issuer, err))
	}
	h.AcceptTokens = append(h.AcceptTokens, accept)
	return nil
}

// texts are the settings that have to be known for the issuer to be judged. A secret never is.
func (at *AcceptTokens) texts() []string {
	texts := []string{at.Issuer, at.JWKS}
	if at.Introspection != nil {
		texts = append(texts, at.Introspection.ClientID, at.Introspection.Endpoint)
	}
	return texts
}

// readIntrospection reads how to ask about tokens.
func (at *AcceptTokens) readIntrospection(d *caddyfile.Dispenser) error {
	start := d.Token()
	at.Introspection = new(Introspection)
	err := readOptions(d, options{
		"client_id":     text(&at.Introspection.ClientID),
		"client_secret": text(&at.Introspection.ClientSecret),
		"endpoint":      text(&at.Introspection.Endpoint),
	})
	if err == nil && (at.Introspection.ClientID == "" || at.Introspection.ClientSecret == "") {
		err = errAt(start, fmt.Errorf("introspection needs client_id and client_secret, with which the gateway shows who asks"))
	}
	return err
}

// readAllow reads one line of allow.
func (at *AcceptTokens) readAllow(d *caddyfile.Dispenser) error {
	var kind string
	var rule AllowTokens
	kinds := []string{"any", "org", "domain", "claim"}
	if err := oneOf(&kind, kinds...)(d); err != nil {
		return err
	}
	var err error
	switch kind {
	case "any":
		rule.Any = true
	case "org":
		err = words(&rule.Orgs)(d)
	case "domain":
		err = words(&rule.Domains)(d)
	case "claim":
		if err = oneArg(d, &rule.Claim); err == nil {
			rule.Values = d.RemainingArgs()
		}
	}
	at.Allow = append(at.Allow, rule)
	return err
}
