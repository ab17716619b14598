package caddymodule

import (
	"reflect"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// withMembers is an app whose policy lets members do some things at the server docs.
func withMembers(t *testing.T) *App {
	t.Helper()
	document, err := policy.Parse("policy.yaml", []byte(`
roles:
  member:
    allow:
      - {server: docs, tools: ["get_*", search], prompts: ["*"], resources: ["docs://**"], templates: ["docs://{page}"]}
    deny:
      - tools: [get_secret]
`))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	app := &App{policy: new(policySource), shared: new(runtime), now: time.Now}
	app.policy.state.Store(&policyState{policy: compiled})
	return app
}

func TestConsentPageSaysWhatThePolicyAllows(t *testing.T) {
	app := withMembers(t)
	member := &policy.Subject{ID: "local:alice", Roles: []string{"member"}}
	got, nothing := app.abilities(member, oauth.Resource{Server: "docs"})
	want := []pages.Ability{
		{Title: "Use these tools", Items: []string{"get_*", "search"}, Except: []string{"get_secret"}},
		{Title: "Use every prompt"},
		{Title: "Read these resources", Items: []string{"docs://**"}},
		{Title: "Read what these templates of resources name", Items: []string{"docs://{page}"}},
	}
	if nothing || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (nothing: %v), want %+v", got, nothing, want)
	}
	if got, nothing := app.abilities(member, oauth.Resource{Server: "mail"}); !nothing || len(got) != 0 {
		t.Errorf("at another server: got %+v (nothing: %v)", got, nothing)
	}
}
