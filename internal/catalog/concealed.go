package catalog

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Conceals reports whether a definition in canonical form has characters that people do not see and models read: instructions
// are hidden in tools with them. A few have honest uses, and pass in these: one variation selector after a character, and a
// joiner between two that are not ASCII, as in emoji and in the scripts of Persia and India.
func Conceals(canonical []byte) bool {
	before := ' '
	for i := 0; i < len(canonical); {
		c := canonical[i]
		if c == '\\' {
			// Of the controls that canonical form writes as escapes only these three are common in texts.
			if canonical[i+1] == 'u' || canonical[i+1] == 'b' || canonical[i+1] == 'f' {
				return true
			}
			before, i = ' ', i+2
			continue
		}
		if c < utf8.RuneSelf && c != 0x7f {
			before, i = rune(c), i+1
			continue
		}
		r, n := utf8.DecodeRune(canonical[i:])
		after, _ := utf8.DecodeRune(canonical[i+n:])
		if IsConcealed(r) && !isHonest(before, r, after) {
			return true
		}
		before, i = r, i+n
	}
	return false
}

// concealed are the characters that take no room, or change the order of what is read: those of Unicode's property
// Default_Ignorable_Code_Point, and the other controls and format characters.
var concealed = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x034f, 0x034f, 1}, {0x115f, 0x1160, 1}, {0x17b4, 0x17b5, 1}, {0x180b, 0x180f, 1}, {0x2028, 0x2029, 1}, {0x2065, 0x2065, 1},
		{0x2800, 0x2800, 1}, {0x3164, 0x3164, 1}, {0xfe00, 0xfe0f, 1}, {0xffa0, 0xffa0, 1}, {0xfff0, 0xfff8, 1},
	},
	R32: []unicode.Range32{{0xe0000, 0xe0fff, 1}},
}

// IsConcealed reports whether a character can't be seen, or changes the order of what is read. It looks at no neighbours, which may make it an
// honest one (see Conceals).
func IsConcealed(r rune) bool { return unicode.In(r, concealed, unicode.Cf, unicode.Cc) }

// isHonest reports whether a character that can't be seen stands where it changes how its neighbours look.
func isHonest(before, r, after rune) bool {
	switch {
	case r >= 0xfe00 && r <= 0xfe0f:
		return before != ' ' && !IsConcealed(before)
	case r == 0x200c || r == 0x200d:
		sees := func(r rune) bool { return r >= utf8.RuneSelf && r != utf8.RuneError && !IsConcealed(r) }
		return (sees(before) || before == 0xfe0f) && sees(after)
	}
	return false
}

// Visible returns a text in which nothing is hidden, fit for a terminal: controls and characters that can't be seen are
// written as escapes, \u{200b}. Line feeds and tabs stay.
func Visible(text string) string {
	if !strings.ContainsFunc(text, isUnfit) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case isUnfit(r):
			fmt.Fprintf(&b, `\u{%02x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isUnfit reports whether a character is not to be written to a terminal.
func isUnfit(r rune) bool {
	return r == utf8.RuneError || r != '\n' && r != '\t' && IsConcealed(r)
}
