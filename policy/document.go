package policy

// Bounds of a policy. They are far above what people write and keep a mistake, or a generated file, from exhausting memory.
const (
	MaxDocument     = 16 << 20 // bytes of a policy file or JSON value
	MaxBlocks       = 10_000   // roles and permissions together
	MaxRules        = 250_000  // rules of all blocks together
	MaxPatterns     = 1 << 20  // names and globs of all rules together
	MaxInheritDepth = 32       // roles that inherit one another in a row
	MaxName         = 1 << 10  // bytes of the name of a tool, prompt, server, role or method
	MaxURI          = 8 << 10  // bytes of a URI or URI template
)

// The modes.
const (
	modeEnforce = "enforce"
	modeObserve = "observe"
)

// Document is a policy as it is written, before [Compile]. Its JSON form is the policy's form in Caddy's JSON config, read
// as strictly as the YAML file: an unknown key, a duplicate key or an empty list is an error.
type Document struct {
	// What each role may do. The keys are role slugs of the identity provider.
	Roles map[string]*Block `json:"roles,omitempty"`

	// What each permission adds. The keys are permission slugs of the identity provider.
	Permissions map[string]*Block `json:"permissions,omitempty"`

	// What every signed-in person may do. It does not apply to machine clients.
	Everyone *Block `json:"everyone,omitempty"`

	// Methods outside the MCP specification that may pass, by their exact names.
	Methods []string `json:"methods,omitempty"`

	// "enforce" (the default), or "observe": what the policy would deny is only logged.
	Mode string `json:"mode,omitempty"`

	// Where methods and mode are written.
	MethodsAt, ModeAt Position `json:"-"`
}

// Block is what one role, one permission or everyone may do.
type Block struct {
	// Roles whose rules, and what they inherit themselves, apply here too.
	Inherit []string `json:"inherit,omitempty"`

	// What is allowed. What no rule allows is denied.
	Allow []Rule `json:"allow,omitempty"`

	// What of it needs a person's approval each time. It allows nothing by itself.
	Ask []Rule `json:"ask,omitempty"`

	// What is denied, whichever rule allows it.
	Deny []Rule `json:"deny,omitempty"`

	// Where the block begins, and where its inherit is written.
	At        Position `json:"-"`
	InheritAt Position `json:"-"`
}

// Rule names things of one or more servers. A rule must name at least one tool, prompt, resource or template. In names, *
// stands for any run of characters. In URIs, * stands for any run of characters without a slash and ** for any run.
type Rule struct {
	// The server's name, or a glob. Default: * (every server).
	Server string `json:"server,omitempty"`

	// Names or globs of tools.
	Tools []string `json:"tools,omitempty"`

	// Names or globs of prompts.
	Prompts []string `json:"prompts,omitempty"`

	// URIs or globs of resources.
	Resources []string `json:"resources,omitempty"`

	// URI templates or globs of them.
	Templates []string `json:"templates,omitempty"`

	// The rule applies only to people who signed in with this organization. Default: any.
	Org string `json:"org,omitempty"`

	// What must be true for the rule to apply: an expression in CEL over user, client, tool, args and now.
	When string `json:"when,omitempty"`

	// What the server must say of a tool for the rule to apply: any of readOnlyHint, destructiveHint, idempotentHint and
	// openWorldHint, each true or false. It counts only for servers whose word is trusted, and for tools only.
	Annotations map[string]bool `json:"annotations,omitempty"`

	// How often it may be done, of an allow rule only: 30/m, or with s, h or d for a second, an hour, a day; by whom is
	// added as "per user" (the default), "per client" or "per tool".
	Limit string `json:"limit,omitempty"`

	// Where the rule begins, and where its when is written.
	At     Position `json:"-"`
	WhenAt Position `json:"-"`
}

// list returns the rule's list of the kind.
func (r *Rule) list(k Kind) *[]string {
	switch k {
	case Tool:
		return &r.Tools
	case Prompt:
		return &r.Prompts
	case Resource:
		return &r.Resources
	default:
		return &r.Templates
	}
}

// kindOf returns the kind whose list has this key in a rule.
func kindOf(key string) (k Kind, ok bool) {
	for k = range kinds {
		if key == k.plural() {
			return k, true
		}
	}
	return 0, false
}
