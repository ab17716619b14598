package policy

import "strings"

// maxSuggest is the length in bytes up to which words are compared.
const maxSuggest = 64

// Suggest returns the known word that was probably meant by a misspelt one, or "" if none is near or the word is
// known itself. Of equally near ones it is the first.
func Suggest(word string, known []string) string {
	best, nearest := "", allowance(word)+1
	for _, k := range known {
		if k == word {
			return ""
		}
		d := distance(word, k, nearest-1)
		if strings.EqualFold(k, word) {
			d = 0
		}
		if d < nearest {
			best, nearest = k, d
		}
	}
	return best
}

// allowance is how many edits a word may be away: one in three letters.
func allowance(word string) int {
	if len(word) > maxSuggest {
		return 0
	}
	return min((len(word)+2)/3, 3)
}

// distance counts the insertions, deletions, substitutions and swaps of neighbours between a and b (optimal string
// alignment). Beyond limit it may return any greater number.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > maxSuggest || len(b) > maxSuggest {
		return limit + 1
	}
	var rows [3][maxSuggest + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitute := last[j-1]
			if a[i-1] != b[j-1] {
				substitute++
			}
			row[j] = min(last[j]+1, row[j-1]+1, substitute)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// didYouMean returns "; did you mean X?" with the nearest known word, or else.
func didYouMean(word string, known []string, otherwise string) string {
	if s := Suggest(word, known); s != "" {
		return "; did you mean " + s + "?"
	}
	return otherwise
}
