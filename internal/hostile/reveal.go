package hostile

import (
	"bytes"
	"encoding/hex"
	"html"
	"regexp"
	"strings"
)

// Reveals returns what of an answer's bytes names something hidden, with what is around it, and "" if nothing does: as it
// is, in any case, escaped (%68, \u0068, \x68, &#104;), in Base64 or hex, in UTF-16 or with other bytes between, compressed, or
// split over lines, events and chunks.
func Reveals(b []byte) string {
	for _, view := range views(string(b)) {
		if i := strings.Index(strings.ToLower(view.text), Marker); i >= 0 {
			return view.name + ": …" + view.text[max(0, i-60):min(len(view.text), i+60)]
		}
	}
	return ""
}

type view struct{ name, text string }

var (
	escapes = regexp.MustCompile(`(?i)\\+(?:u00|x)([0-9a-f]{2})`)
	digits  = regexp.MustCompile(`(?i)(?:[0-9a-f]{2}[: -]?){6,}`)
	breaks  = regexp.MustCompile(`[\r\n]+(?:data: ?|[ \t]+)?`)
	chunks  = regexp.MustCompile(`(?:^|\r\n)[0-9a-fA-F]+(?:;[^\r\n]*)?\r\n`)
)

func views(s string) []view {
	all := []view{
		{"as it is", s},
		{"over lines", breaks.ReplaceAllString(s, "")},
		{"over chunks", chunks.ReplaceAllString(s, "")},
		{"in Base64", strings.Join(fromBase64(s), "\n")},
	}
	if strings.ContainsRune(s, '\\') {
		all = append(all, view{"escaped", escapes.ReplaceAllStringFunc(s, func(e string) string {
			c, _ := hex.DecodeString(e[len(e)-2:])
			return string(c)
		})})
	}
	if strings.ContainsRune(s, '%') {
		all = append(all, view{"percent-encoded", unescape(s)})
	}
	if strings.ContainsRune(s, '&') {
		all = append(all, view{"in HTML", html.UnescapeString(s)})
	}
	if strings.IndexByte(s, 0xc0) >= 0 || strings.IndexByte(s, 0xc1) >= 0 {
		all = append(all, view{"overlong", fromOverlong([]byte(s))})
	}
	if strings.IndexByte(s, 0) >= 0 {
		all = append(all, view{"with NUL between", strings.ReplaceAll(s, "\x00", "")})
	}
	for _, run := range digits.FindAllString(s, -1) {
		run = strings.NewReplacer(":", "", " ", "", "-", "").Replace(run)
		for _, from := range []int{0, 1} {
			if whole := run[min(from, len(run)):]; len(whole) > 1 {
				text, _ := hex.DecodeString(whole[:len(whole)&^1])
				all = append(all, view{"in hex", string(text)})
			}
		}
	}
	for rest := []byte(s); ; {
		at := bytes.Index(rest, []byte("\x1f\x8b"))
		if at < 0 {
			return all
		}
		all = append(all, view{"in gzip", fromGzip(rest[at:])})
		rest = rest[at+2:]
	}
}
