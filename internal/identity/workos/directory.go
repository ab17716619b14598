package workos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
	"github.com/workos/workos-go/v4/pkg/workos_errors"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

var _ identity.Directory = (*Provider)(nil)

// userForm is what the id of a person looks like. Whatever else a token may name is not looked up: it goes into an address.
var userForm = regexp.MustCompile(`^user_[A-Za-z0-9_-]{1,128}$`)

// nobody is what a person reads, or their agent's log says, who has a token but no account.
const nobody = "There is no such account."

// Lookup implements identity.Directory: for the access tokens that AuthKit issues to MCP clients itself, which say who
// a person is and seldom more. What they may do is read from the membership, and the permissions from its roles.
func (p *Provider) Lookup(ctx context.Context, id, org string) (*identity.Person, error) {
	if !userForm.MatchString(id) {
		return nil, &identity.Denied{Reason: nobody}
	}
	if org != "" && !p.accepts(org) {
		return nil, &identity.Denied{Reason: notAMember}
	}
	memberships, err := p.activeMemberships(ctx, id, org)
	if err != nil {
		return nil, err
	}
	if org == "" {
		of := make([]organization, len(memberships))
		for n, m := range memberships {
			of[n] = organization{id: m.Organization}
		}
		chosen, err := p.pick(of)
		if err != nil {
			return nil, err
		}
		org = chosen.id
	}
	n := slices.IndexFunc(memberships, func(m membership) bool { return m.Organization == org })
	if n < 0 {
		return nil, &identity.Denied{Reason: notAMember}
	}
	person := &identity.Person{Provider: p.Name(), ID: id, Org: org, OrgName: p.organizationName(ctx, org), Roles: memberships[n].roles()}
	if person.Permissions, err = p.permissions(ctx, org, person.Roles); err != nil {
		return nil, err
	}
	callCtx, noted := withNote(ctx)
	user, err := p.users.GetUser(callCtx, usermanagement.GetUserOpts{User: id})
	if err != nil {
		f := p.failure("read a user", err, noted)
		if f.status == http.StatusNotFound && f.code != "" {
			return nil, &identity.Denied{Reason: nobody}
		}
		return nil, f.err()
	}
	person.Email, person.Name = user.Email, strings.TrimSpace(user.FirstName+" "+user.LastName)
	person.Claims = map[string]any{"email_verified": user.EmailVerified}
	return person, nil
}

// membership is what the API says of one, roles included: the SDK knows of one role only.
type membership struct {
	User         string     `json:"user_id"`
	Organization string     `json:"organization_id"`
	Status       string     `json:"status"`
	Role         roleSlug   `json:"role"`
	Roles        []roleSlug `json:"roles"`
}

// roleSlug is a role, or a reference to one.
type roleSlug struct {
	Slug string `json:"slug"`
	// Permissions are slugs, as the Authorization API has them.
	Permissions []string `json:"permissions"`
}

// roles returns the slugs of all roles.
func (m *membership) roles() []string {
	var slugs []string
	for _, role := range append([]roleSlug{m.Role}, m.Roles...) {
		if role.Slug != "" && !slices.Contains(slugs, role.Slug) {
			slugs = append(slugs, role.Slug)
		}
	}
	return slugs
}

// listed is a page of one of the API's lists.
type listed[T any] struct {
	Data     []T `json:"data"`
	Metadata struct {
		After string `json:"after"`
	} `json:"list_metadata"`
}

// activeMemberships lists the active memberships of a person, oldest first; org narrows the list to one organization. Every
// status is asked for and the active ones kept: an inactive or pending membership opens nothing.
func (p *Provider) activeMemberships(ctx context.Context, user, org string) ([]membership, error) {
	query := url.Values{"user_id": {user}, "limit": {strconv.Itoa(pageSize)}, "order": {"asc"}}
	if org != "" {
		query.Set("organization_id", org)
	}
	var active []membership
	for range maxPages {
		var page listed[membership]
		if err := p.fetch(ctx, "list the memberships", "/user_management/organization_memberships?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		for _, m := range page.Data {
			if m.User == user && m.Status == string(usermanagement.Active) && (org == "" || m.Organization == org) {
				active = append(active, m)
			}
		}
		if page.Metadata.After == "" || len(page.Data) == 0 {
			break
		}
		query.Set("after", page.Metadata.After)
	}
	return active, nil
}

// permissions returns what roles may do in an organization, all together.
func (p *Provider) permissions(ctx context.Context, org string, roles []string) ([]string, error) {
	var page listed[roleSlug]
	if err := p.fetch(ctx, "list the roles of an organization", "/authorization/organizations/"+url.PathEscape(org)+"/roles", &page); err != nil {
		return nil, err
	}
	var all []string
	for _, role := range page.Data {
		if !slices.Contains(roles, role.Slug) {
			continue
		}
		for _, permission := range role.Permissions {
			if permission != "" && !slices.Contains(all, permission) {
				all = append(all, permission)
			}
		}
	}
	return all, nil
}

// fetch reads what the SDK has no call for. Errors are ErrUnavailable, and in the log.
func (p *Provider) fetch(ctx context.Context, what, path string, answer any) error {
	if f := p.get(ctx, what, path, answer); f != nil {
		return f.err()
	}
	return nil
}

// get is fetch for a caller who sees to the log.
func (p *Provider) get(ctx context.Context, what, path string, answer any) *failure {
	ctx, noted := withNote(ctx)
	err := func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.cfg.BaseURL+path, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+p.cfg.APIKey)
		res, err := p.users.HTTPClient.Do(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if err := workos_errors.TryGetHTTPError(res); err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return errors.New("the answer is no document")
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		return json.Unmarshal(body, answer)
	}()
	if err != nil {
		return p.failure(what, err, noted)
	}
	return nil
}
