package policy

// outcome is what became of the conditions of a rule.
type outcome uint8

const (
	yes outcome = iota
	no
	failed  // they can't be judged with what is known
	unknown // the arguments decide, which are not known
)

// weigh judges a name that no deny rule without conditions speaks against, by the rules that there are besides.
func (v *View) weigh(k Kind, name string, f *Facts) Decision {
	e := evaluations.Get().(*evaluation)
	e.server, e.name, e.kind = v.server, name, k
	if f != nil {
		e.facts, e.listing = *f, f.Args == nil
	}
	d := v.kinds[k].weigh(k, name, f, e)
	if e.reading.variant != "" {
		d = Decision{Rule: ruleVariant, Variant: e.reading.variant}
	} else if !d.Allowed && f != nil && !e.listing {
		e.facts.Args, e.listing = nil, true
		d.Seen = v.kinds[k].weigh(k, name, f, e).Allowed
	}
	*e = evaluation{}
	evaluations.Put(e)
	return d
}

// ruleVariant is why a call is denied whose arguments have a name that some readers take for one that a condition asks for.
const ruleVariant = "the arguments have a name in another spelling that a condition asks for"

func (d *verdicts) weigh(k Kind, name string, f *Facts, e *evaluation) Decision {
	var barred *rule
	d.denyIf.each(name, func(r *rule) bool {
		if o := r.outcome(k, f, e); o == yes || o == failed {
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
			if o := r.outcome(k, f, e); o == yes || o == unknown {
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
			if o := r.outcome(k, f, e); o == yes || o == failed {
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

// outcome judges the conditions of a rule for a thing of the kind. Without facts it can't.
func (r *rule) outcome(k Kind, f *Facts, e *evaluation) outcome {
	if !r.conditional(k) {
		return yes
	}
	if f == nil {
		return failed
	}
	said := yes
	if k == Tool && r.hints != nil {
		switch {
		case !f.Tool.Known:
			said = failed
		case !holds(r.hints, f.Tool):
			return no
		}
	}
	if r.when == nil {
		return said
	}
	// What is certain without the other comes first, and then what is open: an error that only some arguments lead to is none.
	switch o := r.when.of(f, e); o {
	case yes:
		return said
	default:
		return o
	}
}

// of is judge, once for all names if it says the same of all.
func (c *condition) of(f *Facts, e *evaluation) outcome {
	if c.uses&^usesNow != 0 {
		return c.judge(e)
	}
	o, ok := f.steady[c]
	if !ok {
		if f.steady == nil {
			f.steady = make(map[*condition]outcome, 1)
		}
		o = c.judge(e)
		f.steady[c] = o
	}
	return o
}
