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

// choose picks the organization a session is to be in from those a person is an active member of: the one written first
// in the configuration; where any is accepted, the only one. The error is an *identity.Denied.
func (p *Provider) choose(of []organization) (organization, error) {
	if p.cfg.AnyOrganization {
		switch len(of) {
		case 0:
			return organization{}, &identity.Denied{Reason: notAMember}
		case 1:
			return of[0], nil
		default:
			return organization{}, &identity.Denied{Reason: severalOrganizations}
		}
	}
	for _, id := range p.cfg.Organizations {
		if i := slices.IndexFunc(of, func(o organization) bool { return o.id == id }); i >= 0 {
			return of[i], nil
		}
	}
	return organization{}, &identity.Denied{Reason: notAMember}
}
