package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxCases bounds the cases of one file.
const MaxCases = 10_000

// Case is a question with the answer that is wanted.
type Case struct {
	Question

	// Title says what the case is about; "" if it does not.
	Title string

	// Want is VerdictAllow, VerdictAsk or VerdictDeny.
	Want string
}

// caseKeys are the keys of a case.
var caseKeys = append(slices.Clone(questionKeys), "want", "name")

// verdictWords are what a case can want.
var verdictWords = []string{VerdictAllow, VerdictAsk, VerdictDeny}

// ParseCases reads a file of cases, a YAML list, as strictly as [Parse] reads a policy. Errors are joined, each an [*Error] with
// its line.
func ParseCases(file string, data []byte) ([]Case, error) {
	root, err := parseYAML(file, data, "the file of cases", "write a list of them")
	if err != nil {
		return nil, err
	}
	r := &reader{file: file}
	var cases []Case
	r.list(root, "", "the file of cases", "- {server: github, tool: get_me, want: deny}", func(item *yaml.Node, path string) {
		if len(cases) < MaxCases {
			cases = append(cases, r.testCase(item, path))
		}
	})
	switch {
	case len(cases) == MaxCases:
		r.add(Position{File: file}, "there are more than %d cases", MaxCases-1)
	case len(cases) == 0:
		r.add(r.at(root, ""), "there is no case in the file")
	}
	return cases, r.err()
}

// testCase reads a case.
func (r *reader) testCase(n *yaml.Node, path string) Case {
	var c Case
	c.Question = r.question(n, path, "a case", caseKeys, func(key string, v *yaml.Node, path string) {
		switch key {
		case "want":
			c.Want = r.text(v, path, key, verdictFault)
		case "name":
			c.Title = r.text(v, path, key, noFault)
		}
	})
	if c.Want == "" {
		r.add(c.At, "want is missing: write %s", strings.Join(verdictWords, ", "))
	}
	return c
}

// verdictFault says what is wrong with what is wanted.
func verdictFault(text string) string {
	if slices.Contains(verdictWords, text) {
		return ""
	}
	return "is no decision" + didYouMean(text, verdictWords, "; write "+strings.Join(verdictWords, ", "))
}
