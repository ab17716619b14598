package policy

import "time"

// Client is the agent that acts for a Subject, as far as rules can ask about it.
type Client struct {
	ID   string // the OAuth client_id
	Name string // what the client calls itself: anybody can call themselves anything
}

// Facts are what rules with conditions are judged by, besides what a View is made of. They may be used for many names, with
// Tool and Args set anew, but for one Subject only, and not by more than one goroutine at a time.
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

	// steady has what was found of conditions that say the same for every name.
	steady map[*condition]outcome
}
