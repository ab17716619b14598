package oidc

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

const (
	// maxClaims bounds what is kept of a person's claims, in bytes of JSON. Where a provider says more, only what the configuration
	// names is kept.
	maxClaims = 32 << 10
	// maxText bounds the name of somebody or something, in bytes. A longer one is left out.
	maxText = 512
)

// protocol are the claims that say something about the token, and nothing about the person.
var protocol = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "sid", "at_hash", "c_hash", "s_hash"}

// errTooMuch says that a provider says more about a person than can be kept.
var errTooMuch = errors.New("the claims that are named in the configuration are too large")

// describe makes a person of what the provider says, or an *identity.Denied of one whom no rule lets in. The claims are kept whole, as
// far as they fit, so that a change of the configuration can be applied to them.
func (p *Provider) describe(subject string, claims issuer.Claims) (*identity.Person, error) {
	person := &identity.Person{
		Provider: p.Name(), ID: subject, Email: short(claims.VerifiedEmail()), Name: displayName(claims), Org: short(claims.FirstText(p.cfg.OrgClaims)),
		Roles: with(p.cfg.Roles, texts(claims, p.cfg.RoleClaims)), Permissions: with(p.cfg.Permissions, texts(claims, p.cfg.PermissionClaims)),
		Groups: texts(claims, p.cfg.GroupClaims),
	}
	if !p.admits(person, claims) {
		return nil, &identity.Denied{Reason: notAdmitted}
	}
	kept, err := p.keep(claims)
	person.Claims = kept
	return person, err
}

// texts are the texts at some paths that can be the name of something.
func texts(claims issuer.Claims, paths []string) []string {
	return slices.DeleteFunc(claims.AllTexts(paths), func(text string) bool { return len(text) > maxText })
}

// with adds to texts what everybody has, each once.
func with(everybody, texts []string) []string {
	all := slices.Clone(everybody)
	for _, text := range texts {
		if !slices.Contains(everybody, text) {
			all = append(all, text)
		}
	}
	return all
}

// displayName is what pages call a person.
func displayName(claims issuer.Claims) string {
	name := claims.Text("name")
	if name == "" {
		name = strings.TrimSpace(claims.Text("given_name") + " " + claims.Text("family_name"))
	}
	if name == "" {
		name = claims.Text("preferred_username")
	}
	return short(name)
}

// short returns a text that is not too long to be the name of something, else nothing.
func short(text string) string {
	if len(text) > maxText {
		return ""
	}
	return text
}

// keep returns the claims to be kept.
func (p *Provider) keep(claims issuer.Claims) (map[string]any, error) {
	kept := make(map[string]any, len(claims))
	for name, value := range claims {
		if !slices.Contains(protocol, name) || p.needs(name) {
			kept[name] = value
		}
	}
	if size(kept) <= maxClaims {
		return kept, nil
	}
	for name := range kept {
		if !p.needs(name) {
			delete(kept, name)
		}
	}
	if size(kept) > maxClaims {
		return nil, errTooMuch
	}
	return kept, nil
}

// size is the length of claims as they are kept.
func size(claims map[string]any) int {
	text, err := json.Marshal(claims)
	if err != nil {
		return maxClaims + 1
	}
	return len(text)
}

// needs reports whether something of a person is read from the claim of a name.
func (p *Provider) needs(name string) bool {
	if slices.Contains([]string{"email_verified", "given_name", "family_name", "preferred_username"}, name) {
		return true
	}
	return slices.ContainsFunc(slices.Concat(p.wanted, p.cfg.GroupClaims, p.cfg.OrgClaims), func(path string) bool { return path == name || strings.HasPrefix(path, name+".") })
}

// lacks reports whether claims are without something that is read from them.
func (p *Provider) lacks(claims issuer.Claims) bool {
	if len(p.cfg.OrgClaims) > 0 && claims.FirstText(p.cfg.OrgClaims) == "" {
		return true
	}
	return slices.ContainsFunc(p.wanted, func(path string) bool { return claims.Find(path) == nil })
}

// merge adds what userinfo says to what an ID token says. The ID token counts where both say something; but whether an address was verified
// is said of the address beside it, and of no other.
func merge(token, userinfo issuer.Claims) issuer.Claims {
	all := make(issuer.Claims, len(token)+len(userinfo))
	for name, value := range userinfo {
		all[name] = value
	}
	for name, value := range token {
		all[name] = value
	}
	from := token
	if _, has := token["email_verified"]; !has && userinfo.Text("email") != "" {
		from = userinfo
	}
	for _, name := range []string{"email", "email_verified"} {
		delete(all, name)
		if value, has := from[name]; has {
			all[name] = value
		}
	}
	return all
}
