package policy

import "strings"

// glob is a compiled pattern. Its pieces are separated by wildcards that stand for any run of characters (* in names, ** in
// URIs); the literals of a piece are separated by wildcards that stand for any run without a slash (* in URIs). So a
// name's pieces have one literal each, and a pattern without wildcards is one piece with one literal.
//
// Matching takes each literal at the first place where it fits and never goes back over a run it has decided on, so that
// its time grows with the text and not with the number of wildcards that could share it.
type glob [][]string

// parseGlob compiles a pattern of the kind. Runs of three and more stars are read as **.
func parseGlob(k Kind, pattern string) glob {
	g := glob{nil}
	for {
		star := strings.IndexByte(pattern, '*')
		if star < 0 {
			star = len(pattern)
		}
		last := len(g) - 1
		g[last] = append(g[last], pattern[:star])
		if star == len(pattern) {
			return g
		}
		rest := strings.TrimLeft(pattern[star:], "*")
		if stars := len(pattern) - star - len(rest); !k.uri() || stars > 1 {
			g = append(g, nil)
		}
		pattern = rest
	}
}

// literal reports whether the pattern has no wildcard.
func (g glob) literal() bool { return len(g) == 1 && len(g[0]) == 1 }

// prefix and suffix are what every match begins and ends with.
func (g glob) prefix() string { return g[0][0] }

func (g glob) suffix() string {
	last := g[len(g)-1]
	return last[len(last)-1]
}

// longest is the longest literal, which every match contains.
func (g glob) longest() string {
	longest := ""
	for _, piece := range g {
		for _, lit := range piece {
			if len(lit) > len(longest) {
				longest = lit
			}
		}
	}
	return longest
}

// match reports whether the whole text matches.
func (g glob) match(text string) bool {
	first, last := g[0], g[len(g)-1]
	if !strings.HasPrefix(text, first[0]) {
		return false
	}
	text = text[len(first[0]):]
	if len(g) == 1 {
		return fill(first[1:], text)
	}
	n := follow(first[1:], text)
	if n < 0 {
		return false
	}
	text = text[n:]
	if n = precede(last, text); n < 0 {
		return false
	}
	text = text[:n]
	for _, piece := range g[1 : len(g)-1] {
		if n = find(piece, text); n < 0 {
			return false
		}
		text = text[n:]
	}
	return true
}

// fill reports whether the literals, each after a run without a slash, make up the text exactly.
func fill(lits []string, text string) bool {
	if len(lits) == 0 {
		return text == ""
	}
	last := len(lits) - 1
	n := follow(lits[:last], text)
	if n < 0 {
		return false
	}
	run, ok := strings.CutSuffix(text[n:], lits[last])
	return ok && strings.IndexByte(run, '/') < 0
}

// follow takes the literals, each after the shortest possible run without a slash, from the start of the text. It returns
// where they end, or -1.
func follow(lits []string, text string) int {
	end := 0
	for _, lit := range lits {
		rest := text[end:]
		// The run stops at the first slash, so the literal begins there at the latest.
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			rest = rest[:min(len(rest), slash+len(lit))]
		}
		i := strings.Index(rest, lit)
		if i < 0 {
			return -1
		}
		end += i + len(lit)
	}
	return end
}

// precede takes a piece's literals from the end of the text backwards, the last at the very end, each of the others before
// the shortest possible run without a slash. It returns where they begin, or -1.
func precede(piece []string, text string) int {
	last := len(piece) - 1
	if !strings.HasSuffix(text, piece[last]) {
		return -1
	}
	start := len(text) - len(piece[last])
	for i := last - 1; i >= 0; i-- {
		lit := piece[i]
		// The run begins after the last slash, so the literal ends there at the earliest.
		from := max(0, strings.LastIndexByte(text[:start], '/')+1-len(lit))
		at := strings.LastIndex(text[from:start], lit)
		if at < 0 {
			return -1
		}
		start = from + at
	}
	return start
}

// find looks for the first place where a piece fits. It returns where it ends, or -1.
func find(piece []string, text string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], piece[0])
		if i < 0 {
			return -1
		}
		run := from + i + len(piece[0])
		if n := follow(piece[1:], text[run:]); n >= 0 {
			return run + n
		}
		// A later first literal whose run stops at the same slash would fare no better: there is less room.
		slash := strings.IndexByte(text[run:], '/')
		if slash < 0 {
			return -1
		}
		from = run + slash + 1 - len(piece[0])
	}
}
