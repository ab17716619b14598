package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	identity oidc [<name>] {
//	    issuer           <url>
//	    client_id        <id>
//	    client_secret    <secret>
//	    label            <text>
//	    scopes           <scopes...>
//	    role_claim       <paths...>
//	    permission_claim <paths...>
//	    group_claim      <paths...>
//	    org_claim        <paths...>
//	    role             <roles...>
//	    permission       <permissions...>
//	    allow            any|domain <domains...>|group <groups...>|claim <path> <values...>
//	    session_ttl      <duration>
//	    authorize_param  <name> <value>
//	}
//
// Lines of allow are alternatives.
func (o *OIDC) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	o.rightsAt = []mention{}
	err := readBlock(d, identityName(&o.Name), options{
		"issuer":            text(&o.Issuer),
		"client_id":         text(&o.ClientID),
		"client_secret":     text(&o.ClientSecret),
		"label":             text(&o.Label),
		"scopes*":           words(&o.Scopes),
		"role_claim*":       words(&o.RoleClaims),
		"permission_claim*": words(&o.PermissionClaims),
		"group_claim*":      words(&o.GroupClaims),
		"org_claim*":        words(&o.OrgClaims),
		"role*":             rights(&o.Roles, &o.rightsAt, "identity oidc", false),
		"permission*":       rights(&o.Permissions, &o.rightsAt, "identity oidc", true),
		"allow*":            o.readAllow,
		"session_ttl":       duration(&o.SessionTTL),
		"authorize_param*":  o.readParam,
	})
	switch {
	case err != nil:
		return err
	case o.Issuer == "":
		return atStart(d, o.called()+" needs an issuer, such as: issuer https://id.example.com")
	case o.ClientID == "":
		return atStart(d, o.called()+" needs a client_id, such as: client_id {env.OIDC_CLIENT_ID}")
	}
	// What a placeholder stands for is known when the config is loaded, and judged then.
	config, err := o.config(func(setting, value string) (string, error) {
		if setting == "issuer" && hasPlaceholder(value) {
			return "https://known-when-loaded.invalid", nil
		}
		return value, nil
	})
	if err == nil {
		err = config.Check()
	}
	if err != nil {
		return atStart(d, o.called()+": "+err.Error())
	}
	return nil
}

// readAllow reads one line of allow.
func (o *OIDC) readAllow(d *caddyfile.Dispenser) error {
	var kind string
	var rule AllowPeople
	if err := oneOf(&kind, "any", "domain", "group", "claim")(d); err != nil {
		return err
	}
	var err error
	switch kind {
	case "any":
		rule.Any = true
	case "domain":
		err = words(&rule.Domains)(d)
	case "group":
		err = words(&rule.Groups)(d)
	case "claim":
		if err = oneArg(d, &rule.Claim); err == nil {
			if rule.Values = d.RemainingArgs(); len(rule.Values) == 0 {
				err = d.Err("allow claim needs the path of a claim and the values that are let in, such as: allow claim department it")
			}
		}
	}
	o.Allow = append(o.Allow, rule)
	return err
}

// readParam reads one parameter of the provider's sign-in page.
func (o *OIDC) readParam(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.Args(&name, &value) {
		return d.Err("authorize_param needs a name and a value, such as: authorize_param access_type offline")
	}
	if _, has := o.AuthorizeParams[name]; has {
		return d.Errf("authorize_param %s is set twice", name)
	}
	if o.AuthorizeParams == nil {
		o.AuthorizeParams = make(map[string]string)
	}
	o.AuthorizeParams[name] = value
	return nil
}
