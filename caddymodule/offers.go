package caddymodule

import (
	"context"
	"slices"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// offers lists the tools that a person can choose among for an agent at a resource: of those that the server has, the ones that the policy
// shows them. While the server can't be asked, they are those that the policy names.
func (app *App) offers(ctx context.Context, subject *policy.Subject, resource oauth.Resource) (offers oauth.Offers) {
	view := app.currentPolicy().View(subject, resource.Server)
	facts := policy.Facts{Subject: subject, Now: app.now()}
	names, partial := toolNames(view)
	if len(names) == 0 && !partial {
		return offers // whatever the server has
	}
	listed, err := app.toolsOf(ctx, resource.Server)
	if err != nil {
		listed, offers.Partial = named(names), partial
	}
	trusted := app.trusted(resource)
	for _, tool := range listed {
		facts.Tool = policy.Annotations{}
		offer := oauth.Offer{Name: tool.Name}
		if tool.Tool != nil {
			offer.Title, offer.ReadOnly = tool.Tool.Title, tool.Tool.Annotations.ReadOnly
			if trusted {
				facts.Tool = tool.Tool.Annotations
			}
		}
		if view.Judge(policy.Tool, tool.Name, &facts).Allowed {
			offers.Tools = append(offers.Tools, offer)
		}
	}
	return offers
}

// toolNames returns the tools that a view allows by their names, and reports whether it may allow others by a glob.
func toolNames(view *policy.View) (names []string, globs bool) {
	for _, ability := range view.Describe() {
		if ability.Kind == policy.Tool {
			names = slices.DeleteFunc(slices.Clone(ability.Allowed), isGlob)
			globs = len(names) < len(ability.Allowed)
		}
	}
	return names, globs
}

// named are tools of which the names alone are known.
func named(names []string) []catalog.Offer {
	offers := make([]catalog.Offer, len(names))
	for i, name := range names {
		offers[i].Name = name
	}
	return offers
}

// isGlob reports whether a name in a policy may stand for several.
func isGlob(name string) bool { return strings.Contains(name, "*") }

// trusted reports whether what a server says of its tools counts.
func (app *App) trusted(resource oauth.Resource) bool {
	return slices.ContainsFunc(app.handlers[resource.Server], func(h *Handler) bool {
		trusted, err := trusts(h.Trust)
		return h.Mount == resource.Mount && err == nil && trusted
	})
}
