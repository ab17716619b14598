package workos

import (
	"strings"
	"time"
	"unicode/utf16"

	"github.com/workos/workos-go/v4/pkg/auditlogs"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
)

// Bounds that WorkOS sets to metadata.
const (
	maxKeys = 50
	maxText = 500 // characters of a value
)

// The actions of events. Each needs a schema in WorkOS before the first event of it.
const (
	actionTool     = "mcp.tool.call"
	actionPrompt   = "mcp.prompt.get"
	actionResource = "mcp.resource.read"
	actionMessage  = "mcp.message"
	actionLogin    = "mcp.login"
	actionConsent  = "mcp.consent"
	actionRevoke   = "mcp.revoke"
	actionAccess   = "mcp.access"
)

// Actions returns the actions that events can have, for which WorkOS needs schemas, with the targets of Targets.
func Actions() []string {
	return []string{actionTool, actionPrompt, actionResource, actionMessage, actionLogin, actionConsent, actionRevoke, actionAccess}
}

// The types of targets of events.
const (
	targetServer = "mcp_server"
	targetItem   = "mcp_item"
	targetGrant  = "mcp_grant"
	targetClient = "mcp_client"
)

// Targets returns the types of targets that events can have.
func Targets() []string { return []string{targetServer, targetItem, targetGrant, targetClient} }

// actions are those of the events that have one of their own.
var actions = map[string]string{
	"tools/call": actionTool, "prompts/get": actionPrompt, "resources/read": actionResource,
	"login": actionLogin, "consent": actionConsent, "revoke": actionRevoke,
}

// eventOf makes an event of a record. All that the audit log says of it is in the metadata, under the same names.
func eventOf(r *audit.Record, now time.Time) auditlogs.Event {
	e := auditlogs.Event{
		Action: actions[r.Event], OccurredAt: r.Time.UTC(), Actor: actorOf(r), Targets: targetsOf(r),
		Context:  auditlogs.Context{Location: "unknown", UserAgent: clip(r.ClientName)},
		Metadata: make(map[string]any),
	}
	switch {
	case e.Action == "" && r.Method != "":
		e.Action = actionMessage
	case e.Action == "":
		e.Action = actionAccess
	}
	if r.Time.IsZero() {
		e.OccurredAt = now.UTC()
	}
	for name, value := range audit.Fields(r) {
		if len(e.Metadata) == maxKeys {
			break
		}
		if fit, ok := metadata(value); ok {
			e.Metadata[name] = fit
		}
	}
	return e
}

// actorOf is who did it: a person, a client for itself, or somebody not known.
func actorOf(r *audit.Record) auditlogs.Actor {
	switch {
	case r.UserID != "":
		return auditlogs.Actor{Type: "user", ID: clip(strings.TrimPrefix(r.UserID, "workos:")), Name: clip(r.Email)}
	case r.ClientID != "":
		return auditlogs.Actor{Type: "client", ID: clip(r.ClientID), Name: clip(r.ClientName)}
	}
	return auditlogs.Actor{Type: "system", ID: "unknown"}
}

// targetsOf is what it was done to. An event has to have one at least.
func targetsOf(r *audit.Record) []auditlogs.Target {
	var all []auditlogs.Target
	add := func(kind, id, name string) {
		if id != "" {
			all = append(all, auditlogs.Target{Type: kind, ID: clip(id), Name: clip(name)})
		}
	}
	add(targetServer, r.Server, r.Server)
	if name := audit.Target(r); name != "" {
		add(targetItem, name, name)
	}
	add(targetGrant, r.GrantID, "")
	add(targetClient, r.ClientID, r.ClientName)
	if len(all) == 0 {
		add(targetServer, "gateway", "")
	}
	return all
}

// metadata makes a value fit to be one of metadata: a text, a number or a truth.
func metadata(value any) (any, bool) {
	switch v := value.(type) {
	case string:
		return clip(v), true
	case time.Duration:
		return v.Seconds(), true
	case []any:
		texts := make([]string, 0, len(v))
		for _, e := range v {
			if text, ok := e.(string); ok {
				texts = append(texts, text)
			}
		}
		return clip(strings.Join(texts, " ")), true
	case bool, int, int64, uint64, float64:
		return v, true
	}
	return nil, false
}

// clip cuts a text to as many characters as WorkOS takes, and shows that it did. How it counts them is not said: in UTF-16, as JavaScript
// does, there are the most.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	count, end := 0, -1
	for i, c := range s {
		count += utf16.RuneLen(c)
		if count >= maxText && end < 0 {
			end = i
		}
		if count > maxText {
			return s[:end] + "…"
		}
	}
	return s
}
