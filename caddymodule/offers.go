package caddymodule

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// offers lists the tools that a person can choose among for an agent at a resource: those that the policy shows them. Without the server's
// own list, they are those that the policy names.
func (app *App) offers(_ context.Context, subject *policy.Subject, resource oauth.Resource) (offers oauth.Offers) {
	view := app.currentPolicy().View(subject, resource.Server)
	facts := policy.Facts{Subject: subject, Now: time.Now()}
	for _, ability := range view.Describe() {
		if ability.Kind != policy.Tool {
			continue
		}
		offers.Partial = slices.ContainsFunc(ability.Allowed, isGlob)
		for _, name := range ability.Allowed {
			if !isGlob(name) && view.Judge(policy.Tool, name, &facts).Allowed {
				offers.Tools = append(offers.Tools, oauth.Offer{Name: name})
			}
		}
	}
	return offers
}

// isGlob reports whether a name in a policy may stand for several.
func isGlob(name string) bool { return strings.Contains(name, "*") }
