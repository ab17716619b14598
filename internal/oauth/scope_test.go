package oauth

import (
	"strings"
	"testing"
)

func TestParseScope(t *testing.T) {
	for _, tc := range []struct {
		name, raw, want string
		refused         bool
	}{
		{"none", "", "mcp", false},
		{"mcp", "mcp", "mcp", false},
		{"with offline_access", "offline_access mcp", "mcp offline_access", false},
		{"offline_access alone", "offline_access", "mcp offline_access", false},
		{"unknown ones are left out", "openid profile email admin", "mcp", false},
		{"more spaces", "  mcp   openid ", "mcp", false},
		{"not printable", "mcp\n", "", true},
		{"too long", strings.Repeat("a ", maxScope), "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseScope(tc.raw)
			if got != tc.want || (err != nil) != tc.refused {
				t.Errorf("parseScope(%q) = %q, %v", tc.raw, got, err)
			}
		})
	}
}

func TestNarrowScope(t *testing.T) {
	for _, tc := range []struct {
		name, raw, granted, want string
		refused                  bool
	}{
		{"nothing said", "", "mcp offline_access", "mcp offline_access", false},
		{"less", "mcp", "mcp offline_access", "mcp", false},
		{"the same", "offline_access mcp", "mcp offline_access", "mcp offline_access", false},
		{"more never widens", "mcp offline_access admin", "mcp", "mcp", false},
		{"without mcp nothing is left", "offline_access", "mcp offline_access", "", true},
		{"not printable", "mcp\x00", "mcp", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := narrowScope(tc.raw, tc.granted)
			if got != tc.want || (err != nil) != tc.refused {
				t.Errorf("narrowScope(%q, %q) = %q, %v", tc.raw, tc.granted, got, err)
			}
		})
	}
}
