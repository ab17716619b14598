package caddymodule

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() { httpcaddyfile.RegisterGlobalOption("mcp_gateway", parseGlobalOption) }

// parseGlobalOption reads the global option into the app's config.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if existing != nil {
		d.Next()
		return nil, d.Err("mcp_gateway stands twice in the global options")
	}
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	config := caddyconfig.JSON(app, nil)
	noteApp(config, app.Policy)
	return httpcaddyfile.App{Name: "mcp_gateway", Value: config}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens. Syntax:
//
//	mcp_gateway {
//	    issuer            <origin>
//	    identity          <module> ...
//	    policy            <file>|{ ... }
//	    store             <module> ...
//	    consent           once|always
//	    access_token_ttl  <duration>
//	    refresh_token_ttl <duration>
//	    refresh_grace     <duration>
//	    approval_timeout  <duration>
//	    key_rotation      <duration>
//	    personal_tokens   on|off
//	    personal_token_ttl <duration>
//	    identity_refresh  <duration> {
//	        max_stale <duration>
//	    }
//	    clients {
//	        ...
//	    }
//	    audit             <module> ...
//	    origins           <origins...>
//	    oauth_path        <path>
//	    default_resource  <url>
//	    contact           <whom>
//	}
//
// Identities and audit may be repeated.
func (app *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	reader := appReader{app: app}
	if err := readBlock(d, nil, reader.options()); err != nil {
		return err
	}
	return reader.finish(d)
}

// appReader reads the global option, and remembers where things stand that are checked at its end.
type appReader struct {
	app                *App
	start              caddyfile.Token
	policyAt, issuerAt caddyfile.Token
	mentioned          []mention
	identities         []string
}

// options returns what may stand in the global option.
func (r *appReader) options() options {
	app := r.app
	return options{
		"issuer": func(d *caddyfile.Dispenser) error {
			r.issuerAt = d.Token()
			return oneArg(d, &app.Issuer)
		},
		"identity*": r.identity,
		"policy": func(d *caddyfile.Dispenser) error {
			r.policyAt = d.Token()
			return app.readPolicy(d)
		},
		"store":             r.store,
		"consent":           oneOf(&app.Consent, "once", "always"),
		"access_token_ttl":  duration(&app.AccessTokenTTL),
		"refresh_token_ttl": duration(&app.RefreshTokenTTL),
		"refresh_grace":     duration(&app.RefreshGrace),
		"approval_timeout":  duration(&app.ApprovalTimeout),
		"key_rotation":      duration(&app.KeyRotation),
		"personal_tokens": func(d *caddyfile.Dispenser) error {
			var word string
			err := oneOf(&word, "on", "off")(d)
			app.PersonalTokens = word == "on"
			return err
		},
		"personal_token_ttl": duration(&app.PersonalTokenTTL),
		"identity_refresh": func(d *caddyfile.Dispenser) error {
			if err := duration(&app.IdentityRefresh)(d); err != nil {
				return err
			}
			return readOptions(d, options{"max_stale": duration(&app.IdentityMaxStale)})
		},
		"clients": func(d *caddyfile.Dispenser) error {
			err := app.Clients.UnmarshalCaddyfile(d.NewFromNextSegment())
			r.mentioned = append(r.mentioned, app.Clients.mentions()...)
			return err
		},
		"audit*":           r.audit,
		"audit_arguments":  onlyDefault("off"),
		"origins*":         words(&app.Origins),
		"oauth_path":       text(&app.OAuthPath),
		"default_resource": text(&app.DefaultResource),
		"contact":          text(&app.Contact),
	}
}

// guest reads a guest module's name and makes it read the rest. Names are those of the namespace, and later, which are
// those of modules that this version doesn't have.
func guest(d *caddyfile.Dispenser, namespace string, known []string, later ...string) (module caddyfile.Unmarshaler, name string, err error) {
	option := d.Val()
	if !d.NextArg() {
		return nil, "", d.Errf("%s needs a name: %s", option, orList(known))
	}
	name = d.Val()
	switch {
	case slices.Contains(later, name):
		return nil, "", d.Errf("%s %s is not supported by this version", option, name)
	case !slices.Contains(known, name) && !isModule(namespace+"."+name):
		return nil, "", d.Errf("there is no %s %s%s", option, name, didYouMean(name, known))
	}
	module, err = caddyfile.UnmarshalModule(d, namespace+"."+name)
	return module, name, err
}

// identity reads one identity provider.
func (r *appReader) identity(d *caddyfile.Dispenser) error {
	at := d.Token()
	module, kind, err := guest(d, "mcp_gateway.identity", identityKinds)
	if err != nil {
		return err
	}
	name, called := kind, kind
	if several, ok := module.(namedIdentity); ok && several.identityName() != "" {
		name = several.identityName()
		called += " " + name
	}
	if slices.Contains(r.identities, name) {
		return errAt(at, fmt.Errorf("identity %s stands twice%s", called, nameThem(module, kind)))
	}
	r.identities = append(r.identities, name)
	if giver, ok := module.(mentioner); ok {
		r.mentioned = append(r.mentioned, giver.mentions()...)
	}
	r.app.IdentitiesRaw = append(r.app.IdentitiesRaw, caddyconfig.JSONModuleObject(module, "module", kind, nil))
	return nil
}

// identityKinds are the identities there are.
var identityKinds = []string{"workos", "oidc", "local"}

// nameThem is what to do about two identities of a kind, if something can be done.
func nameThem(module any, kind string) string {
	if _, ok := module.(namedIdentity); !ok {
		return ""
	}
	return ": where there are several, give each a name of its own, such as: identity " + kind + " acme { … }"
}

// store reads the store.
func (r *appReader) store(d *caddyfile.Dispenser) error {
	module, name, err := guest(d, "mcp_gateway.stores", []string{"caddy"}, "redis")
	if err == nil {
		r.app.StoreRaw = caddyconfig.JSONModuleObject(module, "module", name, nil)
	}
	return err
}

// audit reads one place for audit records.
func (r *appReader) audit(d *caddyfile.Dispenser) error {
	module, name, err := guest(d, "mcp_gateway.audit", []string{"log", "workos"})
	if err == nil {
		r.app.AuditRaw = append(r.app.AuditRaw, caddyconfig.JSONModuleObject(module, "module", name, nil))
	}
	return err
}

// finish checks what can only be judged once everything is known. The config is checked again when it is provisioned;
// here the errors have lines.
func (r *appReader) finish(d *caddyfile.Dispenser) error {
	app := r.app
	d.Reset()
	d.Next()
	r.start = d.Token()
	switch {
	case app.Issuer == "":
		return d.Err("mcp_gateway needs the issuer: the public origin of this gateway, such as: issuer https://mcp.example.com")
	case app.PolicyFile == "" && app.Policy == nil:
		return d.WrapErr(errNoPolicy)
	}
	if !hasPlaceholder(app.Issuer) {
		if _, err := parseIssuer(app.Issuer); err != nil {
			return errAt(r.issuerAt, err)
		}
	}
	if err := checkOAuthPath(app.OAuthPath); err != nil {
		return d.WrapErr(err)
	}
	if err := checkContact(app.Contact); err != nil {
		return d.WrapErr(err)
	}
	if !slices.ContainsFunc(app.Origins, hasPlaceholder) {
		if _, err := parseOrigins(app.Origins); err != nil {
			return d.WrapErr(err)
		}
	}
	if app.IdentityMaxStale != 0 && app.IdentityMaxStale < app.IdentityRefresh {
		return d.Err("max_stale must not be shorter than identity_refresh")
	}
	compiled, err := app.adaptPolicy(r.policyAt)
	if err != nil || compiled == nil {
		return err
	}
	return checkMentions(compiled, r.mentioned)
}

// isModule reports whether a module of this ID is compiled in.
func isModule(id string) bool {
	_, err := caddy.GetModule(id)
	return err == nil
}
