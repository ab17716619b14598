package pages

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// palettes reads the colours of the light and the dark scheme from the style sheet.
func palettes(t *testing.T) map[string]map[string]float64 {
	t.Helper()
	light, dark, ok := strings.Cut(styleSheet, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark scheme")
	}
	dark, _, _ = strings.Cut(dark, "\n}\n")
	variable := regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)
	out := make(map[string]map[string]float64)
	for name, part := range map[string]string{"light": light, "dark": dark} {
		out[name] = make(map[string]float64)
		for _, m := range variable.FindAllStringSubmatch(part, -1) {
			out[name][m[1]] = luminance(t, m[2])
		}
	}
	return out
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	v, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	channel := func(shift uint) float64 {
		c := float64(v>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}

func TestColoursHaveEnoughContrast(t *testing.T) {
	for scheme, colours := range palettes(t) {
		for _, c := range []struct {
			front, back string
			want        float64 // WCAG 2.2: 4.5 for text (1.4.3), 3 for the edges of controls and focus (1.4.11)
		}{
			{"text", "ground", 4.5}, {"text", "card", 4.5}, {"text", "wash", 4.5}, {"text", "warn", 4.5}, {"text", "bad", 4.5},
			{"soft", "ground", 4.5}, {"soft", "card", 4.5}, {"soft", "wash", 4.5},
			{"on-main", "main", 4.5}, {"on-main", "main-hover", 4.5}, {"main", "card", 4.5},
			{"edge", "card", 3}, {"edge", "wash", 3}, {"main", "ground", 3}, {"warn-edge", "card", 3}, {"bad-edge", "card", 3},
		} {
			front, ok1 := colours[c.front]
			back, ok2 := colours[c.back]
			if !ok1 || !ok2 {
				t.Errorf("%s: no colour %s or %s", scheme, c.front, c.back)
				continue
			}
			ratio := (max(front, back) + 0.05) / (min(front, back) + 0.05)
			if ratio < c.want {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", scheme, c.front, c.back, ratio, c.want)
			}
		}
	}
}

// TestSummariesKeepTheirWordsTogether holds that what is laid out as a flexible box has one child: each would be a column of its own, with
// the space between them lost.
func TestSummariesKeepTheirWordsTogether(t *testing.T) {
	text, err := os.ReadFile("templates/grant.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, summary := range regexp.MustCompile(`<summary>.*?</summary>`).FindAllString(string(text), -1) {
		if strings.Contains(summary, "<bdi>") && !strings.HasPrefix(summary, "<summary><span>") {
			t.Errorf("%s falls apart", summary)
		}
	}
}
