package hostile

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"io"
	"iter"
	"net/url"
	"strings"
	"unicode/utf16"
)

// mostDecoded bounds what a coding may expand to.
const mostDecoded = 1 << 20

// decodings yields what servers could take a body for, by the name of the coding.
func decodings(q *Request) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		body := q.Body
		if !yield("the body", string(body)) {
			return
		}
		for _, c := range []struct {
			name   string
			decode func([]byte) string
			may    bool
		}{
			{"UTF-16, little endian", func(b []byte) string { return fromUTF16(b, binary.LittleEndian) }, bytes.IndexByte(body, 0) >= 0},
			{"UTF-16, big endian", func(b []byte) string { return fromUTF16(b, binary.BigEndian) }, bytes.IndexByte(body, 0) >= 0},
			{"UTF-32, little endian", func(b []byte) string { return fromUTF32(b, binary.LittleEndian) }, bytes.IndexByte(body, 0) >= 0},
			{"UTF-32, big endian", func(b []byte) string { return fromUTF32(b, binary.BigEndian) }, bytes.IndexByte(body, 0) >= 0},
			{"overlong UTF-8", fromOverlong, bytes.IndexByte(body, 0xc0) >= 0 || bytes.IndexByte(body, 0xc1) >= 0},
			{"gzip", fromGzip, bytes.HasPrefix(body, []byte("\x1f\x8b"))},
			{"zlib", fromZlib, len(body) > 2 && body[0]&0xf == 8},
			{"deflate", func(b []byte) string { return some(flate.NewReader(bytes.NewReader(b))) }, len(body) > 2 && body[0] < 0x80 && body[0] != '{' && body[0] != '['},
			{"a form", func(b []byte) string { return unescape(string(b)) }, bytes.ContainsAny(body, "%+")},
			{"Base64", func(b []byte) string { return strings.Join(fromBase64(string(b)), "\n") }, !bytes.ContainsAny(body, "{[")},
		} {
			if text := ""; c.may {
				if text = c.decode(body); text != "" && !yield(c.name, text) {
					return
				}
			}
		}
	}
}

// some reads as much as a decoder gives.
func some(r io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(r, mostDecoded))
	return string(text)
}

func fromGzip(b []byte) string {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return ""
	}
	return some(r)
}

func fromZlib(b []byte) string {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return ""
	}
	return some(r)
}

func fromUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func fromUTF32(b []byte, order binary.ByteOrder) string {
	var text strings.Builder
	for ; len(b) >= 4; b = b[4:] {
		text.WriteRune(rune(order.Uint32(b)))
	}
	return text.String()
}

// fromOverlong reads two bytes for a character that has one.
func fromOverlong(b []byte) string {
	var text []byte
	for i := 0; i < len(b); i++ {
		if b[i]&0xfe == 0xc0 && i+1 < len(b) {
			text = append(text, b[i]<<6|b[i+1]&0x3f)
			i++
			continue
		}
		text = append(text, b[i])
	}
	return string(text)
}

// unescape replaces %XX as often as it is there, also twice over, and + by a space.
func unescape(s string) string {
	for range 3 {
		var text strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] == '%' && i+2 < len(s) {
				if c, err := url.PathUnescape(s[i : i+3]); err == nil {
					text.WriteString(c)
					i += 2
					continue
				}
			}
			text.WriteByte(s[i])
		}
		s = text.String()
	}
	return s
}

// forms are what a header's value can be taken for.
func forms(v string) []string {
	all := []string{v, unescape(v)}
	inner := v
	if i, j := strings.LastIndexByte(strings.TrimSuffix(v, "?="), '?'), strings.HasSuffix(v, "?="); i >= 0 && j {
		inner = v[i+1 : len(v)-2]
	}
	return append(all, fromBase64(inner)...)
}

// fromBase64 decodes every run of the alphabet's letters, from each of the four places where it can begin.
func fromBase64(s string) (found []string) {
	isLetter := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+/-_", c) >= 0
	}
	plain := strings.NewReplacer("-", "+", "_", "/")
	for i := 0; i < len(s); i++ {
		start := i
		for i < len(s) && isLetter(s[i]) {
			i++
		}
		run := plain.Replace(s[start:i])
		for from := 0; from < 4 && len(run)-from >= 4; from++ {
			whole := run[from:]
			if len(whole)%4 == 1 {
				whole = whole[:len(whole)-1]
			}
			if b, err := base64.RawStdEncoding.DecodeString(whole); err == nil {
				found = append(found, string(b))
			}
		}
	}
	return found
}
