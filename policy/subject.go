package policy

import "strconv"

// Kind is a kind of thing that an MCP server offers.
type Kind uint8

// The kinds a rule can name.
const (
	Tool Kind = iota
	Prompt
	Resource // by its URI
	Template // by its URI template
	kinds    // how many there are
)

// String returns "tool", "prompt", "resource" or "template".
func (k Kind) String() string {
	switch k {
	case Tool:
		return "tool"
	case Prompt:
		return "prompt"
	case Resource:
		return "resource"
	case Template:
		return "template"
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// plural returns the key of a rule's list of the kind, such as "tools".
func (k Kind) plural() string { return k.String() + "s" }

// uri reports whether things of this kind are named by URIs.
func (k Kind) uri() bool { return k == Resource || k == Template }

// Subject is the person (or machine client) on whose behalf an agent acts. It must not be changed once it is in use.
type Subject struct {
	ID, Email, Name, Org       string
	Roles, Permissions, Groups []string
	Claims                     map[string]any

	// Machine marks a client that acts for itself (RFC 6749 §4.4, client credentials): `everyone` does not apply to it.
	Machine bool

	// Client is the agent that acts for the subject.
	Client Client

	// Narrowing is what the subject left that agent; nil if all.
	Narrowing *Narrowing
}

// Decision is the answer for one name.
type Decision struct {
	// Allowed says that it may be seen, and used if the other fields say nothing against it.
	Allowed bool

	// Seen says of what is not Allowed that it is allowed with other arguments: it may be seen. Only Judge with arguments sets it.
	Seen bool

	// Variant is a name in the arguments that some readers take for another that a condition asks for; "" if there is none. Two
	// readers understand such a call differently, so it is not Allowed.
	Variant string

	// Ask says that each use has to be approved by a person first. It comes with Allowed.
	Ask bool

	// Limit bounds how often it may be used; nil if nothing does. It comes with Allowed.
	Limit *Limit

	// Rule is the deciding rule and where it is written, such as "mcp-policy.yaml:12 (role member, allow)", or why no
	// rule could decide, such as "no rule allows it". It is for logs and explanations, not for the client.
	Rule string
}
