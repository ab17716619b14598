package guard

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Limiter counts calls. It is asked only about calls that a rule with a limit allows.
type Limiter interface {
	// Take counts one of the calls that may be made count times in any period per, all those of the same id together. It
	// returns 0 if there was one left, and otherwise how long it takes until one may be. With an error, nothing is known.
	Take(ctx context.Context, count int, per time.Duration, id ...string) (wait time.Duration, err error)
}

// used says of which methods each request is a use of what it names, which a limit counts.
var used = set("tools/call", "prompts/get", "resources/read")

// spend counts a request that is about to go on against the limit of the rule that allows it. It says why it may not go on
// after all, if the limit is reached or can't be counted. What the server then makes of it is not looked at: a call that
// fails was made.
func (x *exchange) spend(m *jsonrpc.Message, v *verdict) *refusal {
	if v.limit == nil || !used[m.Method] {
		return nil
	}
	if x.g.cfg.Limits == nil {
		return x.unavailable(http.StatusServiceUnavailable, "there is no place to count a limit")
	}
	l := v.limit
	wait, err := x.g.cfg.Limits.Take(x.r.Context(), l.Count, l.Per, x.counted(l, v)...)
	switch {
	case err != nil:
		return x.unavailable(http.StatusServiceUnavailable, "the calls that were made could not be counted: "+err.Error())
	case wait == 0:
		return nil
	}
	reason := "limit: " + strconv.Itoa(l.Count) + " in " + l.Per.String()
	if _, observe := x.rights(); observe {
		x.out.Decision, x.out.Reason = Observe, reason
		return nil
	}
	return notDone(v.kind, overLimit(called(v.kind, v.name), l, wait), reason)
}

// counted names what is counted together by a limit.
func (x *exchange) counted(l *policy.Limit, v *verdict) []string {
	switch l.By {
	case policy.PerTool:
		return []string{l.Key, "tool", x.g.cfg.Server, v.kind.String(), v.name}
	case policy.PerClient:
		return []string{l.Key, "client", x.person, x.caller.Client}
	}
	return []string{l.Key, "user", x.person}
}
