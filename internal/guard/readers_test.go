package guard

import (
	"io"
	"net/http"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// kinds are what the lists of a result hold.
var kinds = map[string]policy.Kind{"tools": policy.Tool, "prompts": policy.Prompt, "resources": policy.Resource, "resourceTemplates": policy.Template}

// runsHidden reports whether some server would run or read what is hidden.
func runsHidden(r received) bool {
	q := hostile.Request{Method: r.method, Header: r.header, Body: r.body}
	return q.Executes() != ""
}

// copyOf returns a request as a next would see it.
func copyOf(r *http.Request) received {
	body, _ := io.ReadAll(r.Body)
	return received{r.Method, r.Header.Clone(), body, r.ContentLength}
}
