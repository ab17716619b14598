package pages

import (
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	// maxClientName bounds what a client calls itself, in characters: enough for a name, not for a sentence.
	maxClientName = 60
	// maxLine and maxParagraph bound other texts, in characters.
	maxLine      = 256
	maxParagraph = 1000
	// maxHost bounds a host in bytes: no longer one can be looked up, even spelt out in three-byte letters, and converting
	// takes time that grows with the square of the length.
	maxHost = 3 * 253
	// maxMarks is how many combining marks may stand on one character; more climb over the lines around it.
	maxMarks = 2
)

// text is a text that came from somebody else, fit to be shown.
type text struct {
	Text string
	// Altered: there were characters in it that are not shown.
	Altered bool
}

// clean makes a text fit to be shown in one line of at most limit characters. It takes out what can't be seen or changes
// what can: control characters, marks of direction, joiners and other characters without width, blank letters, private
// and unassigned characters, and piles of combining marks. All white space becomes single spaces.
func clean(s string, limit int) text {
	// Nothing beyond a few bytes for each character can be shown; what follows need not be read.
	cut := false
	if most := limit * 4 * utf8.UTFMax; len(s) > most {
		s, cut = strings.ToValidUTF8(s[:most], ""), true
	}
	var (
		b            strings.Builder
		t            text
		count, marks int
		space        bool
	)
	for _, r := range s {
		switch {
		case r == utf8.RuneError, invisible(r):
			t.Altered = true
			continue
		case unicode.IsSpace(r):
			space = count > 0
			continue
		case unicode.IsMark(r):
			if marks++; marks > maxMarks {
				t.Altered = true
				continue
			}
		default:
			marks = 0
		}
		if space {
			count++
		}
		if count >= limit {
			cut = true
			break
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		count++
	}
	if cut {
		b.WriteRune('…')
	}
	t.Text = b.String()
	return t
}

// invisible reports whether a character shows nothing, or works on the characters around it.
func invisible(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', '\u0085', '\u2028', '\u2029':
		return false // white space, which is folded
	case '\u034f', // combining grapheme joiner
		'\u115f', '\u1160', '\u3164', '\uffa0', // Hangul fillers: letters without a shape
		'\u17b4', '\u17b5', // Khmer inherent vowels
		'\u2800': // Braille pattern without dots
		return true
	}
	return unicode.Is(unicode.Variation_Selector, r) || !unicode.IsGraphic(r)
}

// line is clean for texts of people we trust more: it only keeps a page from falling apart.
func line(s string) string { return clean(s, maxLine).Text }

func paragraph(s string) string { return clean(s, maxParagraph).Text }

func lines(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = line(s)
	}
	return out
}

// breakable lets a long host break at its dots, so that no line of it looks like a host of its own.
func breakable(host string) template.HTML {
	const short = 28
	escaped := template.HTMLEscapeString(host)
	if utf8.RuneCountInString(host) > short {
		escaped = strings.ReplaceAll(escaped, ".", "<wbr>.")
	}
	return template.HTML(escaped) // escaped above
}

// hostText is a host, with or without a port, as it is looked up: letters that look like others show as what they are,
// in the form of RFC 5891 (xn--…). What is no host at all is shown cleaned.
func hostText(host string) string {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") && strings.Count(host, ":") == 1 {
		name, port = host[:i], host[i:]
	}
	if len(name) > maxHost {
		return line(host)
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		// Not a name that can be looked up; still no letters but ASCII.
		ascii, err = idna.Punycode.ToASCII(name)
	}
	if err == nil {
		name = ascii
	}
	return line(name + port)
}
