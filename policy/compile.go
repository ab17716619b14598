package policy

// Policy is a compiled policy. It is immutable and safe for concurrent use. The zero Policy denies everything.
type Policy struct{}

// Compile checks a document as a whole and compiles it. The document must not be changed afterwards.
func Compile(d *Document) (*Policy, error) { return &Policy{}, nil }

// Hash returns a short hex digest of what the policy means: two files that differ in comments or order have the same.
func (p *Policy) Hash() string { return "" }

// HasRole reports whether the policy has rules for the role.
func (p *Policy) HasRole(slug string) bool { return false }

// HasPermission reports whether the policy has rules for the permission.
func (p *Policy) HasPermission(slug string) bool { return false }

// Roles returns the roles the policy has rules for, sorted.
func (p *Policy) Roles() []string { return nil }

// Permissions returns the permissions the policy has rules for, sorted.
func (p *Policy) Permissions() []string { return nil }

// CheckServers reports every rule whose server is none of known, with a suggestion.
func (p *Policy) CheckServers(known []string) error { return nil }

// AllowsMethod reports whether a method outside the specification may pass.
func (p *Policy) AllowsMethod(method string) bool { return false }

// Observe reports whether denials are only to be logged.
func (p *Policy) Observe() bool { return false }
