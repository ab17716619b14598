package caddymodule

import (
	"reflect"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Nobody can choose among what they may not use; what the policy names by a glob is not known without the server.
func TestOffersAreWhatThePolicyNames(t *testing.T) {
	app := withMembers(t)
	member := &policy.Subject{ID: "local:alice", Roles: []string{"member"}}
	want := oauth.Offers{Tools: []oauth.Offer{{Name: "search"}}, Partial: true}
	if got := app.offers(t.Context(), member, oauth.Resource{Server: "docs"}); !reflect.DeepEqual(got, want) {
		t.Errorf("offered %+v, want %+v", got, want)
	}
	for name, subject := range map[string]*policy.Subject{"mail": member, "docs": {ID: "local:bob"}} {
		if got := app.offers(t.Context(), subject, oauth.Resource{Server: name}); len(got.Tools) != 0 || got.Partial {
			t.Errorf("%s at %s is offered %+v", subject.ID, name, got)
		}
	}
}
