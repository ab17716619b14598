package mcpcmd

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// blanks are characters that are letters or marks to Unicode, and show nothing: they can hide text from whoever reads a
// policy, as can those that [unicode.IsPrint] knows.
var blanks = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // fillers of Hangul
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // inherent vowels of Khmer
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // variation selectors of Mongolian
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // blank of Braille
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // filler of Hangul
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, // variation selectors
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // filler of Hangul, half width
	},
	R32: []unicode.Range32{{Lo: 0xe0100, Hi: 0xe01ef, Stride: 1}}, // variation selectors
}

// plainLine makes one line that a person can read of a text that a server made up: it has no line breaks, and nothing that a
// terminal obeys or that can't be seen. At most limit characters are kept.
func plainLine(text string, limit int) string {
	// What follows can't be in the line: each word is at most as long as all of it.
	text = strings.ToValidUTF8(cutText(text, 64*limit), " ")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case !seen(r):
			return -1
		}
		return r
	}, text)
	return cutText(strings.Join(strings.Fields(text), " "), limit)
}

// seen reports whether a person can see a character, or the place where it stands.
func seen(r rune) bool { return unicode.IsPrint(r) && !unicode.Is(blanks, r) && r != utf8.RuneError }

// cutText returns at most limit characters of a text, and shows that it cut.
func cutText(text string, limit int) string {
	for i := range text {
		if limit--; limit < 0 {
			return strings.TrimRight(text[:i], " ") + "…"
		}
	}
	return text
}
