package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/workos/workos-go/v4/pkg/organizations"
	"github.com/workos/workos-go/v4/pkg/usermanagement"
)

// WorkOSSeed is what an emulated WorkOS environment starts with. Users and organizations get ids of their own; the
// emulator's seed file can't name those in memberships, so they are made through the API afterwards.
type WorkOSSeed struct {
	Users         []WorkOSUser         `json:"users"`
	Organizations []WorkOSOrganization `json:"organizations"`
	Permissions   []WorkOSPermission   `json:"permissions"`
	Roles         []WorkOSRole         `json:"roles"`
	Memberships   []WorkOSMembership   `json:"-"`
}

// WorkOSUser is a person of the emulated environment.
type WorkOSUser struct {
	Email         string              `json:"email"`
	FirstName     string              `json:"first_name,omitempty"`
	LastName      string              `json:"last_name,omitempty"`
	EmailVerified bool                `json:"email_verified"`
	Impersonator  *WorkOSImpersonator `json:"impersonator,omitempty"`
}

// WorkOSImpersonator makes every session of a user one of somebody else acting as them.
type WorkOSImpersonator struct {
	Email  string `json:"email"`
	Reason string `json:"reason"`
}

// WorkOSOrganization is an organization of the emulated environment.
type WorkOSOrganization struct {
	Name string `json:"name"`
}

// WorkOSPermission is a permission roles may have.
type WorkOSPermission struct {
	Slug string `json:"slug"`
	Name string `json:"name"`
}

// WorkOSRole is a role memberships may have, with slugs of permissions.
type WorkOSRole struct {
	Slug        string   `json:"slug"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions,omitempty"`
}

// WorkOSMembership makes the user with an e-mail address a member of the organization with a name.
type WorkOSMembership struct{ Email, Organization, Role string }

// Emulator is WorkOS' official emulator. Its authorization endpoint signs in whoever login_hint names, without a page
// and without an organization.
type Emulator struct {
	// URL is the API's base URL and the issuer of session tokens.
	URL string
	// APIKey and ClientID are what it accepts; the client id is not checked by it.
	APIKey, ClientID string
	// Users and Organizations are for changing the environment in the middle of a test.
	Users         *usermanagement.Client
	Organizations *organizations.Client
	process       *process
}

// WorkOS starts an emulator on a free port, waits until it answers, and stops it at the end of the test.
func WorkOS(t testing.TB, seed WorkOSSeed) *Emulator {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seed.json")
	data, err := json.Marshal(seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(NPM(t), "node_modules", "workos", "dist", "bin.js")
	// The port is free now; should somebody take it before the emulator does, another one is tried.
	for range 3 {
		port := FreePort(t)
		e := &Emulator{
			URL:           "http://localhost:" + port,
			APIKey:        "sk_test_default",
			ClientID:      "client_emulated",
			Users:         usermanagement.NewClient("sk_test_default"),
			Organizations: &organizations.Client{APIKey: "sk_test_default"},
		}
		e.Users.Endpoint, e.Organizations.Endpoint = e.URL, e.URL
		e.process = start(t, Node(t), script, "emulate", "--json", "--port", port, "--seed", file)
		if !e.process.ready(e.URL + "/health") {
			e.process.stop()
			continue
		}
		for _, m := range seed.Memberships {
			e.AddMember(t, m.Email, m.Organization, m.Role)
		}
		return e
	}
	t.Fatal("the WorkOS emulator does not start")
	return nil
}

// Stop ends the emulator before the test ends.
func (e *Emulator) Stop() { e.process.stop() }

// User returns the id of the user with an e-mail address.
func (e *Emulator) User(t testing.TB, email string) string {
	t.Helper()
	list, err := e.Users.ListUsers(context.Background(), usermanagement.ListUsersOpts{Email: email, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range list.Data {
		if u.Email == email {
			return u.ID
		}
	}
	t.Fatalf("the emulator has no user %s", email)
	return ""
}

// Organization returns the id of the organization with a name.
func (e *Emulator) Organization(t testing.TB, name string) string {
	t.Helper()
	list, err := e.Organizations.ListOrganizations(context.Background(), organizations.ListOrganizationsOpts{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Data {
		if o.Name == name {
			return o.ID
		}
	}
	t.Fatalf("the emulator has no organization %s", name)
	return ""
}

// AddMember makes a user a member of an organization and returns the membership's id.
func (e *Emulator) AddMember(t testing.TB, email, organization, role string) string {
	t.Helper()
	m, err := e.Users.CreateOrganizationMembership(context.Background(), usermanagement.CreateOrganizationMembershipOpts{
		UserID: e.User(t, email), OrganizationID: e.Organization(t, organization), RoleSlug: role,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

// Member returns the id of a membership.
func (e *Emulator) Member(t testing.TB, email, organization string) string {
	t.Helper()
	list, err := e.Users.ListOrganizationMemberships(context.Background(), usermanagement.ListOrganizationMembershipsOpts{
		UserID: e.User(t, email), OrganizationID: e.Organization(t, organization), Limit: 100,
	})
	if err == nil && len(list.Data) != 1 {
		err = fmt.Errorf("%s has %d memberships of %s", email, len(list.Data), organization)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list.Data[0].ID
}

// SetRole changes the role of a member.
func (e *Emulator) SetRole(t testing.TB, email, organization, role string) {
	t.Helper()
	_, err := e.Users.UpdateOrganizationMembership(context.Background(), e.Member(t, email, organization),
		usermanagement.UpdateOrganizationMembershipOpts{RoleSlug: role})
	if err != nil {
		t.Fatal(err)
	}
}

// RemoveMember ends a membership.
func (e *Emulator) RemoveMember(t testing.TB, email, organization string) {
	t.Helper()
	err := e.Users.DeleteOrganizationMembership(context.Background(), usermanagement.DeleteOrganizationMembershipOpts{
		OrganizationMembership: e.Member(t, email, organization),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Webhook has every event sent to an address, signed with a secret.
func (e *Emulator) Webhook(t testing.TB, address, secret string) {
	t.Helper()
	e.request(t, http.MethodPost, "/webhook_endpoints", map[string]any{"endpoint_url": address, "secret": secret}, nil)
}

// RevokeSessions revokes all sessions of a user, and reports how many there were. (The emulator goes on honouring their refresh tokens, which WorkOS
// does not.)
func (e *Emulator) RevokeSessions(t testing.TB, email string) int {
	t.Helper()
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	e.request(t, http.MethodGet, "/user_management/users/"+e.User(t, email)+"/sessions", nil, &list)
	for _, session := range list.Data {
		if err := e.Users.RevokeSession(context.Background(), usermanagement.RevokeSessionOpts{SessionID: session.ID}); err != nil {
			t.Fatal(err)
		}
	}
	return len(list.Data)
}

// request makes a request that the SDK has no call for.
func (e *Emulator) request(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, e.URL+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e.APIKey)
	r.Header.Set("Content-Type", "application/json")
	if method == http.MethodGet {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s", method, path, res.Status)
	}
	if answer != nil {
		err = json.NewDecoder(res.Body).Decode(answer)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// AuditActions returns the names of the audit actions that have a schema, sorted.
func (e *Emulator) AuditActions(t testing.TB) []string {
	t.Helper()
	var list struct {
		Data []struct {
			Name string `json:"name"`
		} `json:"data"`
	}
	e.request(t, http.MethodGet, "/audit_logs/actions?limit=100", nil, &list)
	var names []string
	for _, action := range list.Data {
		names = append(names, action.Name)
	}
	slices.Sort(names)
	return names
}
