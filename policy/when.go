package policy

import "unicode/utf8"

// MaxWhen bounds an expression, in bytes.
const MaxWhen = 4 << 10

// condition is the compiled when of a rule.
type condition struct {
	text string
}

// whenFault says what is wrong with an expression before it is read as one.
func whenFault(text string) string {
	switch {
	case text == "":
		return "is empty; leave the key out if there is no condition"
	case len(text) > MaxWhen:
		return "is too long"
	case !utf8.ValidString(text):
		return "is not UTF-8"
	}
	return ""
}

// condition compiles the when of a rule.
func (c *compiler) condition(r *Rule) *condition {
	if fault := whenFault(r.When); fault != "" {
		c.add(r.WhenAt, "when: %q %s", r.When, fault)
	}
	return &condition{text: r.When}
}

// judge says whether the expression is true.
func (c *condition) judge(Kind, *Facts) outcome { return failed }
