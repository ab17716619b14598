package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// The words for a decision.
const (
	VerdictAllow = "allow"
	VerdictAsk   = "ask" // allowed once a person has approved it
	VerdictDeny  = "deny"
)

// Verdict is the decision in a word.
func (d Decision) Verdict() string {
	switch {
	case d.Allowed && d.Ask:
		return VerdictAsk
	case d.Allowed:
		return VerdictAllow
	}
	return VerdictDeny
}

// Explanation is a decision with all that led to it, for operators. Its texts may quote the arguments of the call.
type Explanation struct {
	// Verdict is one of VerdictAllow, VerdictAsk and VerdictDeny, and Allowed whether it is another than the last.
	Verdict string `json:"decision"`
	Allowed bool   `json:"allowed"`

	// Rule is the deciding rule and where it is written, or why no rule could decide.
	Rule string `json:"rule"`

	// Limit bounds how often it may be used, such as "30/m per user"; "" if nothing does.
	Limit string `json:"limit,omitempty"`

	// Listed says that it is in the lists of what may be used, though perhaps not with these arguments.
	Listed bool `json:"listed"`

	// Rules are all rules that name it and apply to whoever asks, in the order of the verdicts deny, allow and ask.
	Rules []Considered `json:"rules,omitempty"`
}

// Considered is a rule that names what was asked about.
type Considered struct {
	// Rule is the rule and where it is written.
	Rule string `json:"rule"`

	// Applies is "yes", "no", "unknown" (it depends on arguments that are not known) or "error" (then deny and ask rules
	// apply, and allow rules do not).
	Applies string `json:"applies"`

	// Why says which conditions are false or can't be judged; "" if there is nothing to say.
	Why string `json:"why,omitempty"`
}

// outcomeWords are the words for outcomes.
var outcomeWords = [...]string{yes: "yes", no: "no", failed: "error", unknown: "unknown"}

// Explain decides as Judge does, and says what led to it. It is for people, and much slower.
func (v *View) Explain(k Kind, name string, f *Facts) Explanation {
	if f == nil {
		f = new(Facts)
	}
	d := v.Judge(k, name, f)
	x := Explanation{Verdict: d.Verdict(), Allowed: d.Allowed, Rule: d.Rule, Listed: d.Allowed || d.Seen}
	if d.Limit != nil {
		x.Limit = d.Limit.String()
	}
	if k >= kinds || nameTrap(k, name) != "" {
		return x
	}
	e := &evaluation{server: v.server, name: name, kind: k, facts: *f, listing: f.Args == nil}
	w := &weigher{view: v, kind: k, name: name, e: e}
	var told []*rule
	tell := func(r *rule) (stop bool) {
		if !slices.Contains(told, r) {
			told = append(told, r)
			x.Rules = append(x.Rules, Considered{Rule: r.title, Applies: outcomeWords[w.outcome(r, f)], Why: r.why(k, f, e)})
		}
		return len(told) == maxErrors
	}
	vs := &v.kinds[k]
	for _, each := range []func(string, func(*rule) bool) bool{
		vs.deny.each, vs.denyIf.each, vs.allow.each, vs.allowIf.each, vs.ask.each, vs.askIf.each,
	} {
		if each(name, tell) {
			break
		}
	}
	return x
}

// String writes the limit as a policy has it.
func (l *Limit) String() string {
	for letter, span := range limitSpans {
		if span == l.Per {
			return strconv.Itoa(l.Count) + "/" + letter + " per " + l.By.String()
		}
	}
	return fmt.Sprintf("%d in %v per %s", l.Count, l.Per, l.By)
}

// String returns "user", "client" or "tool".
func (by LimitBy) String() string {
	for word, is := range limitBys {
		if is == by {
			return word
		}
	}
	return "limitby(" + strconv.Itoa(int(by)) + ")"
}

// why says which conditions of a rule are false or can't be judged.
func (r *rule) why(k Kind, f *Facts, e *evaluation) string {
	var faults []string
	if k == Tool && r.hints != nil {
		if !f.Tool.Known {
			faults = append(faults, "nothing is known of the tool's annotations, or they are not trusted")
		}
		for _, h := range r.hints {
			if f.Tool.Known && h.of(f.Tool) != h.says {
				faults = append(faults, fmt.Sprintf("%s is %v", h.name, !h.says))
			}
		}
	}
	if r.when != nil {
		faults = append(faults, r.when.why(e)...)
	}
	return strings.Join(faults, "; ")
}

// why says which of the parts that a condition joins by && are false or can't be judged.
func (c *condition) why(e *evaluation) []string {
	env, err := whenEnv()
	if err != nil {
		return []string{err.Error()}
	}
	parsed, issues := env.Parse(c.text)
	if issues.Err() != nil {
		return []string{issues.Err().Error()}
	}
	var faults []string
	for _, part := range conjuncts(parsed.NativeRep().Expr(), nil) {
		text, err := parser.Unparse(part, parsed.NativeRep().SourceInfo())
		if err == nil {
			err = partFaultIn(env, text, e, &faults)
		}
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	return faults
}

// partFaultIn judges a part of a condition, and adds to faults what is wrong with it.
func partFaultIn(env *cel.Env, text string, e *evaluation, faults *[]string) error {
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return issues.Err()
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxWhenCost))
	if err != nil {
		return err
	}
	text = strings.Join(strings.Fields(text), " ")
	switch value, _, err := program.Eval(e); {
	case types.IsUnknown(value):
		*faults = append(*faults, text+" depends on the arguments")
	case err != nil:
		*faults = append(*faults, fmt.Sprintf("%s can't be judged: %v", text, err))
	case value == types.False:
		*faults = append(*faults, text+" is false")
	case value != types.True:
		*faults = append(*faults, text+" is neither true nor false")
	}
	return nil
}

// conjuncts appends the parts that an expression joins by &&.
func conjuncts(e ast.Expr, parts []ast.Expr) []ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalAnd {
		for _, arg := range e.AsCall().Args() {
			parts = conjuncts(arg, parts)
		}
		return parts
	}
	return append(parts, e)
}
