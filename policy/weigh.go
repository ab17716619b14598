package policy

// outcome is what became of the conditions of a rule.
type outcome uint8

const (
	yes outcome = iota
	no
	failed  // they can't be judged with what is known
	unknown // the arguments decide, which are not known
)

// ruleVariant is why a call is denied whose arguments have a name that some readers take for one that a condition asks for.
const ruleVariant = "the arguments have a name in another spelling that a condition asks for"

// weigher judges one name by rules that ask for more than names. The facts are handed along beside it, so that they need not
// be on the heap.
type weigher struct {
	view *View
	kind Kind
	name string
	e    *evaluation // of expressions; nil until the first
}

// weigh judges a name that no deny rule without conditions speaks against, by the rules that there are besides.
func (v *View) weigh(k Kind, name string, f *Facts) Decision {
	w := weigher{view: v, kind: k, name: name}
	d := w.weigh(f)
	if w.e == nil {
		return d
	}
	if w.e.reading.variant != "" {
		d = Decision{Rule: ruleVariant, Variant: w.e.reading.variant}
	} else if !d.Allowed && !w.e.listing {
		w.e.facts.Args, w.e.listing = nil, true
		d.Seen = w.weigh(f).Allowed
	}
	*w.e = evaluation{}
	evaluations.Put(w.e)
	return d
}

func (w *weigher) weigh(f *Facts) Decision {
	d := &w.view.kinds[w.kind]
	var barred *rule
	d.denyIf.each(w.name, func(r *rule) bool {
		if o := w.outcome(r, f); o == yes || o == failed {
			barred = r
		}
		return barred != nil
	})
	if barred != nil {
		return Decision{Rule: barred.title}
	}
	by := d.allow.first(w.name)
	if by == nil {
		d.allowIf.each(w.name, func(r *rule) bool {
			if by != nil && compareLimits(r.limit, by.limit) <= 0 {
				return false
			}
			if o := w.outcome(r, f); o == yes || o == unknown {
				by = r
			}
			return by != nil && by.limit == nil
		})
	}
	if by == nil {
		return Decision{Rule: NoRule}
	}
	allowed := Decision{Allowed: true, Limit: by.limit, Rule: by.title}
	asking := d.ask.first(w.name)
	if asking == nil {
		d.askIf.each(w.name, func(r *rule) bool {
			if o := w.outcome(r, f); o == yes || o == failed {
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

// outcome judges the conditions of a rule. Without facts (f is nil) it can't.
func (w *weigher) outcome(r *rule, f *Facts) outcome {
	if !r.conditional(w.kind) {
		return yes
	}
	if f == nil {
		return failed
	}
	said := yes
	if w.kind == Tool && r.hints != nil {
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
	if o := w.condition(r.when, f); o != yes {
		return o
	}
	return said
}

// condition judges an expression, once for all names of a list if it says the same of all.
func (w *weigher) condition(c *condition, f *Facts) outcome {
	if w.e == nil {
		w.e = evaluations.Get().(*evaluation)
		w.e.server, w.e.name, w.e.kind, w.e.facts, w.e.listing = w.view.server, w.name, w.kind, *f, f.Args == nil
	}
	depends := usesTool | usesAnnotations
	if !w.e.listing {
		depends |= usesArgs
	}
	if c.uses&depends != 0 {
		return c.judge(w.e)
	}
	o, ok := f.steady[c]
	if !ok {
		if f.steady == nil {
			f.steady = make(map[*condition]outcome, 1)
		}
		o = c.judge(w.e)
		f.steady[c] = o
	}
	return o
}
