package policy

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Bounds of conditions.
const (
	MaxWhen       = 4 << 10 // bytes of an expression
	MaxConditions = 10_000  // expressions of all rules together that differ
	maxWhenDepth  = 100     // how deep an expression may be nested
	maxWhenNodes  = 5_000   // parts of an expression, with those that macros stand for
	maxWhenCost   = 50_000  // steps of one judgement, as CEL counts them; it takes a few milliseconds at most
)

// condition is a compiled expression (the Common Expression Language, https://cel.dev). It is immutable and safe for
// concurrent use.
type condition struct {
	text    string
	program cel.Program
	uses    uses
	steps   int // of its patterns, for each byte that they are looked for in
}

// uses says what an expression reads.
type uses uint8

const (
	usesArgs uses = 1 << iota
	usesTool
	usesAnnotations
	usesNow
)

// whenFault says what is wrong with an expression before it is read as one.
func whenFault(text string) string {
	switch {
	case strings.TrimSpace(text) == "":
		return "is empty; leave the key out if there is no condition"
	case len(text) > MaxWhen:
		return "is too long"
	case !utf8.ValidString(text):
		return "is not UTF-8"
	}
	return ""
}

// condition compiles the when of a rule. The same expression is compiled once.
func (c *compiler) condition(r *Rule) *condition {
	if fault := whenFault(r.When); fault != "" {
		c.add(r.WhenAt, "when: %q %s", r.When, fault)
		return nil
	}
	out, ok := c.conditions[r.When]
	if !ok {
		if len(c.conditions) == MaxConditions {
			c.add(r.WhenAt, "the policy has more than %d conditions that differ", MaxConditions)
			return nil
		}
		out = c.expression(r)
		if c.conditions == nil {
			c.conditions = make(map[string]*condition)
		}
		c.conditions[r.When] = out
	}
	if out == nil {
		return nil
	}
	switch {
	case out.uses&(usesTool|usesAnnotations) != 0 && (r.Prompts != nil || r.Resources != nil || r.Templates != nil):
		c.add(r.WhenAt, "when: it asks about the tool, and the rule names more than tools; write a rule for the tools alone")
	case out.uses&usesArgs != 0 && (r.Resources != nil || r.Templates != nil):
		c.add(r.WhenAt, "when: it asks about args, and resources have none; write a rule for the tools and prompts alone")
	}
	return out
}

// expression compiles an expression, or reports what is wrong with it and returns nil.
func (c *compiler) expression(r *Rule) *condition {
	env, err := whenEnv()
	if err != nil {
		c.add(r.WhenAt, "when: %v", err)
		return nil
	}
	parsed, issues := env.Parse(r.When)
	if c.whenIssues(r, issues) {
		return nil
	}
	root := parsed.NativeRep().Expr()
	steps, fault := matchesFault(root)
	if fault = cmp.Or(nameFault(root), fault); fault != "" {
		c.add(r.WhenAt, "when: %s", fault)
		return nil
	}
	checked, issues := env.Check(parsed)
	if c.whenIssues(r, issues) {
		return nil
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		c.add(r.WhenAt, "when: it must be true or false, but it is of type %s; compare it with something", cel.FormatCELType(t))
		return nil
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize, cel.OptPartialEval), cel.CostLimit(maxWhenCost))
	if err != nil {
		c.add(r.WhenAt, "when: %v", err)
		return nil
	}
	out := &condition{text: r.When, program: program, steps: steps}
	for _, ref := range checked.NativeRep().ReferenceMap() {
		switch ref.Name {
		case "args":
			out.uses |= usesArgs
		case "tool.server", "tool.name":
			out.uses |= usesTool
		case "tool.annotations":
			out.uses |= usesAnnotations
		case "now":
			out.uses |= usesNow
		}
	}
	return out
}

// whenIssues reports what CEL finds wrong with an expression, the first of it, where it is written.
func (c *compiler) whenIssues(r *Rule, issues *cel.Issues) bool {
	if issues == nil || len(issues.Errors()) == 0 {
		return false
	}
	e := issues.Errors()[0]
	at := r.WhenAt
	if line := e.Location.Line(); at.Line > 0 && line > 1 {
		at.Line += line - 1
	}
	message, _, _ := strings.Cut(e.Message, " (in container '')")
	c.add(at, "when: %s, at %q%s", message, whenRest(r.When, e.Location.Line(), e.Location.Column()), whenHint(message))
	return true
}

// whenRest returns the beginning of what stands in an expression from a line, counted from 1, and a column, counted from 0.
func whenRest(text string, line, column int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	rest := []rune(lines[line-1])
	rest = rest[min(max(column, 0), len(rest)):]
	return string(rest[:min(len(rest), 24)])
}

// judge says whether the expression is true of what e knows.
func (c *condition) judge(e *evaluation) outcome {
	if !e.listing && c.uses&usesArgs != 0 && c.steps*len(e.facts.Args) > maxWhenSteps {
		return failed
	}
	value, _, err := c.program.Eval(e)
	switch {
	case types.IsUnknown(value):
		return unknown
	case value == types.True && err == nil:
		return yes
	case value == types.False && err == nil:
		return no
	case e.listing && c.uses&usesArgs != 0, e.anyTool && c.uses&(usesTool|usesAnnotations) != 0:
		return unknown // other arguments may lead to no error
	}
	return failed
}
