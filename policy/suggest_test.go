package policy

import (
	"strings"
	"testing"
)

func TestSuggest(t *testing.T) {
	known := []string{"github", "gitlab", "images", "docs", "a"}
	for word, want := range map[string]string{
		"githb":                              "github",
		"gihtub":                             "github",
		"GITHUB":                             "github",
		"gitlabs":                            "gitlab",
		"gitxab":                             "gitlab",
		"image":                              "images",
		"dcos":                               "docs",
		"dox":                                "",
		"b":                                  "a",
		"github":                             "", // it is known: nothing is misspelt
		"unknown":                            "",
		"":                                   "",
		strings.Repeat("x", 1000) + "github": "",
	} {
		if got := Suggest(word, known); got != want {
			t.Errorf("Suggest(%.20q) = %q, want %q", word, got, want)
		}
	}
	if got := Suggest("githab", []string{"gitlab", "github"}); got != "gitlab" {
		t.Errorf("of equally near words the first is suggested, not %q", got)
	}
	if got := Suggest("github", nil); got != "" {
		t.Errorf("from nothing: %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"abcd", "badc", 2},
		{"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		for _, got := range []int{distance(tt.a, tt.b, 9), distance(tt.b, tt.a, 9)} {
			if got != tt.want {
				t.Errorf("distance(%s, %s) = %d, want %d", tt.a, tt.b, got, tt.want)
			}
		}
	}
}
