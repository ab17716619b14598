package policy

import (
	"fmt"
	"regexp/syntax"

	"cel.dev/cel-go/common/ast"
)

// maxWhenRegex is how large a pattern may be: the instructions of the program that the package regexp makes of it.
const maxWhenRegex = 1_000

// maxWhenSteps bounds what looking for patterns in arguments may take: bytes of arguments times instructions of the patterns. That is
// half a second at most. CEL counts the cost of a match when it is over.
const maxWhenSteps = 50_000_000

// matchesFault says what is wrong with the patterns of an expression that matches() looks for. CEL has a limit of its own for
// their size, and panics on one with a counted repetition such as [0-9]{4}, so they have to be known here: a pattern that comes
// with a call would be one whose size nobody has looked at. One that is no pattern is left to CEL. steps are the instructions of all.
func matchesFault(root ast.Expr) (steps int, fault string) {
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "matches" || fault != "" {
			return
		}
		args := e.AsCall().Args()
		if len(args) == 0 {
			return
		}
		last := args[len(args)-1]
		if last.Kind() != ast.LiteralKind {
			fault = "matches() needs a pattern that stands in quotes"
			return
		}
		text, ok := last.AsLiteral().Value().(string)
		if !ok {
			return
		}
		size := patternSize(text)
		if steps += size; size > maxWhenRegex {
			fault = fmt.Sprintf("the pattern %q is too large: it makes %d steps, and there may be %d", clipPattern(text), size, maxWhenRegex)
		}
	}))
	return steps, fault
}

// patternSize returns the instructions of a pattern's program, 0 if it is none.
func patternSize(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// clipPattern returns the beginning of a pattern.
func clipPattern(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), 40)])
}
