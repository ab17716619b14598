package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Why a name is denied whatever the rules say. These sentences appear in [Decision.Rule].
const (
	nameEmpty   = "the name is empty"
	nameLong    = "the name is too long"
	nameInvalid = "the name is not UTF-8"
	nameNUL     = "the name contains a NUL"
)

// nameTrap returns why a name must match nothing, or "".
func nameTrap(k Kind, name string) string {
	limit := MaxName
	if k.uri() {
		limit = MaxURI
	}
	switch {
	case name == "":
		return nameEmpty
	case len(name) > limit:
		return nameLong
	case strings.IndexByte(name, 0) >= 0:
		return nameNUL
	case !utf8.ValidString(name):
		return nameInvalid
	case k.uri():
		return uriTrap(name)
	}
	return ""
}

// patternFault says what is wrong with a name or glob of the kind, or returns "".
func patternFault(k Kind, text string) string {
	if fault := wordFault(text); fault != "" {
		return fault
	}
	if !k.uri() {
		return globFault(text)
	}
	switch {
	case strings.Contains(text, "***"):
		return "has three stars in a row; ** stands for any run of characters, * for any run without a slash"
	case k == Resource && strings.ContainsAny(text, "{}"):
		return "has braces, which no URI has; alternatives are written as several entries, and URI templates are named under templates"
	}
	if trap := uriTrap(text); trap != "" {
		return "can never match: " + trap
	}
	return ""
}

// serverFault says what is wrong with a server's name or glob.
func serverFault(text string) string { return patternFault(Tool, text) }

// globFault says what is wrong with a name or glob of a tool, prompt or server. Signs that are wildcards elsewhere are
// refused: taken literally in a deny rule they would quietly deny nothing.
func globFault(text string) string {
	if i := strings.IndexAny(text, `?[]{}\`); i >= 0 {
		return "contains " + text[i:i+1] + "; only * is a wildcard, and alternatives are written as several entries"
	}
	if strings.HasPrefix(text, "!") {
		return "begins with !; what is excepted is written as a deny rule"
	}
	return ""
}

// wordFault says what is wrong with any word of a policy: a pattern, a slug, an organization or a method.
func wordFault(text string) string {
	switch {
	case text == "":
		return "is empty"
	case len(text) > MaxURI:
		return "is too long"
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsRune(text, utf8.RuneError):
		return "contains U+FFFD, which a broken encoding leaves behind"
	case strings.IndexFunc(text, unicode.IsControl) >= 0:
		return "contains a control character"
	case strings.TrimSpace(text) != text:
		return "begins or ends with a space"
	}
	return ""
}

// slugFault says what is wrong with a word that is compared exactly.
func slugFault(text string) string {
	if fault := wordFault(text); fault != "" {
		return fault
	}
	if strings.IndexByte(text, '*') >= 0 {
		return "contains *, which is no wildcard here"
	}
	return ""
}

// modeFault says what is wrong with a mode.
func modeFault(text string) string {
	if text == modeEnforce || text == modeObserve {
		return ""
	}
	return "is not a mode" + didYouMean(text, []string{modeEnforce, modeObserve}, "; write enforce or observe")
}
