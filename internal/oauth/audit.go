package oauth

import (
	"net/http"
	"slices"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// Decisions in audit records.
const (
	decisionAllow  = "allow"
	decisionDeny   = "deny"
	decisionRefuse = "refuse"
	decisionError  = "error"
)

// event is what the audit record of one event says.
type event struct {
	name, decision, reason        string
	clientID, clientName, grantID string
	resource                      string
	userID, email, org, imposter  string
	roles                         []string
	status                        int
}

// of adds who it is about.
func (e *event) of(p *identity.Person) *event {
	if p != nil {
		e.userID, e.email, e.org, e.roles, e.imposter = subjectID(p), p.Email, p.Org, p.Roles, p.Impersonator
	}
	return e
}

// event is the event of a token request.
func (is *issue) event(name, decision string) *event {
	e := &event{name: name, decision: decision, status: http.StatusOK}
	if is == nil {
		return e
	}
	if is.client != nil {
		e.clientID, e.clientName = is.client.ID, is.client.Name
	}
	e.grantID, e.resource = is.grantID, is.resource
	return e.of(is.person)
}

// record writes the audit record of an event.
func (s *Server) record(e *event) {
	if s.cfg.Audit == nil {
		return
	}
	rec := &audit.Record{
		Time: s.now(), Event: e.name, Decision: e.decision, Reason: e.reason, UserID: e.userID, Email: e.email, Org: e.org,
		Roles: slices.Clone(e.roles), Impersonator: e.imposter, ClientID: e.clientID, ClientName: e.clientName, GrantID: e.grantID, Status: e.status,
	}
	if e.resource != "" {
		if res, err := s.resource(e.resource); err == nil {
			rec.Server = res.Server
		}
	}
	s.cfg.Audit.Record(rec)
}

// answerError answers a request of a program with an error, records it, and logs what is our own trouble.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, name string, is *issue, err error) {
	e := asProtocolError(err)
	decision := decisionRefuse
	if e.status >= http.StatusInternalServerError {
		decision = decisionError
		s.log.Error("a request could not be answered", zap.String("endpoint", name), zap.Error(err))
	}
	ev := is.event(name, decision)
	ev.reason, ev.status = e.Error(), max(e.status, http.StatusBadRequest)
	s.record(ev)
	writeError(w, e)
}
