package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// demoPolicy is the policy of the demo.
const demoPolicy = `role member {
				allow mcp tools echo add
			}
			role admin {
				inherit member
				allow mcp tools delete_everything
			}
			permission image_generation {
				allow mcp tools generateImage
			}`

// emulate starts the WorkOS emulator with two organizations and people in the first, in the second, and in none.
func emulate(t *testing.T) *peers.Emulator {
	return peers.WorkOS(t, peers.WorkOSSeed{
		Users: []peers.WorkOSUser{
			{Email: "alice@acme.test", FirstName: "Alice", EmailVerified: true},
			{Email: "bob@acme.test", FirstName: "Bob", EmailVerified: true},
			{Email: "mallory@other.test", FirstName: "Mallory", EmailVerified: true},
			{Email: "nobody@nowhere.test", FirstName: "Nobody", EmailVerified: true},
		},
		Organizations: []peers.WorkOSOrganization{{Name: "Acme"}, {Name: "Other"}},
		Permissions:   []peers.WorkOSPermission{{Slug: "image_generation", Name: "Make images"}},
		Roles: []peers.WorkOSRole{
			{Slug: "admin", Name: "Admin", Permissions: []string{"image_generation"}},
			{Slug: "member", Name: "Member"},
		},
		Memberships: []peers.WorkOSMembership{
			{Email: "alice@acme.test", Organization: "Acme", Role: "admin"},
			{Email: "bob@acme.test", Organization: "Acme", Role: "member"},
			{Email: "mallory@other.test", Organization: "Other", Role: "admin"},
		},
	})
}

// through is someone who signs in through the emulator.
func through(email string) map[string]string {
	return map[string]string{"decision": "allow", "login_hint": email}
}

func TestWorkOSRolesAndPermissionsDecideWhatAnAgentSees(t *testing.T) {
	emulator := emulate(t)
	g := startGateway(t, gatewayConfig{
		Identity: `identity workos {
			client_id {env.WORKOS_CLIENT_ID}
			api_key {env.WORKOS_API_KEY}
			organization ` + emulator.Organization(t, "Acme") + `
			base_url ` + emulator.URL + `
		}`,
		Policy: demoPolicy,
		Mounts: "mcp_gateway /mcp " + serveMCP(t, demo.Playground()),
		Env:    []string{"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=" + emulator.APIKey},
	})

	t.Run("in the organization, with the permission", func(t *testing.T) {
		alice := mustSignIn(t, g.origin+"/mcp", through("alice@acme.test"), "")
		if got, want := alice.tools(t), []string{"add", "delete_everything", "echo", "generateImage"}; !slices.Equal(got, want) {
			t.Errorf("alice sees %v, want %v", got, want)
		}
		if _, ok := alice.call(t, "generateImage", map[string]any{"prompt": "sea"}).Content[0].(*mcp.ImageContent); !ok {
			t.Error("alice gets no image")
		}
	})
	t.Run("in the organization, without the permission", func(t *testing.T) {
		bob := mustSignIn(t, g.origin+"/mcp", through("bob@acme.test"), "")
		if got, want := bob.tools(t), []string{"add", "echo"}; !slices.Equal(got, want) {
			t.Errorf("bob sees %v, want %v", got, want)
		}
		bob.refused(t, "generateImage", map[string]any{"prompt": "sea"})
	})
	for name, email := range map[string]string{"in another organization": "mallory@other.test", "in none": "nobody@nowhere.test"} {
		t.Run(name, func(t *testing.T) {
			agent, err := signIn(t.Context(), g.origin+"/mcp", through(email), "")
			if err == nil {
				t.Fatalf("%s came in and sees %v", email, agent.tools(t))
			}
			t.Log(err)
			if !strings.Contains(err.Error(), "403") && !strings.Contains(err.Error(), "access_denied") {
				t.Errorf("refused with %v", err)
			}
		})
	}
}

// TestDemoSignsInThroughWorkOS runs the demo as someone does who has set the variables of WorkOS' guides.
func TestDemoSignsInThroughWorkOS(t *testing.T) {
	emulator := emulate(t)
	dir, port := t.TempDir(), peers.FreePort(t)
	p := startProcess(t, dir, []string{
		"WORKOS_CLIENT_ID=" + emulator.ClientID, "WORKOS_API_KEY=", "WORKOS_CLIENT_SECRET=" + emulator.APIKey,
		"WORKOS_ORGANIZATION_ID=" + emulator.Organization(t, "Acme"),
	}, "mcp", "demo", "--port", port, "--workos-base-url", emulator.URL)
	origin := "http://localhost:" + port
	p.ready(origin)
	if greeting := p.printed("Ctrl-C"); !strings.Contains(greeting, origin+"/callback") || strings.Contains(greeting, "password") {
		t.Errorf("the demo greets with:\n%s", greeting)
	}
	alice := mustSignIn(t, origin+"/mcp", through("alice@acme.test"), "")
	if got, want := alice.tools(t), []string{"add", "delete_everything", "echo", "generateImage"}; !slices.Equal(got, want) {
		t.Errorf("alice sees %v, want %v", got, want)
	}
	if _, err := signIn(t.Context(), origin+"/mcp", through("mallory@other.test"), ""); err == nil {
		t.Error("mallory came in")
	}
}
