package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	identity workos [<name>] {
//	    client_id    <id>
//	    api_key      <key>
//	    organization <ids...>|any
//	    provider     <name>
//	    connection   <id>
//	    domain_hint  <domain>
//	    issuer       <urls...>
//	    audience     <name>
//	    webhook_secret <secret>
//	    base_url     <url>
//	}
//
// client_secret is another name for api_key.
func (w *WorkOS) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	key := func(d *caddyfile.Dispenser) error {
		if w.APIKey != "" {
			return d.Err("api_key is set twice (client_secret is another name for it)")
		}
		return oneArg(d, &w.APIKey)
	}
	err := readBlock(d, identityName(&w.Name), options{
		"client_id":     text(&w.ClientID),
		"api_key":       key,
		"client_secret": key,
		"organization*": func(d *caddyfile.Dispenser) error {
			if err := words(&w.Organizations)(d); err != nil {
				return err
			}
			if slices.Contains(w.Organizations, "any") {
				w.AnyOrganization = true
			}
			if w.AnyOrganization && len(w.Organizations) > 1 {
				return d.Err("organization is either any, or the organizations that are let in")
			}
			return nil
		},
		"provider":       text(&w.SignIn),
		"connection":     text(&w.Connection),
		"domain_hint":    text(&w.DomainHint),
		"issuer*":        words(&w.Issuers),
		"audience":       text(&w.Audience),
		"base_url":       text(&w.BaseURL),
		"webhook_secret": text(&w.WebhookSecret),
	})
	if w.AnyOrganization {
		w.Organizations = nil
	}
	switch {
	case err != nil:
		return err
	case w.ClientID == "":
		return atStart(d, "identity workos needs client_id, such as: client_id {env.WORKOS_CLIENT_ID}")
	case w.APIKey == "":
		return atStart(d, "identity workos needs api_key, such as: api_key {env.WORKOS_API_KEY}")
	case !w.AnyOrganization && len(w.Organizations) == 0:
		return atStart(d, "identity workos needs to know whom to let in, such as: organization org_01H… (or: organization any)")
	case w.SignIn != "" && w.Connection != "":
		return atStart(d, "identity workos takes a provider or a connection, not both")
	}
	return nil
}

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	identity local [<name>] {
//	    user <name> <bcrypt hash> {
//	        email      <address>
//	        name       <name>
//	        role       <roles...>
//	        permission <permissions...>
//	    }
//	}
func (l *Local) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	err := readBlock(d, identityName(&l.Name), options{
		"user*": func(d *caddyfile.Dispenser) error {
			user := LocalUser{rightsAt: []mention{}}
			if !d.Args(&user.Name, &user.Hash) {
				return d.Err("user needs a name and a password hash, as `caddy hash-password` prints it")
			}
			if slices.ContainsFunc(l.Users, func(other LocalUser) bool { return other.Name == user.Name }) {
				return d.Errf("user %s stands twice", user.Name)
			}
			err := readOptions(d, options{
				"email":       text(&user.Email),
				"name":        text(&user.DisplayName),
				"role*":       rights(&user.Roles, &user.rightsAt, "user "+user.Name, false),
				"permission*": rights(&user.Permissions, &user.rightsAt, "user "+user.Name, true),
			})
			l.Users = append(l.Users, user)
			return err
		},
	})
	if err == nil && len(l.Users) == 0 {
		err = atStart(d, "identity local needs at least one user")
	}
	return err
}

// rights returns the option that gives roles or permissions, and notes where it stands so that it can be compared with
// the policy once that is known.
func rights(target *[]string, at *[]mention, by string, permission bool) option {
	return func(d *caddyfile.Dispenser) error {
		token, before := d.Token(), len(*target)
		if err := words(target)(d); err != nil {
			return err
		}
		for _, name := range (*target)[before:] {
			*at = append(*at, mention{by: by, name: name, permission: permission, at: &token})
		}
		return nil
	}
}

// identityName returns the option that reads the name of one of several identities of a kind, if there is one.
func identityName(target *string) option {
	return func(d *caddyfile.Dispenser) error {
		kind := d.Val()
		if !d.NextArg() {
			return nil
		}
		*target = d.Val()
		if err := identity.CheckName(*target); err != nil {
			return d.WrapErr(err)
		}
		if slices.Contains(identityKinds, *target) && *target != kind {
			return d.Errf("identity %s can't be called %s: that is another kind", kind, *target)
		}
		return nil
	}
}
