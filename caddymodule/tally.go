package caddymodule

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// methodLabels are the methods that metrics tell apart. What else a client makes up, of which there is no end, is counted as
// the last but one if it is a notification, and otherwise as the last.
var methodLabels = [...]string{
	"initialize", "ping", "server/discover",
	"tools/list", "tools/call", "prompts/list", "prompts/get",
	"resources/list", "resources/read", "resources/templates/list",
	"resources/subscribe", "resources/unsubscribe", "subscriptions/listen",
	"completion/complete", "logging/setLevel",
	"tasks/get", "tasks/list", "tasks/result", "tasks/cancel", "tasks/update",
	"batch", http.MethodGet, http.MethodDelete, http.MethodPost, http.MethodHead,
	"notification", "other",
}

// methodNumbers are the places of methods in methodLabels.
var methodNumbers = func() map[string]int {
	numbers := make(map[string]int, len(methodLabels))
	for number, method := range methodLabels[:len(methodLabels)-2] {
		numbers[method] = number
	}
	return numbers
}()

// methodNumber returns the place of a method's label.
func methodNumber(method string) int {
	number, known := methodNumbers[method]
	switch {
	case known:
		return number
	case strings.HasPrefix(method, "notifications/"):
		return len(methodLabels) - 2
	}
	return len(methodLabels) - 1
}

// Outcomes of requests whose caller isn't known.
const (
	unauthorized = "unauthorized"
	unavailable  = "unavailable"
)

// outcomes are what can become of a request.
var outcomes = [...]string{guard.Allow, guard.Deny, guard.Refuse, guard.Failed, guard.Observe, guard.Asked, unauthorized, unavailable}

// tally counts the requests to one server. Each counter is looked for once: the collectors find them under a lock that all
// requests would share.
type tally struct {
	server             string
	requests           [len(methodLabels)][len(outcomes)]found[prometheus.Counter]
	decisions          [policy.Template + 1][len(outcomes)]found[prometheus.Counter]
	overhead, upstream found[prometheus.Observer]
}

// found is what was looked for, nil before.
type found[T any] struct{ atomic.Pointer[T] }

// or returns what was found, or else looks for it.
func (f *found[T]) or(look func() T) T {
	if known := f.Load(); known != nil {
		return *known
	}
	one := look()
	f.Store(&one)
	return one
}

// request counts a request.
func (t *tally) request(method, outcome string) {
	if o, m := slices.Index(outcomes[:], outcome), methodNumber(method); o >= 0 {
		t.requests[m][o].or(func() prometheus.Counter {
			return metrics.requests.WithLabelValues(t.server, methodLabels[m], outcome)
		}).Inc()
	}
}

// decision counts a decision of the policy.
func (t *tally) decision(kind policy.Kind, outcome string) {
	if o := slices.Index(outcomes[:], outcome); o >= 0 && int(kind) < len(t.decisions) {
		t.decisions[kind][o].or(func() prometheus.Counter {
			return metrics.decisions.WithLabelValues(t.server, kind.String(), outcome)
		}).Inc()
	}
}

// took adds the time of a request, and, where that is told apart, that of the MCP server in it.
func (t *tally) took(whole, upstream time.Duration, apart bool) {
	t.overhead.or(func() prometheus.Observer { return metrics.overhead.WithLabelValues(t.server) }).Observe(max(0, whole-upstream).Seconds())
	if apart {
		t.upstream.or(func() prometheus.Observer { return metrics.upstream.WithLabelValues(t.server) }).Observe(upstream.Seconds())
	}
}

// count adds a finished request to the metrics.
func (rec *record) count(took time.Duration) {
	t, outcome := rec.handler.tally, &rec.outcome
	t.request(outcome.Method, outcome.Decision)
	if outcome.HasTarget {
		t.decision(outcome.Kind, outcome.Decision)
	}
	// A person who takes their time to approve a call is no time of the gateway's.
	t.took(took-outcome.Waited, outcome.Upstream, outcome.UpstreamStatus != 0 && rec.request.Method == http.MethodPost)
}

// refused adds a request whose caller isn't known to the metrics.
func (t *tally) refused(method string, err error) {
	outcome := unauthorized
	if errors.Is(err, oauth.ErrUnavailable) {
		outcome = unavailable
	}
	t.request(method, outcome)
}
