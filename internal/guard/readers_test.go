package guard

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// A reader is how some server in the field takes JSON apart: whether it folds the
// case of member names, and which of two equal members it takes.
type jsonReader struct {
	fold, first bool
}

var jsonReaders = []jsonReader{{false, false}, {false, true}, {true, false}, {true, true}}

// object is a value as a reader sees it: a map, a list, a string or something else.
type object map[string]any

func (r jsonReader) key(name string) string {
	if !r.fold {
		return name
	}
	// What encoding/json does, and then some: simple folding, with the letters
	// that upper or lower case turn into ASCII ones.
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

// read reads one value, as leniently as there are readers: equal names, invalid
// UTF-8 and what follows are no reason to stop.
func (r jsonReader) read(text []byte) (any, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return r.value(d)
}

func (r jsonReader) value(d *jsontext.Decoder) (any, bool) {
	tok, err := d.ReadToken()
	if err != nil {
		return nil, false
	}
	switch tok.Kind() {
	case '{':
		o := object{}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return o, false
			}
			key := r.key(name.String())
			v, ok := r.value(d)
			if _, there := o[key]; !there || !r.first {
				o[key] = v
			}
			if !ok {
				return o, false
			}
		}
		_, err := d.ReadToken()
		return o, err == nil
	case '[':
		var l []any
		for d.PeekKind() != ']' {
			v, ok := r.value(d)
			l = append(l, v)
			if !ok {
				return l, false
			}
		}
		_, err := d.ReadToken()
		return l, err == nil
	case '"':
		return tok.String(), true
	}
	return nil, true
}

// member returns a member of an object, or nil.
func member(v any, r jsonReader, name string) any {
	o, _ := v.(object)
	return o[r.key(name)]
}

// beforeNUL is a string as readers in C have it.
func beforeNUL(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// named lists the tools, prompts and resources that some reader of a request
// would take it to name, by its body or by its headers.
func named(r received) (names []string) {
	add := func(v any) {
		if s, ok := v.(string); ok {
			names = append(names, s, beforeNUL(s))
		}
	}
	for _, reader := range jsonReaders {
		d := jsontext.NewDecoder(bytes.NewReader(bytes.TrimPrefix(r.body, []byte("\ufeff"))), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		for {
			v, _ := reader.value(d)
			messages := []any{v}
			if l, ok := v.([]any); ok {
				messages = l
			}
			for _, m := range messages {
				params := member(m, reader, "params")
				add(member(params, reader, "name"))
				add(member(params, reader, "uri"))
				ref := member(params, reader, "ref")
				add(member(ref, reader, "name"))
				add(member(ref, reader, "uri"))
				watched, _ := member(member(params, reader, "notifications"), reader, "resourceSubscriptions").([]any)
				for _, w := range watched {
					add(w)
				}
			}
			if d.PeekKind() == 0 {
				break
			}
		}
	}
	for key, values := range r.header {
		if strings.EqualFold(strings.ReplaceAll(key, "_", "-"), "Mcp-Name") {
			for _, v := range values {
				names = append(names, v)
				if b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(v, "=?base64?"), "?=")); err == nil {
					names = append(names, string(b))
				}
			}
		}
	}
	return names
}

// runsHidden reports whether some server would run or read what is hidden.
func runsHidden(r received) bool {
	return slices.ContainsFunc(named(r), func(n string) bool {
		return strings.Contains(strings.ToLower(n), "hidden")
	})
}

// entry is what a list has of one kind.
type entry struct {
	kind policy.Kind
	name string
}

// objects lists the objects in a value, at whatever depth.
func objects(v any) (found []any) {
	switch v := v.(type) {
	case object:
		found = append(found, v)
		for _, inner := range v {
			found = append(found, objects(inner)...)
		}
	case []any:
		for _, inner := range v {
			found = append(found, objects(inner)...)
		}
	}
	return found
}

// listed lists the entries that some reader finds in a message, whatever it answers.
func listed(msg []byte) (found []entry) {
	for _, reader := range jsonReaders {
		v, _ := reader.read(msg)
		messages := []any{v}
		if l, ok := v.([]any); ok {
			messages = l
		}
		for _, m := range messages {
			for _, in := range append(objects(member(m, reader, "error")), member(m, reader, "result"), member(m, reader, "params")) {
				for kind, list := range map[policy.Kind]string{policy.Tool: "tools", policy.Prompt: "prompts", policy.Resource: "resources", policy.Template: "resourceTemplates"} {
					entries, _ := member(in, reader, list).([]any)
					for _, e := range entries {
						s, _ := member(e, reader, identity[kind].name).(string)
						found = append(found, entry{kind, s}, entry{kind, beforeNUL(s)})
					}
				}
			}
		}
	}
	return found
}

// copyOf returns a request as a next would see it.
func copyOf(r *http.Request) received {
	body, _ := io.ReadAll(r.Body)
	return received{r.Method, r.Header.Clone(), body, r.ContentLength}
}
