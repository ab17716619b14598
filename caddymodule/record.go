package caddymodule

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// record is what is told of one request of a known caller: to the audit log, the metrics, the access log, and the
// placeholders.
type record struct {
	handler *Handler
	request *http.Request
	access  *oauth.Access
	began   time.Time
	outcome guard.Outcome
	entry   audit.Record // of the audit log
}

// newRecord begins a record.
func newRecord(h *Handler, r *http.Request, access *oauth.Access) *record {
	rec := &record{handler: h, request: r, access: access, began: h.app.now()}
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		// Looked up when asked for: most configs never do.
		repl.Map(rec.placeholder)
	}
	return rec
}

const (
	// placeholderPrefix is what the names of our placeholders begin with.
	placeholderPrefix = "http.mcp_gateway."

	// userPlaceholder is where Caddy's access log finds the user.
	userPlaceholder = "http.auth.user.id"
)

// placeholder returns the value of one of our placeholders.
func (rec *record) placeholder(key string) (any, bool) {
	if key == userPlaceholder {
		return rec.access.Subject.ID, true
	}
	name, ours := strings.CutPrefix(key, placeholderPrefix)
	if !ours {
		return nil, false
	}
	switch name {
	case "user":
		return rec.access.Subject.ID, true
	case "server":
		return rec.handler.Server, true
	case "method":
		return rec.outcome.Method, true
	case "tool":
		return rec.outcome.Name, true
	case "decision":
		return rec.outcome.Decision, true
	}
	return nil, false
}

// finish tells everyone, once the request is over.
func (rec *record) finish() {
	took := rec.handler.app.now().Sub(rec.began)
	rec.count(took)
	rec.log()
	rec.audit(took)
}

// log adds to Caddy's access log, if there is one, what the request was for. Whose it was is in a field that Caddy has for
// it.
func (rec *record) log() {
	ctx := rec.request.Context()
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Logs == nil {
		return
	}
	extra, ok := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	extra.Add(zap.String("mcp_server", rec.handler.Server))
	extra.Add(zap.String("mcp_method", rec.outcome.Method))
	extra.Add(zap.String("mcp_decision", rec.outcome.Decision))
	if rec.outcome.HasTarget {
		extra.Add(zap.String("mcp_tool", rec.outcome.Name))
	}
}

// audit makes the audit record.
func (rec *record) audit(took time.Duration) {
	subject, outcome, entry := rec.access.Subject, &rec.outcome, &rec.entry
	*entry = audit.Record{
		Time:           rec.began,
		Event:          outcome.Method,
		Decision:       outcome.Decision,
		Rule:           outcome.Rule,
		Reason:         outcome.Reason,
		UserID:         subject.ID,
		Email:          subject.Email,
		Org:            subject.Org,
		Roles:          subject.Roles,
		Permissions:    subject.Permissions,
		ClientID:       rec.access.ClientID,
		ClientName:     rec.access.ClientName,
		GrantID:        rec.access.GrantID,
		Server:         rec.handler.Server,
		Method:         outcome.Method,
		RequestID:      outcome.RequestID,
		Session:        outcome.Session,
		Protocol:       outcome.Protocol,
		Latency:        took,
		Status:         outcome.Status,
		UpstreamStatus: outcome.UpstreamStatus,
		Filtered:       outcome.Filtered,
	}
	if rec.access.Person != nil {
		entry.Impersonator = rec.access.Person.Impersonator
	}
	if outcome.HasTarget {
		entry.Kind, entry.Name = outcome.Kind.String(), outcome.Name
	}
	rec.handler.app.auditor.Record(entry)
}
