package policy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Load reads and parses the policy file of that name.
func Load(file string) (*Document, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxDocument+1))
	if err != nil {
		return nil, err
	}
	return Parse(file, data)
}

// Parse reads a policy file strictly: an unknown or duplicate key, a value of another type, an empty list in a rule, an
// anchor or alias, or a second YAML document is an error. The file's name is used in errors and in [Decision.Rule]. Errors
// are joined, each an [*Error] with its line.
func Parse(file string, data []byte) (*Document, error) {
	root, err := parseYAML(file, data, "the policy", "write roles: {} to deny everything")
	if err != nil {
		return nil, err
	}
	r := &reader{file: file}
	d := r.document(root)
	if err := r.err(); err != nil {
		return nil, err
	}
	return d, nil
}

// parseYAML reads the one YAML document of a file. what is what the file is, and empty says what to write if nothing is in it.
func parseYAML(file string, data []byte, what, empty string) (*yaml.Node, error) {
	start := Position{File: file, Line: 1}
	if len(data) > MaxDocument {
		return nil, mistake(start, "%s is larger than %d MiB", what, MaxDocument>>20)
	}
	if !utf8.Valid(data) {
		return nil, mistake(Position{file, invalidLine(data)}, "%s is not UTF-8", what)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	err := dec.Decode(&root)
	switch {
	case errors.Is(err, io.EOF):
		return nil, mistake(start, "%s is empty; %s", what, empty)
	case err != nil:
		return nil, syntaxError(file, data, err)
	}
	if err := dec.Decode(&second); err == nil {
		return nil, mistake(Position{file, second.Line}, "the file has a second YAML document; only the first would count")
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(file, data, err)
	}
	return root.Content[0], nil
}

// invalidLine returns the line of the first byte that is not UTF-8.
func invalidLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		if c == utf8.RuneError && size == 1 {
			break
		}
		if c == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}

// The forms of the YAML library's errors.
var (
	yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)`)
	// For errors of its parser (not of its scanner) the library counts lines from 0.
	yamlParser = regexp.MustCompile(`^did not find expected (<|node content|'-' indicator|key|',' or)`)
	yamlAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced`)
)

// syntaxError gives the YAML library's error a position. Its commonest cause is a glob that should have been in quotes, since
// a star begins an alias in YAML.
func syntaxError(file string, data []byte, err error) error {
	if m := yamlAnchor.FindStringSubmatch(err.Error()); m != nil {
		star := "*" + m[1]
		before, _, _ := bytes.Cut(data, []byte(star))
		return mistake(Position{file, 1 + bytes.Count(before, []byte("\n"))}, "a name that begins with * must be in quotes: %q", star)
	}
	at, message := Position{file, 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		message = m[2]
		at.Line, _ = strconv.Atoi(m[1])
		if yamlParser.MatchString(message) {
			at.Line++
		}
		// What is missing at the end is missing from the last line, not from the one after it.
		at.Line = min(at.Line, 1+bytes.Count(bytes.TrimRight(data, "\r\n"), []byte("\n")))
	}
	switch {
	case strings.Contains(message, "alphabetic or numeric character"):
		message = `a name that begins with * must be in quotes: "*"`
	case strings.Contains(message, "cannot start any token"):
		message += "; indent with spaces, not tabs, and put names with special characters in quotes"
	}
	return mistake(at, "%s", message)
}
