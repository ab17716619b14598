package oauth

import (
	"strings"
	"testing"
)

func TestCanonicalResource(t *testing.T) {
	for _, tc := range []struct {
		name, raw, want string
	}{
		{"as it is", "https://mcp.example.com/github", "https://mcp.example.com/github"},
		{"trailing slash", "https://mcp.example.com/github/", "https://mcp.example.com/github"},
		{"root", "https://mcp.example.com/", "https://mcp.example.com"},
		{"root without slash", "https://mcp.example.com", "https://mcp.example.com"},
		{"capitals in scheme and host", "HTTPS://MCP.example.com/GitHub", "https://mcp.example.com/GitHub"},
		{"default port", "https://mcp.example.com:443/github", "https://mcp.example.com/github"},
		{"default port of http", "http://localhost:80/mcp", "http://localhost/mcp"},
		{"another port", "http://localhost:8788/mcp", "http://localhost:8788/mcp"},
		{"encoding is kept", "https://mcp.example.com/git%68ub", "https://mcp.example.com/git%68ub"},
		{"two slashes are one too many", "https://mcp.example.com/github//", "https://mcp.example.com/github/"},

		{"nothing", "", ""},
		{"no scheme", "mcp.example.com/github", ""},
		{"a fragment", "https://mcp.example.com/github#x", ""},
		{"a query", "https://mcp.example.com/github?x", ""},
		{"user info", "https://a@mcp.example.com/github", ""},
		{"another scheme", "ftp://mcp.example.com/github", ""},
		{"opaque", "https:mcp.example.com", ""},
		{"a backslash", `https://mcp.example.com\github`, ""},
		{"a control character", "https://mcp.example.com/\x01", ""},
		{"too long", "https://mcp.example.com/" + strings.Repeat("a", maxResource), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := canonicalResource(tc.raw)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("canonicalResource(%q) = %q, %v, want %q", tc.raw, got, ok, tc.want)
			}
		})
	}
}

func TestResourceOfARequest(t *testing.T) {
	one := []Resource{{URL: "https://mcp.example.com/github", Server: "github", Mount: "/github"}}
	two := append(one, Resource{URL: "https://mcp.example.com/images", Server: "images", Mount: "/images"})
	for _, tc := range []struct {
		name      string
		mounts    []Resource
		def, raw  string
		wantMount string
	}{
		{"the only one", one, "", "", "/github"},
		{"none said, a default", two, "https://mcp.example.com/images", "", "/images"},
		{"none said, no default", two, "", "", ""},
		{"named", two, "", "https://mcp.example.com/images", "/images"},
		{"named with a slash", two, "", "https://mcp.example.com/images/", "/images"},
		{"the name counts, not the default", two, "https://mcp.example.com/images", "https://mcp.example.com/github", "/github"},
		{"unknown", two, "https://mcp.example.com/images", "https://mcp.example.com/other", ""},
		{"the origin is none of them", two, "", "https://mcp.example.com", ""},
		{"unknown though there is only one", one, "", "https://evil.example/github", ""},
		{"no mount at all", nil, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &Server{cfg: Config{Resources: func() []Resource { return tc.mounts }, DefaultResource: tc.def}}
			res, err := s.resource(tc.raw)
			if res.Mount != tc.wantMount || (err == nil) != (tc.wantMount != "") {
				t.Errorf("resource(%q) = %+v, %v", tc.raw, res, err)
			}
			if err != nil && asProtocolError(err).code != codeInvalidTarget {
				t.Errorf("the error is %v, want invalid_target", err)
			}
		})
	}
}
