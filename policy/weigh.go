package policy

// outcome is what became of the conditions of a rule.
type outcome uint8

const (
	yes outcome = iota
	no
	failed  // they could not be judged, and never can with what is known
	unknown // the arguments decide, which are not known
)

// weigh judges a name that no deny rule without conditions speaks against, by the rules that there are besides.
func (d *verdicts) weigh(k Kind, name string, f *Facts) Decision {
	var barred *rule
	d.denyIf.each(name, func(r *rule) bool {
		if o := r.outcome(k, f); o == yes || o == failed {
			barred = r
		}
		return barred != nil
	})
	if barred != nil {
		return Decision{Rule: barred.title}
	}
	by := d.allow.first(name)
	if by == nil {
		d.allowIf.each(name, func(r *rule) bool {
			if by != nil && compareLimits(r.limit, by.limit) <= 0 {
				return false
			}
			if o := r.outcome(k, f); o == yes || o == unknown {
				by = r
			}
			return by != nil && by.limit == nil
		})
	}
	if by == nil {
		return Decision{Rule: NoRule}
	}
	allowed := Decision{Allowed: true, Limit: by.limit, Rule: by.title}
	asking := d.ask.first(name)
	if asking == nil {
		d.askIf.each(name, func(r *rule) bool {
			if o := r.outcome(k, f); o == yes || o == failed {
				asking = r
			}
			return asking != nil
		})
	}
	if asking != nil {
		allowed.Ask, allowed.Rule = true, asking.title
	}
	return allowed
}

// outcome judges the conditions of a rule for a thing of the kind.
func (r *rule) outcome(k Kind, f *Facts) outcome {
	if !r.conditional(k) {
		return yes
	}
	o := yes
	if k == Tool && r.hints != nil {
		switch {
		case f == nil || !f.Tool.Known:
			o = failed
		case !holds(r.hints, f.Tool):
			return no
		}
	}
	if r.when == nil {
		return o
	}
	// What is certain without the rest comes first, then what is open: an error that only some arguments lead to is none.
	switch w := r.when.judge(k, f); {
	case w == no, w == unknown:
		return w
	case w == failed:
		return failed
	}
	return o
}
