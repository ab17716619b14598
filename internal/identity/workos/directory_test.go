package workos

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// The emulator has roles in memberships, but not what the roles may do.
func TestLookupFindsTheRoleInTheAcceptedOrganization(t *testing.T) {
	e := emulate(t)
	p := emulated(t, e, nil)
	acme, other := e.Organization(t, "Acme"), e.Organization(t, "Other")
	for email, role := range map[string]string{insider: "artist", everywhere: "member"} {
		person, err := p.Lookup(t.Context(), e.User(t, email), "")
		if err != nil || person.Email != email || person.Org != acme || person.OrgName != "Acme" || !slices.Equal(person.Roles, []string{role}) ||
			person.Session != nil || person.ID != e.User(t, email) {
			t.Errorf("%s: %+v, %v", email, person, err)
		}
	}
	for what, who := range map[string][2]string{
		"in another organization":            {e.User(t, outsider), ""},
		"in none":                            {e.User(t, homeless), ""},
		"in an organization not accepted":    {e.User(t, everywhere), other},
		"who does not exist":                 {"user_01", ""},
		"whose id leads elsewhere":           {"../organizations", ""},
		"who is a machine":                   {"client_01", ""},
		"not a member of what the token has": {e.User(t, outsider), acme},
	} {
		if person, err := p.Lookup(t.Context(), who[0], who[1]); !errors.Is(err, identity.ErrDenied) {
			t.Errorf("somebody %s: %+v, %v", what, person, err)
		}
	}
	e.SetRole(t, insider, "Acme", "admin")
	if person, err := p.Lookup(t.Context(), e.User(t, insider), acme); err != nil || !slices.Equal(person.Roles, []string{"admin"}) {
		t.Errorf("after a change: %+v, %v", person, err)
	}
	e.RemoveMember(t, insider, "Acme")
	if person, err := p.Lookup(t.Context(), e.User(t, insider), acme); !errors.Is(err, identity.ErrDenied) {
		t.Errorf("after the membership: %+v, %v", person, err)
	}
	e.Stop()
	if person, err := p.Lookup(t.Context(), "user_1", acme); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("while WorkOS is down: %+v, %v", person, err)
	}
}

func TestLookupBringsThePermissionsOfAllRoles(t *testing.T) {
	f := newFake(t)
	several := member("org_1", "active")
	several["roles"] = []map[string]any{{"slug": "member"}, {"slug": "artist"}}
	f.memberships = []map[string]any{member("org_2", "inactive"), several}
	f.roles = []map[string]any{
		{"slug": "artist", "permissions": []string{"draw", "paint"}}, {"slug": "member", "permissions": []string{"read", "draw"}},
		{"slug": "admin", "permissions": []string{"delete"}},
	}
	p := f.provider(nil)
	person, err := p.Lookup(t.Context(), "user_1", "")
	if err != nil || person.Org != "org_1" || !slices.Equal(person.Roles, []string{"member", "artist"}) ||
		!slices.Equal(person.Permissions, []string{"draw", "paint", "read"}) || person.Email != "alice@acme.test" || person.Name != "Alice Jones" {
		t.Errorf("%+v, %v", person, err)
	}
	if _, err := p.Lookup(t.Context(), "user_1", "org_2"); !errors.Is(err, identity.ErrDenied) {
		t.Errorf("by an inactive membership: %v", err)
	}
	f.listStatus = http.StatusInternalServerError
	if _, err := p.Lookup(t.Context(), "user_1", ""); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("in trouble: %v", err)
	}
}
