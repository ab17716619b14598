package policy

// View is what applies to subjects of equal rights at one server. It is immutable and safe for concurrent use. The zero
// View denies everything.
type View struct{}

// View returns what applies to s at the server. It never returns nil. Views are kept, so that asking again is cheap and
// takes no lock.
func (p *Policy) View(s *Subject, server string) *View { return &View{} }

// Decide says whether the thing of that kind and name may be seen and used.
func (v *View) Decide(k Kind, name string) Decision { return Decision{} }

// Empty reports whether the view allows nothing at all.
func (v *View) Empty() bool { return true }

// ID identifies the policy's meaning, the rights and the server: views with equal IDs decide alike.
func (v *View) ID() string { return "" }

// Ability is what a view allows of one kind, for people to read.
type Ability struct {
	Kind    Kind
	Allowed []string // patterns
	Denied  []string // patterns that are excepted from what is allowed
}

// String says the ability in plain words.
func (a Ability) String() string { return "" }

// Describe returns the abilities of the view, in the order of kinds, without those of which nothing is allowed.
func (v *View) Describe() []Ability { return nil }
