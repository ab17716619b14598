package policy

import "strings"

// NoRule is the Rule of a [Decision] that denies because no rule allows: the name itself is fit to be decided on, and no
// deny rule speaks against it. Every other denial was made by a deny rule or by how the name is written.
const NoRule = "no rule allows it"

// Decide says whether the thing of that kind and name (for resources their URI, for templates their URI template) may be
// seen and used, if nothing is known but that: allow rules with a condition don't match then, ask and deny rules do. Where
// several rules match, the Decision names always the same one, and an exact name before a glob.
//
// Decide takes no lock and allocates nothing, except that a URI which is percent-encoded, has a run of slashes, or names a
// host and no path costs an allocation or two where there are ask or deny rules for its kind.
func (v *View) Decide(k Kind, name string) Decision { return v.Judge(k, name, nil) }

// Judge says whether the thing of that kind and name may be used, by all that is known of the call; with f.Args nil, whether
// it may be seen. What Judge allows with some arguments it never hides without them. A nil f is that of Decide.
func (v *View) Judge(k Kind, name string, f *Facts) Decision {
	if k >= kinds {
		return Decision{Rule: NoRule}
	}
	if trap := nameTrap(k, name); trap != "" {
		return Decision{Rule: trap}
	}
	d := &v.kinds[k]
	if r := d.deny.first(name); r != nil {
		return Decision{Rule: r.title}
	}
	if v.narrow != nil && k == Tool {
		if why := v.narrow.denies(name, f); why != "" {
			return Decision{Rule: why}
		}
	}
	if d.allowIf != nil || d.denyIf.written != nil || d.askIf.written != nil {
		return v.weigh(k, name, f)
	}
	r := d.allow.first(name)
	if r == nil {
		return Decision{Rule: NoRule}
	}
	if by := d.ask.first(name); by != nil {
		return Decision{Allowed: true, Ask: true, Rule: by.title}
	}
	return Decision{Allowed: true, Rule: r.title}
}

// first returns the rule that stands in the way of a name, nil if none does.
func (b *bars) first(name string) (found *rule) {
	if b.written == nil {
		return nil
	}
	b.each(name, func(r *rule) bool {
		found = r
		return true
	})
	return found
}

// each calls visit for the rules that stand in the way of a name, until it returns true, and reports whether it did. A file is
// the same with whatever query and fragment; elsewhere a query may name another resource.
func (b *bars) each(name string, visit func(*rule) (stop bool)) bool {
	if b.written.each(name, visit) {
		return true
	}
	if b.plain == nil {
		return false
	}
	if b.plain.each(plainURI(name), visit) {
		return true
	}
	if strings.HasPrefix(name, "file:") {
		if end := strings.IndexAny(name, "?#"); end >= 0 {
			return b.each(name[:end], visit)
		}
	}
	return false
}
