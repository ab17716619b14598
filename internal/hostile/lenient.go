package hostile

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// member is one member of an object. Objects keep all of theirs, in the order they came.
type member struct {
	name  string
	value any
}

type object []member

// mostNested bounds how deep the reader goes; below that everything is nothing.
const mostNested = 2000

// lenient reads JSON as the most forgiving parsers do, all at once: comments, single quotes, names and texts without
// quotes, commas too many and too few, control characters, escapes that are none, several values, and values cut off.
type lenient struct {
	b        string
	i        int
	comments bool // they are skipped; else their text is read on, as by parsers that pass over what they don't know
	depth    int
}

// readAll returns the values in a text.
func readAll(text string, comments bool) (values []any) {
	for l := (lenient{b: text, comments: comments}); ; {
		if l.gap("]}"); l.i >= len(l.b) {
			return values
		}
		values = append(values, l.value())
	}
}

// gap skips white space, comments, separators, and what else no value begins with.
func (l *lenient) gap(also string) {
	for l.i < len(l.b) {
		rest := l.b[l.i:]
		switch c := rest[0]; {
		case l.comments && strings.HasPrefix(rest, "//"), l.comments && c == '#':
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			l.i += end
		case l.comments && strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				end = len(rest) - 4
			}
			l.i += end + 4
		case c <= ' ', c == 0x7f, strings.IndexByte(",;()/*#", c) >= 0, strings.IndexByte(also, c) >= 0:
			l.i++
		case strings.HasPrefix(rest, "\ufeff"), strings.HasPrefix(rest, "\u2028"), strings.HasPrefix(rest, "\u2029"):
			l.i += 3
		case strings.HasPrefix(rest, "\u00a0"):
			l.i += 2
		default:
			return
		}
	}
}

// value reads one value: an object, a list ([]any), or text. What is neither text nor a number is nil.
func (l *lenient) value() any {
	if l.depth++; l.depth > mostNested {
		l.i = len(l.b)
	}
	defer func() { l.depth-- }()
	if l.i >= len(l.b) {
		return nil
	}
	switch l.b[l.i] {
	case '{':
		return l.object()
	case '[':
		l.i++
		list := []any{}
		for {
			if l.gap(":="); l.i >= len(l.b) {
				return list
			}
			if c := l.b[l.i]; c == ']' || c == '}' {
				l.i++
				return list
			}
			list = append(list, l.value())
		}
	case '"', '\'', '`':
		return l.quoted()
	}
	switch word := l.word(); word {
	case "null", "true", "false", "undefined", "":
		return nil
	default:
		return word
	}
}

func (l *lenient) object() object {
	l.i++
	o := object{}
	for {
		if l.gap(":="); l.i >= len(l.b) {
			return o
		}
		var name string
		switch c := l.b[l.i]; c {
		case '}', ']':
			l.i++
			return o
		case '"', '\'', '`':
			name = l.quoted()
		case '{', '[':
			o = append(o, member{"", l.value()}) // no name; what it holds is not lost
			continue
		default:
			name = l.word()
		}
		if l.gap(":=>"); l.i >= len(l.b) || l.b[l.i] == '}' || l.b[l.i] == ']' {
			o = append(o, member{name, nil})
			continue
		}
		o = append(o, member{name, l.value()})
	}
}

// word reads text without quotes: a number, a literal, or a name. It always consumes something.
func (l *lenient) word() string {
	start := l.i
	for l.i++; l.i < len(l.b) && l.b[l.i] > ' ' && strings.IndexByte(",:=;{}[]\"'`", l.b[l.i]) < 0; l.i++ {
	}
	return l.b[start:l.i]
}

// quoted reads text between quotes.
func (l *lenient) quoted() string {
	quote := l.b[l.i]
	var text strings.Builder
	for l.i++; l.i < len(l.b); l.i++ {
		switch c := l.b[l.i]; {
		case c == quote:
			l.i++
			return text.String()
		case c == '\\' && l.i+1 < len(l.b):
			l.i++
			l.escape(&text)
		default:
			text.WriteByte(c)
		}
	}
	return text.String()
}

// escape reads what follows a backslash. Half a surrogate pair is U+FFFD.
func (l *lenient) escape(text *strings.Builder) {
	switch c := l.b[l.i]; c {
	case 'n':
		text.WriteByte('\n')
	case 't':
		text.WriteByte('\t')
	case 'r':
		text.WriteByte('\r')
	case '0':
		text.WriteByte(0)
	case 'x':
		text.WriteByte(byte(l.hex(2)))
	case 'u':
		r := l.hex(4)
		if utf16.IsSurrogate(r) && strings.HasPrefix(l.b[min(l.i+1, len(l.b)):], `\u`) {
			at := l.i
			l.i += 2
			if pair := utf16.DecodeRune(r, l.hex(4)); pair != utf8.RuneError {
				text.WriteRune(pair)
				return
			}
			l.i = at
		}
		text.WriteRune(r)
	default:
		text.WriteByte(c)
	}
}

// hex reads n digits behind the letter at which the reader stands.
func (l *lenient) hex(n int) rune {
	if l.i+n >= len(l.b) {
		return 0
	}
	v, err := strconv.ParseUint(l.b[l.i+1:l.i+1+n], 16, 32)
	if err != nil {
		return 0
	}
	l.i += n
	return rune(v)
}
