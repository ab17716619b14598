package caddymodule

import (
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Nobody can choose among what they may not use; what the policy names by a glob is not known while the server can't be asked.
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

// Where the server can be asked, people choose among the tools it has, as far as their role shows them; who may use none asks it for none.
func TestOffersAreWhatTheServerHas(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Protocol-Version") == "2026-07-28" {
			http.Error(w, "no such version", http.StatusBadRequest)
			return
		}
		answerRPC(w, r)
	})
	startGateway(t, gatewayConfig{Site: "mcp_gateway /files " + upstream.URL + "/api/mcp {\n trust annotations\n }"})
	app := running.newest()
	files := oauth.Resource{Server: "files", Mount: "/files"}
	if got := app.offers(t.Context(), &policy.Subject{ID: "local:nobody"}, files); len(got.Tools) != 0 || got.Partial || len(upstream.requests()) != 0 {
		t.Errorf("who may use nothing is offered %+v", got)
	}
	got := app.offers(t.Context(), &policy.Subject{ID: "local:alice", Roles: []string{"member"}}, files)
	var names []string
	for _, tool := range got.Tools {
		names = append(names, tool.Name)
	}
	if got.Partial || len(names) != 2 || slices.Contains(names, "delete_everything") {
		t.Errorf("offered %+v", got)
	}
	if !app.trusted(files) || app.trusted(oauth.Resource{Server: "nothere"}) {
		t.Error("which servers are trusted is not known")
	}
}
