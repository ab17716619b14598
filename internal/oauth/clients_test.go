package oauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// known finds a client of the list.
func (f *fixture) known(id string) *Client {
	f.t.Helper()
	clients, err := f.server.Clients(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	if !slices.IsSortedFunc(clients, func(a, b Client) int { return strings.Compare(a.ID, b.ID) }) {
		f.t.Error("they are not in order")
	}
	for i := range clients {
		if clients[i].ID == id {
			return &clients[i]
		}
	}
	return nil
}

func TestOperatorsSeeEveryClient(t *testing.T) {
	f := newFixture(t, nil)
	if c := f.known("portal"); c == nil || c.Name != "The Portal" || c.Origin != ClientStatic || c.Grants != 0 || !c.Created.IsZero() {
		t.Errorf("a client of the config: %+v", c)
	}
	id, _ := f.newTokens()
	if c := f.known(id); c == nil || c.Name != "Test Agent" || c.Origin != ClientRegistered || c.Grants != 1 || c.Created.IsZero() ||
		!slices.Equal(c.RedirectURIs, []string{testRedirect}) {
		t.Errorf("a client that registered: %+v", c)
	}
}

func TestOperatorsSeeClientsOfDocumentsThatHaveGrants(t *testing.T) {
	f := newFixture(t, nil)
	id, answer := f.newTokens()
	access, err := f.call(answer.Access, testResource)
	if err != nil {
		t.Fatal(err)
	}
	const document = "https://vendor.example/client.json"
	if _, err := f.server.updateGrant(t.Context(), access.GrantID, func(g *grantRecord) error {
		g.Client, g.Domain, g.ClientName = document, "vendor.example", "Vendor"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if c := f.known(document); c == nil || c.Origin != ClientDocument || c.Name != "Vendor" || c.Grants != 1 {
		t.Errorf("%+v", c)
	}
	if c := f.known(id); c == nil || c.Grants != 0 {
		t.Errorf("%+v", c)
	}
	if ended, err := f.server.EndClient(t.Context(), document); ended != 1 || err != nil {
		t.Errorf("%d ended, %v", ended, err)
	}
	if f.known(document) != nil {
		t.Error("it is there still")
	}
}

func TestAClientThatIsEndedHasNothingLeft(t *testing.T) {
	f := newFixture(t, nil)
	id, answer := f.newTokens()
	_, other := f.newTokens()
	if ended, err := f.server.EndClient(t.Context(), id); ended != 1 || err != nil {
		t.Fatalf("%d ended, %v", ended, err)
	}
	if _, err := f.call(answer.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("its access token: %v", err)
	}
	if a := f.read(f.post("/token", refreshForm(id, answer.Refresh))); a.Status != http.StatusUnauthorized || a.Error != codeInvalidClient {
		t.Errorf("its refresh token: %+v", a)
	}
	if _, err := f.call(other.Access, testResource); err != nil {
		t.Errorf("another client: %v", err)
	}
	records := f.audit.find("revoke", decisionAllow)
	if len(records) != 1 || records[0].ClientID != id || records[0].Reason != operatorEnded || records[0].UserID == "" || records[0].Server != "github" {
		t.Errorf("%+v", records)
	}
	if ended, err := f.server.EndClient(t.Context(), id); ended != 0 || !errors.Is(err, ErrNoClient) {
		t.Errorf("again: %d ended, %v", ended, err)
	}
	if ended, err := f.server.EndClient(t.Context(), "portal"); ended != 0 || err != nil || f.known("portal") == nil {
		t.Errorf("one of the config, without grants: %d ended, %v", ended, err)
	}
}

func TestAnOperatorEndsAGrantOnRecord(t *testing.T) {
	f := newFixture(t, nil)
	_, answer := f.newTokens()
	access, err := f.call(answer.Access, testResource)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := f.server.Grant(t.Context(), access.GrantID)
	if err != nil || grant.UserID == "" || grant.Resource != testResource {
		t.Fatalf("%+v %v", grant, err)
	}
	if err := f.server.EndGrant(t.Context(), access.GrantID); err != nil {
		t.Fatal(err)
	}
	if records := f.audit.find("revoke", decisionAllow); len(records) != 1 || records[0].GrantID != access.GrantID {
		t.Errorf("%+v", records)
	}
	if _, err := f.server.Grant(t.Context(), access.GrantID); !errors.Is(err, ErrNoGrant) {
		t.Errorf("it is there still: %v", err)
	}
	if err := f.server.EndGrant(t.Context(), access.GrantID); !errors.Is(err, ErrNoGrant) {
		t.Errorf("again: %v", err)
	}
}
