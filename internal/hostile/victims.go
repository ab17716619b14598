package hostile

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Request is a request: one that a client sends, or as a server got it.
type Request struct {
	Method, Target string // Target is the path and query; empty for any
	Header         http.Header
	Body           []byte
}

// reader is how a server takes members out of an object.
type reader struct {
	fold  func(name string) string // names that fold alike are one
	first bool                     // the first of several counts, else the last
	text  func(s string) string    // what becomes of texts
}

var readers = func() (all []reader) {
	asIs := func(s string) string { return s }
	for _, fold := range []func(string) string{asIs, foldCase, foldMarks} {
		for _, text := range []func(string) string{asIs, beforeNUL, onlyPlain} {
			all = append(all, reader{fold, true, text}, reader{fold, false, text})
		}
	}
	return all
}()

// foldCase folds as encoding/json does, and as upper and lower case do that take one letter at a time.
func foldCase(name string) string {
	return strings.Map(func(c rune) rune {
		switch c {
		case 'ſ':
			return 's'
		case '\u212a':
			return 'k'
		case 'ı', 'İ':
			return 'i'
		}
		return unicode.ToLower(c)
	}, name)
}

// foldMarks also takes snake_case and kebab-case for camelCase.
func foldMarks(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '_' || c == '-' {
			return -1
		}
		return c
	}, foldCase(name))
}

// beforeNUL is a text as readers in C have it.
func beforeNUL(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// onlyPlain is a text without what some servers drop: bytes that are no UTF-8, what stands for them, characters that
// nobody sees, and white space around it.
func onlyPlain(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == utf8.RuneError || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, "")))
}

// get returns what is at a path of names below v, nil if nothing is.
func (r reader) get(v any, path ...string) any {
	for _, name := range path {
		o, _ := v.(object)
		if v = r.member(o, name); v == nil {
			// What is merged into an object may become its prototype.
			v = r.member(asObject(r.member(o, "__proto__")), name)
		}
	}
	return v
}

func (r reader) member(o object, name string) (found any) {
	for _, m := range o {
		if r.fold(r.text(m.name)) == r.fold(name) {
			if found = m.value; r.first {
				return found
			}
		}
	}
	return found
}

func asObject(v any) object {
	o, _ := v.(object)
	return o
}

// string returns the text at a path.
func (r reader) string(v any, path ...string) string {
	s, _ := r.get(v, path...).(string)
	return r.text(s)
}

// nameless are the methods for which it does not matter what else their params name.
var nameless = map[string]bool{
	"": true, "initialize": true, "ping": true, "ext/ping": true, "server/discover": true, "logging/setlevel": true,
	"tools/list": true, "prompts/list": true, "resources/list": true, "resources/templates/list": true,
	"notifications/initialized": true, "notifications/cancelled": true, "notifications/progress": true, "notifications/roots/list_changed": true,
}

// names are the places in params where requests name what they want.
var names = [...][]string{
	{"name"}, {"uri"}, {"ref", "name"}, {"ref", "uri"}, {"taskId"}, {"task", "taskId"},
	{"_meta", "io.modelcontextprotocol/related-task", "taskId"},
}

// Executes says what some server would do with the request that the policy hides, and how it came to it. It is empty if
// no server would do any such thing.
func (q *Request) Executes() string {
	methods, said := q.headers()
	for coding, text := range decodings(q) {
		for _, comments := range []bool{true, false} {
			values := readAll(text, comments)
			for i, r := range readers {
				for _, m := range flat(values, nil) {
					if what := r.executes(m, methods, said); what != "" {
						return fmt.Sprintf("reader %d of %s, comments %v: %s", i, coding, comments, what)
					}
				}
			}
			if !strings.ContainsAny(text, "/#") {
				break
			}
		}
	}
	// Who goes by headers need not look at the body.
	for _, method := range methods {
		for _, name := range said {
			if !nameless[strings.ToLower(method)] && isHidden(name) {
				return "headers or path: " + method + " " + name
			}
		}
	}
	return ""
}

// executes says what this reader makes of one message. methods and said are those of the headers.
func (r reader) executes(m any, methods, said []string) string {
	params := r.get(m, "params")
	if list, ok := params.([]any); ok && len(list) > 0 {
		params = list[0] // JSON-RPC has positional params, too
	}
	for _, method := range append(methods[:len(methods):len(methods)], r.string(m, "method")) {
		if nameless[strings.ToLower(strings.TrimSpace(method))] {
			continue
		}
		for _, path := range names {
			if name := r.string(params, path...); isHidden(name) {
				return method + " " + name
			}
		}
		watched, _ := r.get(params, "notifications", "resourceSubscriptions").([]any)
		for _, name := range append(watched, r.get(params, "notifications", "taskIds")) {
			if s, _ := name.(string); isHidden(s) {
				return method + " " + s
			}
		}
		for _, name := range said {
			if isHidden(name) {
				return method + " " + name
			}
		}
	}
	for _, handle := range []string{"cursor", "requestState"} {
		if plain := r.string(params, handle); isHidden(plain) {
			return handle + " " + plain
		}
	}
	return ""
}

// flat lists the messages in what was read, also those in arrays.
func flat(values, to []any) []any {
	for _, v := range values {
		if list, ok := v.([]any); ok {
			to = flat(list, to)
		} else if v != nil {
			to = append(to, v)
		}
	}
	return to
}

// headers returns the methods and names that the request has outside of its body. Servers in the field make variables of
// headers, in which what is no letter and no digit is one and the same.
func (q *Request) headers() (methods, names []string) {
	alike := func(key string) string {
		return strings.Map(func(c rune) rune {
			if c < 'a' || c > 'z' {
				return '-'
			}
			return c
		}, strings.ToLower(key))
	}
	for key, values := range q.Header {
		for _, v := range values {
			switch alike(key) {
			case "mcp-method":
				methods = append(methods, v, unescape(v))
			case "mcp-name", "mcp-uri", "mcp-tool", "mcp-task-id":
				names = append(names, forms(v)...)
			case "x-original-url", "x-rewrite-url", "x-original-uri", "x-forwarded-uri", "x-http-method-override", "x-http-method", "x-method-override":
				methods, names = append(methods, v), append(names, v)
			}
		}
	}
	if path, query, _ := strings.Cut(q.Target, "?"); isHidden(unescape(path)) {
		methods, names = append(methods, path), append(names, path)
	} else if values, err := url.ParseQuery(query); err == nil {
		for _, all := range values {
			names = append(names, all...)
		}
		methods = append(methods, values["method"]...)
	}
	return methods, names
}
