package workos

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	// eventsInterval is how often the events are asked for: a session that is revoked has to be felt within five seconds. WorkOS allows
	// a thousand reads in ten.
	eventsInterval = 2 * time.Second
	// eventsBesideWebhooks is how often, where webhooks say most of it sooner.
	eventsBesideWebhooks = 30 * time.Second
	// eventsPage is how many events are read at once: so few that the answer stays below maxAnswer.
	eventsPage = 50
	// eventsTime is how the API writes times.
	eventsTime = "2006-01-02T15:04:05.000Z"
)

// followed are the events that mean something to people who have granted something, see event.notices.
var followed = []string{
	"session.revoked", "user.deleted",
	"organization_membership.created", "organization_membership.updated", "organization_membership.deleted", "organization.deleted",
	"role.created", "role.updated", "role.deleted",
	"organization_role.created", "organization_role.updated", "organization_role.deleted",
	"permission.created", "permission.updated", "permission.deleted",
}

var _ identity.Feed = (*Provider)(nil)

// FeedInterval implements identity.Feed.
func (p *Provider) FeedInterval() time.Duration {
	if p.cfg.WebhookSecret != "" {
		return eventsBesideWebhooks
	}
	return eventsInterval
}

// Since implements identity.Feed by the Events API, whose events have the ids of the webhooks that say the same. The SDK's call has no
// order, without which it is not said which way `after` goes.
func (p *Provider) Since(ctx context.Context, after string, from time.Time) ([]identity.Message, bool, error) {
	query := url.Values{"events[]": followed, "order": {"asc"}, "limit": {strconv.Itoa(eventsPage)}}
	if after != "" {
		query.Set("after", after)
	} else {
		query.Set("range_start", from.UTC().Format(eventsTime))
	}
	var page listed[json.RawMessage]
	if f := p.get(ctx, "read the events", "/events?"+query.Encode(), &page); f != nil {
		return nil, false, f.unavailable()
	}
	var messages []identity.Message
	for _, raw := range page.Data {
		var e event
		// Of an event of another form, what can be read is: the id, to go on after it.
		err := json.Unmarshal(raw, &e)
		if e.ID == "" || len(e.ID) > maxEventID {
			continue
		}
		m := e.message(p.now().Add(tolerance))
		if err != nil || after == "" && m.At.Before(from) {
			m.Notices = nil
		}
		messages = append(messages, *m)
	}
	return messages, page.Metadata.After != "" && len(messages) > 0, nil
}
