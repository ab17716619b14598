package catalog

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// mostCompared bounds the pairs of lines that Diff compares; beyond, all lines count as different.
const mostCompared = 4 << 20

// around is how many lines Diff shows around those that differ.
const around = 3

// Readable writes a definition in canonical form over lines, fit for a terminal: texts as they read, schemas indented, and
// what can't be seen as escapes.
func Readable(canonical string) []string {
	d, ok := readDefinition([]byte(canonical))
	if !ok {
		return []string{Visible(canonical)}
	}
	var lines []string
	for _, part := range [...]int{partName, partTitle, partDescription, partAnnotations, partInput, partOutput} {
		raw := d.parts[part]
		if raw == nil {
			continue
		}
		lines = append(lines, partNames[part]+":")
		var text string
		if json.Unmarshal(raw, &text) != nil {
			value := raw.Clone()
			_ = value.Indent(jsontext.WithIndent("  ")) // it stays as it is if it can't be, and is well-formed
			text = string(value)
		}
		for line := range strings.SplitSeq(text, "\n") {
			lines = append(lines, "  "+Visible(line))
		}
	}
	return lines
}

// Diff returns what differs between two definitions in canonical form, as a unified diff of their readable forms. An empty
// one is of no tool. It is empty if nothing that can be read differs.
func Diff(was, now string) string {
	var a, b []string
	if was != "" {
		a = Readable(was)
	}
	if now != "" {
		b = Readable(now)
	}
	edits := compare(a, b)
	var out strings.Builder
	for from := 0; from < len(edits); {
		if edits[from].mark == ' ' {
			from++
			continue
		}
		begin, end, quiet := max(0, from-around), from, 0
		for end < len(edits) && quiet <= 2*around {
			if quiet++; edits[end].mark != ' ' {
				quiet = 0
			}
			end++
		}
		end = min(len(edits), end-max(0, quiet-around))
		writeHunk(&out, edits, begin, end)
		from = end
	}
	return out.String()
}

// edit is a line of a diff.
type edit struct {
	mark byte // ' ', '-' or '+'
	line string
}

// writeHunk writes the edits from begin to end, with how many lines of each side come before them.
func writeHunk(out *strings.Builder, edits []edit, begin, end int) {
	var a, b, inA, inB int
	for i, e := range edits[:end] {
		if i == begin {
			inA, inB = a, b
		}
		if e.mark != '+' {
			a++
		}
		if e.mark != '-' {
			b++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(inA, a), span(inB, b))
	for _, e := range edits[begin:end] {
		fmt.Fprintf(out, "%c%s\n", e.mark, e.line)
	}
}

// span writes which lines a hunk has, as diff -u does.
func span(from, to int) string {
	if from == to {
		return fmt.Sprintf("%d,0", from)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

// compare returns the fewest edits that lead from a to b, by the longest common subsequence of what is between their common
// beginning and end.
func compare(a, b []string) []edit {
	var edits []edit
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		edits = append(edits, edit{' ', a[head]})
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	rest := a[len(a)-tail:]
	a, b = a[head:len(a)-tail], b[head:len(b)-tail]
	// common[i][j] is how long the longest common subsequence of a[i:] and b[j:] is.
	common := make([][]int32, len(a)+1)
	if len(a)*len(b) <= mostCompared {
		for i := range common {
			common[i] = make([]int32, len(b)+1)
		}
		for i := len(a) - 1; i >= 0; i-- {
			for j := len(b) - 1; j >= 0; j-- {
				if a[i] == b[j] {
					common[i][j] = common[i+1][j+1] + 1
				} else {
					common[i][j] = max(common[i+1][j], common[i][j+1])
				}
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case common[0] != nil && i < len(a) && j < len(b) && a[i] == b[j]:
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[0] == nil || common[i+1][j] >= common[i][j+1]):
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	for _, line := range rest {
		edits = append(edits, edit{' ', line})
	}
	return edits
}
