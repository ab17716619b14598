package guard

import (
	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/sse"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// lists is a set of the lists of which a client can be told that they changed.
type lists uint8

const (
	listOfTools lists = 1 << iota
	listOfPrompts
	listOfResources // and of resource templates: there is one notification for both

	allLists = listOfTools | listOfPrompts | listOfResources
)

// listKinds are the names that each list has in the protocol.
var listKinds = [...]struct {
	list   lists
	method string // of the notification that it changed
	filter string // in the filter of subscriptions/listen
}{
	{listOfTools, "notifications/tools/list_changed", "toolsListChanged"},
	{listOfPrompts, "notifications/prompts/list_changed", "promptsListChanged"},
	{listOfResources, "notifications/resources/list_changed", "resourcesListChanged"},
}

// filters returns the names of lists in the filter of subscriptions/listen.
func (l lists) filters() (names []string) {
	for _, kind := range listKinds {
		if l&kind.list != 0 {
			names = append(names, kind.filter)
		}
	}
	return names
}

// metaSubscription is the member of _meta, as JSON, by which a client knows which of its subscriptions a message is of.
const metaSubscription = `"io.modelcontextprotocol/subscriptionId"`

// sights stand for all that a caller sees, by kind, and are zero where nothing is hidden.
type sights [4]policy.Sight

// sights returns what the caller sees now, and whether there still is a caller.
func (x *exchange) sights() (s sights, known bool) {
	view, subject, observe := x.standing()
	switch {
	case subject == nil:
		return s, false
	case observe:
		return sights{x.withPins(policy.Sight{1}), {1}, {1}, {1}}, true
	}
	f := policy.Facts{Subject: subject, Now: x.g.cfg.Now()}
	for k := range s {
		s[k] = view.SightBy(policy.Kind(k), &f)
	}
	s[policy.Tool] = x.withPins(s[policy.Tool])
	return s, true
}

// changed returns the lists that may differ between what was seen and what is.
func (s sights) changed(now sights) (changed lists) {
	if s[policy.Tool] != now[policy.Tool] {
		changed |= listOfTools
	}
	if s[policy.Prompt] != now[policy.Prompt] {
		changed |= listOfPrompts
	}
	if s[policy.Resource] != now[policy.Resource] || s[policy.Template] != now[policy.Template] {
		changed |= listOfResources
	}
	return changed
}

// news appends the notifications of lists that have changed since the client was last told. Which of the lists the server
// has is not known here: one that it has not costs the client a message that means nothing to it.
func (l *Live) news(dst []byte) []byte {
	now, known := l.x.sights()
	if !known {
		return dst
	}
	changed := l.x.g.audiences.tell(l, now)
	for _, kind := range listKinds {
		if changed&kind.list == 0 {
			continue
		}
		msg := `{"jsonrpc":"2.0","method":"` + kind.method + `"`
		if l.id != nil {
			msg += `,"params":{"_meta":{` + metaSubscription + `:` + string(l.id) + `}}`
		}
		dst = sse.Append(dst, sse.Event{Name: "message", Data: append([]byte(msg), '}'), HasData: true})
	}
	return dst
}

// wanted returns the lists that a subscription asks for.
func wanted(p *jsonrpc.Params) (l lists) {
	if p.ToolsChanged {
		l |= listOfTools
	}
	if p.PromptsChanged {
		l |= listOfPrompts
	}
	if p.ResourcesChanged {
		l |= listOfResources
	}
	return l
}
