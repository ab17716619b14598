package issuer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Claims is what a token says, by name, as plain JSON values.
type Claims map[string]any

const (
	// maxTexts bounds how many texts of one claim count.
	maxTexts = 1000
	// MaxSubject bounds a subject, in bytes.
	MaxSubject = 512
)

// Find looks up a claim by its name, or else by its path, such as realm_access.roles. Names may have dots themselves, as URLs do, also
// within a path: the longest name that is there counts.
func (c Claims) Find(path string) any {
	value, _ := find(c, path)
	return value
}

// find looks up a path below an object. It tries what is there and nothing else, so that it is quick whatever a token holds.
func find(object map[string]any, path string) (any, bool) {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		value, has := object[path[:end]]
		if !has {
			continue
		}
		if end == len(path) {
			return value, true
		}
		if below, ok := value.(map[string]any); ok {
			if found, has := find(below, path[end+1:]); has {
				return found, true
			}
		}
	}
	return nil, false
}

// Text returns the text at a path; "" if there is none, or something else.
func (c Claims) Text(path string) string {
	text, _ := c.Find(path).(string)
	return text
}

// FirstText returns the text at the first of some paths that has one.
func (c Claims) FirstText(paths []string) string {
	for _, path := range paths {
		if text := c.Text(path); text != "" {
			return text
		}
	}
	return ""
}

// Texts returns the texts at a path: those of a list, or the only one. In scope and scp, one text holds several (RFC 9068 section
// 2.2.3). What is no text is left out.
func (c Claims) Texts(path string) []string {
	switch value := c.Find(path).(type) {
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

// AllTexts returns the texts at some paths, each once.
func (c Claims) AllTexts(paths []string) []string {
	var all []string
	seen := make(map[string]bool)
	for _, path := range paths {
		for _, text := range c.Texts(path) {
			if !seen[text] {
				seen[text] = true
				all = append(all, text)
			}
		}
	}
	return all
}

// True reports whether the claim of a name is true; some issuers write that as a text.
func (c Claims) True(name string) bool {
	value := c[name]
	return value == true || value == "true"
}

// Subject returns sub, if it can be the name of somebody.
func (c Claims) Subject() (string, bool) {
	sub, ok := c["sub"].(string)
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	return sub, ok && sub != "" && len(sub) <= MaxSubject && utf8.ValidString(sub) && !strings.ContainsFunc(sub, odd)
}

// VerifiedEmail returns the e-mail address, if the issuer has made sure of it (OpenID Connect Core section 5.1).
func (c Claims) VerifiedEmail() string {
	if !c.True("email_verified") {
		return ""
	}
	return c.Text("email")
}

// InDomain reports whether an e-mail address is in one of some domains.
func InDomain(email string, domains []string) bool {
	at := strings.LastIndexByte(email, '@')
	return at > 0 && slices.ContainsFunc(domains, func(domain string) bool { return strings.EqualFold(domain, email[at+1:]) })
}
