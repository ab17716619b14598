package policy

import (
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// whenNames are what an expression can ask about, and the parts of those that have some.
var whenNames = map[string][]string{
	"user":   {"id", "email", "name", "org", "roles", "permissions", "groups", "claims"},
	"client": {"id", "name"},
	"tool":   {"server", "name", "annotations"},
	"args":   nil,
	"now":    nil,
}

// whenEnv is where expressions are compiled. Each part is a variable of its own, so that a misspelt one is found.
var whenEnv = sync.OnceValues(func() (*cel.Env, error) {
	texts, object := cel.ListType(cel.StringType), cel.MapType(cel.StringType, cel.DynType)
	return cel.NewEnv(
		cel.Variable("user.id", cel.StringType), cel.Variable("user.email", cel.StringType), cel.Variable("user.name", cel.StringType),
		cel.Variable("user.org", cel.StringType), cel.Variable("user.roles", texts), cel.Variable("user.permissions", texts),
		cel.Variable("user.groups", texts), cel.Variable("user.claims", object),
		cel.Variable("client.id", cel.StringType), cel.Variable("client.name", cel.StringType),
		cel.Variable("tool.server", cel.StringType), cel.Variable("tool.name", cel.StringType),
		cel.Variable("tool.annotations", cel.MapType(cel.StringType, cel.BoolType)),
		cel.Variable("args", object), cel.Variable("now", cel.TimestampType),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserRecursionLimit(maxWhenDepth), cel.ParserExpressionSizeLimit(MaxWhen), cel.ExpressionNodeLimit(maxWhenNodes),
	)
})

// nameFault says which name of an expression is not one, or is used as it can't be, in better words than a type checker has.
func nameFault(root ast.Expr) (fault string) {
	locals := make(map[string]bool)
	selected := make(map[int64]bool) // of which a part is taken
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			c := e.AsComprehension()
			locals[c.IterVar()], locals[c.IterVar2()], locals[c.AccuVar()] = true, true, true
		case ast.SelectKind:
			s := e.AsSelect()
			if of := s.Operand(); of.Kind() == ast.IdentKind {
				selected[of.ID()] = true
				if fault == "" && !locals[of.AsIdent()] {
					fault = partFault(of.AsIdent(), s.FieldName(), s.IsTestOnly())
				}
			} else if fault == "" && isAnnotations(of, locals) {
				fault = hintPartFault(s.FieldName())
			}
		case ast.IdentKind:
			name := e.AsIdent()
			if fault == "" && !locals[name] {
				fault = wholeFault(name, selected[e.ID()])
			}
		}
	}))
	return fault
}

// partFault says what is wrong with a part of a name.
func partFault(name, part string, has bool) string {
	parts, ok := whenNames[name]
	if !ok || parts == nil {
		return ""
	}
	if !slices.Contains(parts, part) {
		return name + " has no " + part + didYouMean(part, parts, "; it has "+strings.Join(parts, ", "))
	}
	if has {
		return "has() asks about args and user.claims only: " + name + "." + part + " is always there, though it may be empty"
	}
	return ""
}

// isAnnotations reports whether an expression is tool.annotations.
func isAnnotations(e ast.Expr, locals map[string]bool) bool {
	if e.Kind() != ast.SelectKind {
		return false
	}
	s := e.AsSelect()
	of := s.Operand()
	return s.FieldName() == "annotations" && of.Kind() == ast.IdentKind && of.AsIdent() == "tool" && !locals["tool"]
}

// hintPartFault says what is wrong with a member of tool.annotations.
func hintPartFault(name string) string {
	if slices.Contains(hintNames, name) {
		return ""
	}
	return "tool.annotations has no " + name + didYouMean(name, hintNames, "; it has "+strings.Join(hintNames, ", "))
}

// wholeFault says what is wrong with a name that is written by itself.
func wholeFault(name string, selected bool) string {
	parts, ok := whenNames[name]
	switch {
	case ok && parts != nil && !selected:
		return name + " is not a value of its own; it has " + strings.Join(parts, ", ")
	case ok, celTypes[name], strings.HasPrefix(name, "@"):
		return ""
	}
	return "nothing is called " + name + didYouMean(name, whenRoots, "; there are: "+strings.Join(whenRoots, ", "))
}

// celTypes are the names that CEL itself has for its types.
var celTypes = map[string]bool{
	"bool": true, "bytes": true, "double": true, "int": true, "list": true, "map": true, "null_type": true, "string": true, "type": true,
	"uint": true, "google": true,
}

// whenRoots are the names that an expression can begin with.
var whenRoots = []string{"user", "client", "tool", "args", "now"}

// whenHint adds to a message of CEL's what was probably meant.
func whenHint(message string) string {
	if strings.Contains(message, "undeclared reference to 'matches") || !strings.Contains(message, "Syntax error") {
		return ""
	}
	return "; texts stand in quotes, and conditions are joined by && and ||"
}
