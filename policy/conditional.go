package policy

import "crypto/sha256"

// Conditional reports whether Judge needs its Facts for things of the kind, be it for one name only: otherwise Decide says
// the same.
func (v *View) Conditional(k Kind) bool {
	return v.kinds[k].conditional || k == Tool && v.narrow != nil && v.narrow.readOnly
}

// WantsAnnotations reports whether what the server says of the tool of that name matters to Judge.
func (v *View) WantsAnnotations(tool string) bool {
	if v.narrow != nil && v.narrow.readOnly {
		return true
	}
	d := &v.kinds[Tool]
	if !d.annotated {
		return false
	}
	wants := func(r *rule) bool { return r.wantsAnnotations() }
	return d.denyIf.each(tool, wants) || d.allowIf.each(tool, wants) || d.askIf.each(tool, wants)
}

// wantsAnnotations reports whether a rule asks what the server says of a tool.
func (r *rule) wantsAnnotations() bool {
	return r.hints != nil || r.when != nil && r.when.uses&usesAnnotations != 0
}

// note takes down what the rules of a kind ask for, besides names.
func (d *verdicts) note(k Kind) {
	seen := make(map[*condition]bool)
	for _, list := range [][]*pattern{d.allowed, d.maybe, d.asked} {
		for _, p := range list {
			if !p.rule.conditional(k) {
				continue
			}
			d.conditional = true
			d.annotated = d.annotated || p.rule.wantsAnnotations()
			if when := p.rule.when; when != nil && p.rule.effect != asks && !seen[when] {
				seen[when] = true
				d.conditions = append(d.conditions, when)
			}
		}
	}
}

// SightBy is Sight for a subject and a time: with conditions, what is shown can change while the rights stay the same. Of f
// it looks at Subject and Now.
func (v *View) SightBy(k Kind, f *Facts) Sight {
	s := v.Sight(k)
	conditions := v.kinds[k].conditions
	if s == (Sight{}) || len(conditions) == 0 {
		return s
	}
	e := evaluations.Get().(*evaluation)
	e.server, e.kind, e.facts, e.listing, e.anyTool = v.server, k, Facts{Subject: f.Subject, Now: f.Now}, true, true
	sum := sha256.New()
	sum.Write(s[:])
	for _, c := range conditions {
		sum.Write([]byte{byte(c.judge(e))})
	}
	*e = evaluation{}
	evaluations.Put(e)
	copy(s[:], sum.Sum(nil))
	return s
}
