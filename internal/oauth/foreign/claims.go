package foreign

import "strings"

// Claims is what a token says, by name, as plain JSON values.
type Claims map[string]any

// maxTexts bounds how many texts of one claim count.
const maxTexts = 1000

// find looks up a claim by its name or else by its path, such as realm_access.roles: names that are URLs have dots, too.
func (c Claims) find(path string) any {
	if value, has := c[path]; has {
		return value
	}
	var value any = map[string]any(c)
	for name := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// Text returns the text at a path; "" if there is none, or something else.
func (c Claims) Text(path string) string {
	text, _ := c.find(path).(string)
	return text
}

// Texts returns the texts at a path: those of a list, or the only one. In scope and scp, one text holds several (RFC 9068 section
// 2.2.3). What is no text is left out.
func (c Claims) Texts(path string) []string {
	switch value := c.find(path).(type) {
	case string:
		if value == "" {
			return nil
		}
		if path == "scope" || path == "scp" {
			return strings.Fields(value)
		}
		return []string{value}
	case []any:
		var texts []string
		for _, element := range value[:min(len(value), maxTexts)] {
			if text, ok := element.(string); ok && text != "" {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}

// True reports whether the claim of a name is true; some issuers write that as a text.
func (c Claims) True(name string) bool {
	value := c[name]
	return value == true || value == "true"
}
