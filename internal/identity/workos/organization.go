package workos

import (
	"slices"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// organization is one a person may choose; its name may be empty.
type organization struct{ id, name string }

// The sentences a person reads who is turned away.
const (
	notAMember = "Your account is not a member of an organization that may use this gateway. " +
		"Sign in with another account, or ask the person who runs it to let yours in."
	severalOrganizations = "Your account belongs to several organizations, and this gateway cannot tell which of them to use. " +
		"Ask the person who runs it to name one."
	noLongerAccepted = "Your organization may no longer use this gateway. Ask the person who runs it."
)

// accepts reports whether sessions in org may come in. A session without an organization never may.
func (p *Provider) accepts(org string) bool {
	return org != "" && (p.cfg.AnyOrganization || slices.Contains(p.cfg.Organizations, org))
}

// accepted returns those of the organizations that may come in: in the order of the configuration or, where any is accepted, as they are.
func (p *Provider) accepted(of []organization) []organization {
	if p.cfg.AnyOrganization {
		return slices.DeleteFunc(slices.Clone(of), func(o organization) bool { return o.id == "" })
	}
	var all []organization
	for _, id := range p.cfg.Organizations {
		if i := slices.IndexFunc(of, func(o organization) bool { return o.id == id }); i >= 0 {
			all = append(all, of[i])
		}
	}
	return all
}

// pick picks an organization where nobody can be asked: the one written first in the configuration; where any is accepted, the only
// one. The error is an *identity.Denied.
func (p *Provider) pick(of []organization) (organization, error) {
	switch of = p.accepted(of); {
	case len(of) == 0:
		return organization{}, &identity.Denied{Reason: notAMember}
	case len(of) > 1 && p.cfg.AnyOrganization:
		return organization{}, &identity.Denied{Reason: severalOrganizations}
	}
	return of[0], nil
}
