package jsonrpc

// specified has the methods and notifications of every revision from 2024-11-05
// to 2026-07-28 and of the tasks extension. Their params are read strictly; and
// a message of one of them needs no copy of its method's name.
var specified = func(methods ...string) map[string]string {
	m := make(map[string]string, len(methods))
	for _, method := range methods {
		m[method] = method
	}
	return m
}(
	"completion/complete",
	"elicitation/create",
	"initialize",
	"logging/setLevel",
	"ping",
	"prompts/get",
	"prompts/list",
	"resources/list",
	"resources/read",
	"resources/subscribe",
	"resources/templates/list",
	"resources/unsubscribe",
	"roots/list",
	"sampling/createMessage",
	"server/discover",
	"subscriptions/listen",
	"tasks/cancel",
	"tasks/get",
	"tasks/list",
	"tasks/result",
	"tasks/update",
	"tools/call",
	"tools/list",
	"notifications/cancelled",
	"notifications/elicitation/complete",
	"notifications/initialized",
	"notifications/message",
	"notifications/progress",
	"notifications/prompts/list_changed",
	"notifications/resources/list_changed",
	"notifications/resources/updated",
	"notifications/roots/list_changed",
	"notifications/subscriptions/acknowledged",
	"notifications/tasks",
	"notifications/tasks/status",
	"notifications/tools/list_changed",
)

// envelope has the members of JSON-RPC 2.0 messages. No other is accepted: MCP
// defines none, and the SDKs' servers refuse them.
var envelope = NewNames("jsonrpc", "id", "method", "params", "result", "error")

// paramNames has every member that the specified methods have in their params.
var paramNames = NewNames(
	"_meta", "argument", "arguments", "capabilities", "clientInfo", "context",
	"cursor", "inputResponses", "level", "message", "name", "notifications",
	"progress", "progressToken", "protocolVersion", "reason", "ref", "requestId",
	"requestState", "task", "taskId", "total", "uri",
)

// Keys of _meta that a gateway judges.
const (
	metaProtocolVersion = "io.modelcontextprotocol/protocolVersion"
	metaRelatedTask     = "io.modelcontextprotocol/related-task"
)

var (
	metaNames = NewNames(
		metaProtocolVersion, metaRelatedTask, "progressToken",
		"io.modelcontextprotocol/clientInfo",
		"io.modelcontextprotocol/clientCapabilities",
		"io.modelcontextprotocol/logLevel",
		"io.modelcontextprotocol/subscriptionId",
	)
	taskNames   = NewNames("taskId")
	refNames    = NewNames("type", "name", "uri")
	listenNames = NewNames("toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds")
	resultNames = NewNames("_meta", "task", "taskId", "tasks")
)
