package policy

import "strings"

// NoRule is the Rule of a [Decision] that denies because no rule allows: the name itself is fit to be decided on, and no
// deny rule speaks against it. Every other denial was made by a deny rule or by how the name is written.
const NoRule = "no rule allows it"

// Decide says whether the thing of that kind and name (for resources their URI, for templates their URI template) may be
// seen and used. Where several rules match, the Decision names always the same one, and an exact name before a glob.
//
// Decide takes no lock and allocates nothing, except that a URI which is percent-encoded, has a run of slashes, or names a
// host and no path costs an allocation or two where there are deny rules for its kind.
func (v *View) Decide(k Kind, name string) Decision {
	if k >= kinds {
		return Decision{Rule: NoRule}
	}
	if trap := nameTrap(k, name); trap != "" {
		return Decision{Rule: trap}
	}
	d := &v.kinds[k]
	if rule, ok := d.denies(name); ok {
		return Decision{Rule: rule}
	}
	if rule, ok := d.allow.match(name); ok {
		return Decision{Allowed: true, Rule: rule}
	}
	return Decision{Rule: NoRule}
}

// denies returns the rule that denies a name, if one does. A file is the same with whatever query and fragment; elsewhere
// a query may name another resource.
func (d *verdicts) denies(name string) (rule string, ok bool) {
	if rule, ok = d.deny.match(name); ok || d.denyPlain == nil {
		return rule, ok
	}
	if rule, ok = d.denyPlain.match(plainURI(name)); ok || !strings.HasPrefix(name, "file:") {
		return rule, ok
	}
	if end := strings.IndexAny(name, "?#"); end >= 0 {
		return d.denies(name[:end])
	}
	return "", false
}
