package oidc

import (
	"errors"
	"slices"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// Admission is one rule for who may come in. Exactly one of its settings is set, or Claim and Values.
type Admission struct {
	// Any lets in everybody who has an account at the provider.
	Any bool
	// Domains lets in people with a verified e-mail address in one of these domains, Groups the members of one of these groups.
	Domains, Groups []string
	// Claim lets in people with one of Values at this path.
	Claim  string
	Values []string
}

// notAdmitted is what a person reads whom no rule lets in.
const notAdmitted = "Your account may not use this gateway. Sign in with another account, or ask the person who runs it to let yours in."

// check says what is wrong with a rule.
func (a *Admission) check() error {
	set := 0
	for _, is := range []bool{a.Any, len(a.Domains) > 0, len(a.Groups) > 0, a.Claim != "" && len(a.Values) > 0} {
		if is {
			set++
		}
	}
	if set != 1 || (a.Claim == "") != (len(a.Values) == 0) {
		return errors.New("allow is any, domain <domains…>, group <groups…>, or claim <path> <values…>")
	}
	return nil
}

// admits reports whether a rule lets in a person with these claims.
func (p *Provider) admits(person *identity.Person, claims issuer.Claims) bool {
	return slices.ContainsFunc(p.cfg.Allow, func(rule Admission) bool {
		return rule.Any || issuer.InDomain(person.Email, rule.Domains) || anyIn(person.Groups, rule.Groups) ||
			rule.Claim != "" && anyIn(claims.Texts(rule.Claim), rule.Values)
	})
}

// anyIn reports whether one of texts is among the allowed.
func anyIn(texts, allowed []string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return slices.Contains(allowed, text) })
}
