package policy

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// facts are what a condition of the property test is told, in Go.
type facts struct {
	args map[string]any
	*Facts
}

// conditionsInGo are conditions and, written down a second time in Go, what becomes of them.
var conditionsInGo = []struct {
	when string
	of   func(f facts) outcome
}{
	{``, func(facts) outcome { return yes }},
	{`args.a == 1`, func(f facts) outcome {
		v, ok := f.args["a"]
		return oneOf(ok, v == 1.0)
	}},
	{`args.a == 1 || user.org == "o1"`, func(f facts) outcome {
		v, ok := f.args["a"]
		if v == 1.0 || f.Subject.Org == "o1" {
			return yes
		}
		return oneOf(ok, false)
	}},
	{`has(args.b) && user.org != "o1"`, func(f facts) outcome {
		_, ok := f.args["b"]
		return oneOf(true, ok && f.Subject.Org != "o1")
	}},
	{`size(args) > 1`, func(f facts) outcome { return oneOf(true, len(f.args) > 1) }},
	{`user.org == "o1"`, func(f facts) outcome { return oneOf(true, f.Subject.Org == "o1") }},
	{`user.claims.x == 1`, func(f facts) outcome {
		v, ok := f.Subject.Claims["x"]
		return oneOf(ok, v == 1.0)
	}},
	{`client.id == "c1" || args.a == 2`, func(f facts) outcome {
		v, ok := f.args["a"]
		if v == 2.0 || f.Subject.Client.ID == "c1" {
			return yes
		}
		return oneOf(ok, false)
	}},
	{`tool.annotations.destructiveHint`, func(f facts) outcome { return oneOf(f.Tool.Known, f.Tool.Destructive) }},
	{`tool.name == "get"`, nil},
	{`now.getHours() < 13`, func(facts) outcome { return yes }},
}

func oneOf(known, is bool) outcome {
	switch {
	case !known:
		return failed
	case is:
		return yes
	}
	return no
}

// met reports what becomes of the conditions of a rule.
func met(rule Rule, name string, f facts) outcome {
	o := yes
	for hint, says := range rule.Annotations {
		switch {
		case !f.Tool.Known:
			o = failed
		case hintOf[hint](f.Tool) != says:
			return no
		}
	}
	for _, c := range conditionsInGo {
		if c.when != rule.When || c.when == "" {
			continue
		}
		when := oneOf(true, name == "get")
		if c.of != nil {
			when = c.of(f)
		}
		if when != yes {
			return when
		}
	}
	return o
}

// conditional gives rules of tools conditions, annotations and limits.
func (r randomPolicy) conditional(rules []Rule, limits bool) []Rule {
	for i := range rules {
		if rules[i].Tools == nil {
			continue
		}
		rules[i].Prompts, rules[i].Resources, rules[i].Templates = nil, nil, nil
		rules[i].When = conditionsInGo[r.IntN(len(conditionsInGo))].when
		if r.IntN(4) == 0 {
			rules[i].Annotations = map[string]bool{r.pick(hintNames...): r.IntN(2) == 0}
		}
		if limits && r.IntN(4) == 0 {
			rules[i].Limit = r.pick("3/m", "5/m", "100/h per client")
		}
	}
	return rules
}

// reference judges a tool by trying every rule.
func reference(d *Document, s *Subject, server, name string, f facts) (allowed, ask, limited bool) {
	denied := false
	limited = true
	matches := func(rule Rule) outcome {
		if rule.Org != "" && rule.Org != s.Org || rule.Server != "" && !wildMatch(Tool, rule.Server, server) ||
			!slices.ContainsFunc(rule.Tools, func(text string) bool { return wildMatch(Tool, text, name) }) {
			return no
		}
		return met(rule, name, f)
	}
	var apply func(b *Block)
	apply = func(b *Block) {
		if b == nil {
			return
		}
		for _, rule := range b.Allow {
			if matches(rule) == yes {
				allowed, limited = true, limited && rule.Limit != ""
			}
		}
		for _, rule := range b.Ask {
			ask = ask || matches(rule) != no
		}
		for _, rule := range b.Deny {
			denied = denied || matches(rule) != no
		}
		for _, role := range b.Inherit {
			apply(d.Roles[role])
		}
	}
	if !s.Machine {
		apply(d.Everyone)
	}
	for _, role := range s.Roles {
		apply(d.Roles[role])
	}
	for _, permission := range s.Permissions {
		apply(d.Permissions[permission])
	}
	if !allowed || denied {
		return false, false, false
	}
	return true, ask, limited
}

// With conditions, too, a list and a call never disagree: what a call is allowed for with some arguments is shown, what is
// not shown is denied with all, and each call is what the rules say.
func TestListingAndCallingNeverDisagreeUnderConditions(t *testing.T) {
	r := randomPolicy{rand.New(rand.NewPCG(7, 8))}
	counts := map[string]int{}
	for range 60 {
		d := r.document()
		for _, b := range append(slices.Collect(maps.Values(d.Roles)), d.Permissions["p0"], d.Permissions["p1"], d.Everyone) {
			if b != nil {
				b.Allow, b.Ask, b.Deny = r.conditional(append(b.Allow, r.rules()...), true), r.conditional(r.rules(), false), r.conditional(b.Deny, false)
			}
		}
		p, err := Compile(d)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			s := r.subject()
			s.Client.ID = r.pick("c1", "c2")
			if r.IntN(2) == 0 {
				s.Claims = map[string]any{"x": float64(r.IntN(2))}
			}
			server := r.pick("s1", "s2", "x")
			view := p.View(s, server)
			list := &Facts{Subject: s, Now: noon}
			for range 10 {
				name := r.name()
				list.Tool = Annotations{Known: r.IntN(3) > 0, ReadOnly: r.IntN(2) == 0, Destructive: r.IntN(2) == 0}
				listed := view.Judge(Tool, name, list)
				for range 4 {
					args := map[string]any{}
					for _, key := range []string{"a", "b"} {
						if r.IntN(3) > 0 {
							args[key] = float64(r.IntN(3))
						}
					}
					text, err := json.Marshal(args)
					if err != nil {
						t.Fatal(err)
					}
					f := &Facts{Subject: s, Now: noon, Tool: list.Tool, Args: text}
					call := view.Judge(Tool, name, f)
					allowed, ask, limited := reference(d, s, server, name, facts{args, f})
					if call.Allowed != allowed || call.Ask != ask || (call.Limit != nil) != limited {
						t.Fatalf("%q with %s is %+v, but the rules say %v, %v, %v", name, text, call, allowed, ask, limited)
					}
					if call.Allowed && !listed.Allowed || !call.Allowed && call.Seen != listed.Allowed {
						t.Fatalf("%q with %s is %+v, but listed %+v", name, text, call, listed)
					}
					if call.Allowed && view.Empty() {
						t.Fatalf("%q is allowed by an empty view", name)
					}
					switch {
					case call.Ask:
						counts["ask"]++
					case call.Allowed:
						counts["allow"]++
					case call.Seen:
						counts["seen"]++
					default:
						counts["deny"]++
					}
				}
			}
		}
	}
	for _, what := range []string{"ask", "allow", "seen", "deny"} {
		if counts[what] < 300 {
			t.Errorf("%v: the test shows little", counts)
		}
	}
}
