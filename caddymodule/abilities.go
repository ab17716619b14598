package caddymodule

import (
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// abilityTitles say what may be done with all things of a kind, and with some of them.
var abilityTitles = map[policy.Kind]struct{ all, some string }{
	policy.Tool:     {"Use every tool", "Use these tools"},
	policy.Prompt:   {"Use every prompt", "Use these prompts"},
	policy.Resource: {"Read every resource", "Read these resources"},
	policy.Template: {"Read what every template of resources names", "Read what these templates of resources name"},
}

// abilities says in plain words what a person could do at a resource, for the consent page. It asks the policy that will
// also decide.
func (app *App) abilities(subject *policy.Subject, resource oauth.Resource) (abilities []pages.Ability, nothing bool) {
	view := app.currentPolicy().View(subject, resource.Server)
	for _, ability := range view.Describe() {
		title := abilityTitles[ability.Kind]
		page := pages.Ability{Title: title.some, Items: ability.Allowed, Except: ability.Denied}
		if ability.All() {
			page.Title, page.Items = title.all, nil
		}
		abilities = append(abilities, page)
	}
	return abilities, view.Empty()
}
