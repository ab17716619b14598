package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// mention is a place in the config that names a role or a permission of the policy.
type mention struct {
	by         string // who is given it, such as "user alice"
	name       string
	permission bool
	at         *caddyfile.Token // nil in a JSON config
}

// mentioner is part of the config that gives people or clients roles and permissions of the policy.
type mentioner interface{ mentions() []mention }

// mentionRights lists roles and permissions of a JSON config.
func mentionRights(by string, roles, permissions []string) []mention {
	all := make([]mention, 0, len(roles)+len(permissions))
	for _, role := range roles {
		all = append(all, mention{by: by, name: role})
	}
	for _, permission := range permissions {
		all = append(all, mention{by: by, name: permission, permission: true})
	}
	return all
}

// checkMentions reports every role or permission that the policy doesn't know. One that is given in the config and
// missing in the policy is a slip of the pen in one of the two, and would silently grant nothing.
func checkMentions(p *policy.Policy, mentions []mention) error {
	var errs []error
	for _, m := range mentions {
		kind, known, names := "role", p.HasRole(m.name), p.Roles
		if m.permission {
			kind, known, names = "permission", p.HasPermission(m.name), p.Permissions
		}
		if known {
			continue
		}
		err := fmt.Errorf("%s: the policy has no %s %s%s", m.by, kind, m.name, didYouMean(m.name, names()))
		if m.at != nil {
			err = errAt(*m.at, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// didYouMean returns the end of an error about an unknown word: the known one that was probably meant, if there is one.
func didYouMean(word string, known []string) string {
	if suggestion := policy.Suggest(word, known); suggestion != "" {
		return "; did you mean " + suggestion + "?"
	}
	return ""
}

// errAt adds where a token stands to an error, as the Caddyfile parser does it.
func errAt(at caddyfile.Token, err error) error {
	d := caddyfile.NewDispenser([]caddyfile.Token{at})
	d.Next()
	return d.WrapErr(err)
}
