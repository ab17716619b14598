// Package audit holds the one record that is made of every decision and of every event of the authorization
// server.
package audit

import "time"

// Record says who did what, through which agent, and what came of it. It holds no token, code, secret or
// cookie, and no arguments of calls: whoever fills it in puts none in Rule or Reason either. Fields that
// don't apply are left zero and are then left out.
type Record struct {
	Time  time.Time // when it was decided; zero: when it is recorded
	Event string    // what was asked for: an MCP method such as "tools/call", or "token", "login", "consent", "register", "policy_loaded", …

	Decision string // "allow", "deny", "ask" (of a person), "refuse" (not the protocol), "error" (the other side), "observe" (would be denied)
	Rule     string // the deciding rule and where it is written
	Reason   string // why, in words
	Policy   string // hash of the policy that is in force from then on, for policy_loaded and policy_refused

	UserID       string   // provider and the provider's user id
	Email        string   // as the provider says
	Org          string   // organization id
	Roles        []string // slugs, as they were at the decision
	Permissions  []string // slugs, as they were at the decision
	Impersonator string   // who acts in the person's name at the identity provider

	ClientID   string // OAuth client
	ClientName string // as it calls itself
	GrantID    string // grant the token belongs to

	Server string // name in the policy
	Method string // JSON-RPC method
	Kind   string // what Name names: "tool", "prompt", "resource", "template"
	Name   string // of the tool or prompt, or the URI

	RequestID string // the gateway's own, also in errors it answers with
	Session   string // short hash of the MCP session
	Protocol  string // MCP revision

	Latency        time.Duration // whole, the upstream included
	Status         int           // HTTP status to the client
	UpstreamStatus int           // HTTP status of the MCP server
	Filtered       int           // entries left out of lists
}

// Sink takes records. Record may be called from several goroutines; it must not block, and must not keep the
// pointer or what it points to after it returns.
type Sink interface {
	Record(r *Record)
}
