package workos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/workos/workos-go/v4/pkg/usermanagement"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// maxOptions bounds how many organizations are offered.
const maxOptions = 50

var _ identity.Chooser = (*Provider)(nil)

// waiting is a sign-in that waits for an organization to be chosen. It is either the sign-in's pending token, or a session that is in no
// organization yet, with its person.
type waiting struct {
	Options []string             `json:"options"`
	Pending string               `json:"pending,omitempty"`
	Refresh string               `json:"refresh,omitempty"`
	User    *usermanagement.User `json:"user,omitempty"`
	Actor   string               `json:"actor,omitempty"`
}

// offer has the person choose among organizations; the error is an *identity.Choice.
func (p *Provider) offer(ctx context.Context, of []organization, w waiting) error {
	of = of[:min(len(of), maxOptions)]
	choice := &identity.Choice{}
	for _, o := range of {
		if o.name == "" {
			o.name = p.organizationName(ctx, o.id)
		}
		choice.Options = append(choice.Options, identity.Option{ID: o.id, Name: o.name})
		w.Options = append(w.Options, o.id)
	}
	var err error
	if choice.Pending, err = json.Marshal(w); err != nil {
		return err
	}
	return choice
}

// Choose implements identity.Chooser.
func (p *Provider) Choose(ctx context.Context, pending []byte, id string) (*identity.Person, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signInTimeout)
	defer cancel()
	var w waiting
	if err := json.Unmarshal(pending, &w); err != nil || !slices.Contains(w.Options, id) || w.Pending == "" && w.User == nil {
		return nil, fmt.Errorf("%w: no such organization to choose", identity.ErrCallback)
	}
	if !p.accepts(id) {
		return nil, &identity.Denied{Reason: noLongerAccepted}
	}
	if w.Pending != "" {
		answer, err := p.selectOrganization(ctx, w.Pending, id)
		if err != nil {
			return nil, err
		}
		return p.enter(ctx, answer)
	}
	s, refreshToken, err := p.move(ctx, w.User.ID, w.Refresh, id)
	if err != nil {
		return nil, err
	}
	return p.person(ctx, w.User, s, refreshToken, w.Actor), nil
}

// selectOrganization answers organization_selection_required.
func (p *Provider) selectOrganization(ctx context.Context, pending, org string) (usermanagement.AuthenticateResponse, error) {
	callCtx, n := withNote(ctx)
	answer, err := p.users.AuthenticateWithOrganizationSelection(callCtx, usermanagement.AuthenticateWithOrganizationSelectionOpts{
		ClientID: p.cfg.ClientID, PendingAuthenticationToken: pending, OrganizationID: org,
	})
	if err != nil {
		return answer, p.failure("select the organization", err, n).exchanged()
	}
	return answer, nil
}

// move moves a session into an organization. It returns the session and refresh token to go on with.
func (p *Provider) move(ctx context.Context, user, refreshToken, org string) (*session, string, error) {
	answer, f := p.renew(ctx, refreshToken, org)
	if f != nil {
		return nil, "", f.exchanged()
	}
	moved, err := p.verify(ctx, answer.AccessToken)
	if err != nil {
		return nil, "", err
	}
	if moved.subject != user || moved.org != org {
		return nil, "", &identity.Unavailable{Err: fmt.Errorf("WorkOS did not move the session into organization %s", org)}
	}
	return moved, answer.RefreshToken, nil
}

// choose picks the organization for a session from those a person is an active member of, if there is only one that is accepted; with
// several it offers them. The error is an *identity.Denied or an *identity.Choice.
func (p *Provider) choose(ctx context.Context, of []organization, w waiting) (organization, error) {
	switch of = p.accepted(of); len(of) {
	case 0:
		return organization{}, &identity.Denied{Reason: notAMember}
	case 1:
		return of[0], nil
	}
	return organization{}, p.offer(ctx, of, w)
}
