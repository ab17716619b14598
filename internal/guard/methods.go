package guard

import "github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"

// eras says in which kind of revision a method exists.
type eras uint8

const (
	early  eras = 1 << iota // 2025-06-18 and earlier
	tasked                  // 2025-11-25, which has tasks
	modern                  // 2026-07-28 and later, which have no sessions, and tasks of another kind
	legacy = early | tasked
	always = legacy | modern
)

// target says what a request names, and so what the policy is asked about.
type target uint8

const (
	nothing   target = iota
	tool             // params.name
	prompt           // params.name
	resource         // params.uri
	reference        // params.ref: a prompt, or a resource template
	watches          // params.notifications.resourceSubscriptions: resources
	aTask            // params.taskId
)

// method is what the guard knows of a method that a client may send.
type method struct {
	kind   jsonrpc.Kind
	eras   eras
	target target
	named  bool // revision 2026-07-28 requires Mcp-Name
}

// methodCancelled says that a request is not waited for any more.
const methodCancelled = "notifications/cancelled"

// methodListen opens a subscription, and methodAcknowledged is the first message of one.
const (
	methodListen       = "subscriptions/listen"
	methodAcknowledged = "notifications/subscriptions/acknowledged"
)

// methods has every method of every revision that a client may send. A method of
// the specification that is not here is not offered, even if the policy's list of
// further methods has its name: see withheld.
var methods = map[string]method{
	"initialize":      {kind: jsonrpc.Request, eras: legacy},
	"ping":            {kind: jsonrpc.Request, eras: legacy},
	"server/discover": {kind: jsonrpc.Request, eras: modern},

	"tools/list": {kind: jsonrpc.Request, eras: always},
	"tools/call": {kind: jsonrpc.Request, eras: always, target: tool, named: true},

	"prompts/list": {kind: jsonrpc.Request, eras: always},
	"prompts/get":  {kind: jsonrpc.Request, eras: always, target: prompt, named: true},

	"resources/list":           {kind: jsonrpc.Request, eras: always},
	"resources/templates/list": {kind: jsonrpc.Request, eras: always},
	"resources/read":           {kind: jsonrpc.Request, eras: always, target: resource, named: true},
	"resources/subscribe":      {kind: jsonrpc.Request, eras: legacy, target: resource},
	"resources/unsubscribe":    {kind: jsonrpc.Request, eras: legacy, target: resource},

	"completion/complete": {kind: jsonrpc.Request, eras: always, target: reference},
	methodListen:          {kind: jsonrpc.Request, eras: modern, target: watches},
	"logging/setLevel":    {kind: jsonrpc.Request, eras: legacy},

	"tasks/get":    {kind: jsonrpc.Request, eras: tasked | modern, target: aTask, named: true},
	"tasks/cancel": {kind: jsonrpc.Request, eras: tasked | modern, target: aTask, named: true},
	"tasks/result": {kind: jsonrpc.Request, eras: tasked, target: aTask},
	"tasks/list":   {kind: jsonrpc.Request, eras: tasked},
	"tasks/update": {kind: jsonrpc.Request, eras: modern, target: aTask, named: true},

	"notifications/tasks/status":       {kind: jsonrpc.Notification, eras: tasked}, // of a task that the client runs
	"notifications/initialized":        {kind: jsonrpc.Notification, eras: legacy},
	"notifications/cancelled":          {kind: jsonrpc.Notification, eras: always},
	"notifications/progress":           {kind: jsonrpc.Notification, eras: legacy},
	"notifications/roots/list_changed": {kind: jsonrpc.Notification, eras: legacy},
}

// withheld are the methods of the specification and its extensions that only some
// revisions have, and those that only a server sends. No policy lets them pass.
var withheld = set(
	"tasks/get", "tasks/list", "tasks/result", "tasks/cancel", "tasks/update",
	"notifications/tasks/status", "notifications/tasks",
	"sampling/createMessage", "elicitation/create", "roots/list",
	"notifications/message", "notifications/elicitation/complete",
	"notifications/tools/list_changed", "notifications/prompts/list_changed",
	"notifications/resources/list_changed", "notifications/resources/updated",
	methodAcknowledged,
)

// asks are the requests a server may send a client on a stream. From 2026-07-28 on
// there are none: they travel within results.
// Those about tasks are about what the client runs for the server.
var asks = set(
	"ping", "sampling/createMessage", "elicitation/create", "roots/list",
	"tasks/get", "tasks/result", "tasks/list", "tasks/cancel",
)

// tells are the notifications a server may send a client.
var tells = set(
	"notifications/cancelled",
	"notifications/progress",
	"notifications/message",
	"notifications/elicitation/complete",
	"notifications/tools/list_changed",
	"notifications/prompts/list_changed",
	"notifications/resources/list_changed",
	"notifications/resources/updated",
	methodAcknowledged,
	"notifications/tasks/status",
	"notifications/tasks",
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}
