package policy

import "time"

// Client is the agent that acts for a Subject, as far as rules can ask about it.
type Client struct {
	ID   string // the OAuth client_id
	Name string // what the client calls itself: anybody can call themselves anything
}

// Narrowing is what a person left an agent of what they may use themselves. It takes away and never adds: a rule that it
// leaves means what it means without it. It must not be changed once it is in use.
type Narrowing struct {
	// ReadOnly leaves of the tools those that a trusted server says only read (Annotations.ReadOnly).
	ReadOnly bool `json:"read_only,omitempty"`

	// Tools leaves the tools of exactly these names, and none if it is empty; nil leaves all.
	Tools []string `json:"tools,omitzero"`
}

// Annotations are what a server says of a tool of its own (MCP, schema, ToolAnnotations). They are hints: a server that
// lies is not found out by them, so they count only where the operator trusts the server's word. The zero Annotations are
// those of a tool of which nothing is known.
type Annotations struct {
	// Known is set if the tool's definition was seen and its server is trusted. The others mean nothing without it, and
	// have the specification's defaults where the server says nothing.
	Known bool

	ReadOnly, Destructive, Idempotent, OpenWorld bool
}

// Facts are what rules with conditions are judged by, besides what a View is made of.
type Facts struct {
	// Subject is the person, with the Client that acts for them; nil if unknown.
	Subject *Subject

	// Tool is what the server says of the tool that is asked about.
	Tool Annotations

	// Args are the arguments of the call, a JSON object in strict form, as it came; nil while a list is made, when they are
	// not known yet. A call without arguments has "{}".
	Args []byte

	// Now is the time of the call.
	Now time.Time
}

// Limit is how often something may be done.
type Limit struct {
	// Count is how many calls there may be in any Per.
	Count int
	Per   time.Duration

	// By says whose calls are counted together: those of a user (the default), of a client of a user, or of all users of a
	// tool.
	By LimitBy

	// Key names the limit: it is the same in every policy that says the same in the same place.
	Key string
}

// LimitBy says whose calls a Limit counts together.
type LimitBy uint8

// What a limit can be counted by.
const (
	PerUser   LimitBy = iota // all calls of one person, by whatever agent, that the rule allows
	PerClient                // those of one agent of one person
	PerTool                  // those of everybody, for each tool
)

// Judge says whether the thing of that kind and name may be used, by all that is known of the call; with f.Args nil, whether
// it may be seen. What Judge allows with some arguments it never hides without them. Decide is Judge without facts.
func (v *View) Judge(k Kind, name string, f *Facts) Decision {
	_ = f
	return v.Decide(k, name)
}
