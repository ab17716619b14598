package guard

import (
	"net/url"
	"strings"
	"testing"
)

func TestEndpointsAreOfTheServersOwnOrigin(t *testing.T) {
	const asked = "http://10.0.0.5:3001/mcp/sse?tenant=a"
	for text, want := range map[string]string{
		"/message?sessionId=1":                      "/message?sessionId=1",
		"/messages/?session_id=0a1b":                "/messages/?session_id=0a1b",
		"?sessionid=ABC":                            "/mcp/sse?sessionid=ABC",
		"message/1":                                 "/mcp/message/1",
		"http://10.0.0.5:3001/message?sessionId=1":  "/message?sessionId=1",
		"HTTP://10.0.0.5:3001/a":                    "/a",
		"http://10.0.0.5:3001":                      "/",
		"/a%20b/%C3%A9?x=%2F..%2F":                  "/a%20b/%C3%A9?x=%2F..%2F",
		"/a?next=http://evil.example/":              "/a?next=http://evil.example/",
		"/a;jsessionid=1":                           "/a;jsessionid=1",
		"/...":                                      "/...",
		"//evil.example/message":                    "",
		"///evil.example/message":                   "",
		"/\\evil.example/message":                   "",
		"http://evil.example/message":               "",
		"http://10.0.0.5/message":                   "",
		"https://10.0.0.5:3001/message":             "",
		"http://10.0.0.5:3001@evil.example/message": "",
		"http://user:pw@10.0.0.5:3001/message":      "",
		"http://10.0.0.5:3001.evil.example/message": "",
		"http:message":                              "",
		"http:/message":                             "",
		"http:///message":                           "",
		"javascript:alert(1)":                       "",
		"file:///etc/passwd":                        "",
		"/message#fragment":                         "",
		"#":                                         "",
		"":                                          "",
		"/a/../admin":                               "",
		"../admin":                                  "",
		"./message":                                 "",
		"/a/..":                                     "",
		"/a/%2e%2E/admin":                           "",
		"/a/.%2e/admin":                             "",
		"/a/%252e%252e/admin":                       "",
		"/a/..;x=y/admin":                           "",
		"/a%2fadmin":                                "",
		"/a%5cadmin":                                "",
		"/a%00":                                     "",
		"/a%zz":                                     "",
		"/a//../b":                                  "",
		"/a b":                                      "",
		"/a\tb":                                     "",
		"/a\nb":                                     "",
		"/a\x00":                                    "",
		"/é":                                        "",
		"/" + strings.Repeat("a", maxEndpoint):      "",
	} {
		base, err := url.Parse(asked)
		if err != nil {
			t.Fatal(err)
		}
		switch to, err := resolveEndpoint(base, text); {
		case want == "" && err == nil:
			t.Errorf("%q is taken for %s", text, to)
		case want != "" && (err != nil || to.String() != want || to.RequestURI() != want):
			t.Errorf("%q is taken for %v (%v), want %s", text, to, err, want)
		}
	}
	if to, err := resolveEndpoint(nil, "/message"); err == nil {
		t.Errorf("relative to nothing it is %s", to)
	}
}

func TestOriginsAreTheSameWithAndWithoutTheirDefaultPort(t *testing.T) {
	for _, c := range []struct {
		asked, text string
		same        bool
	}{
		{"https://mcp.example.com/sse", "https://mcp.example.com:443/m", true},
		{"https://mcp.example.com:443/sse", "https://MCP.example.com/m", true},
		{"http://[::1]:80/sse", "http://[::1]/m", true},
		{"https://mcp.example.com/sse", "http://mcp.example.com:443/m", false},
		{"https://mcp.example.com/sse", "https://mcp.example.com:8443/m", false},
		{"https://mcp.example.com/sse", "https://mcp.example.com./m", false},
	} {
		base, _ := url.Parse(c.asked)
		if _, err := resolveEndpoint(base, c.text); (err == nil) != c.same {
			t.Errorf("%s of %s: %v", c.text, c.asked, err)
		}
	}
}

// FuzzEndpoint holds that a place that messages are posted to is at the server's own origin to whoever reads it, and
// that it survives being written down.
func FuzzEndpoint(f *testing.F) {
	for _, text := range []string{"/message?sessionId=1", "?a=b", "message", "http://s:1/a", "//evil/a", "/a/../b", "/%2e%2e/a", "http://s:1@evil/", "/a;b/c"} {
		f.Add(text)
	}
	base, _ := url.Parse("http://s:1/mcp/sse")
	f.Fuzz(func(t *testing.T, text string) {
		to, err := resolveEndpoint(base, text)
		if err != nil {
			return
		}
		target := to.RequestURI()
		if target[0] != '/' || strings.HasPrefix(target, "//") || strings.ContainsAny(target, "#\\\r\n \x00") || to.Host != "" || to.Scheme != "" || to.User != nil {
			t.Fatalf("%q is taken for %q", text, target)
		}
		again, err := url.ParseRequestURI(target)
		if err != nil || again.RequestURI() != target || again.Path != to.Path {
			t.Fatalf("%q is taken for %q, which reads back as %v (%v)", text, target, again, err)
		}
		// What a client of the server's own would have resolved.
		ref, err := base.Parse(text)
		if err != nil || !sameOrigin(base, ref) || ref.RequestURI() != target {
			t.Fatalf("%q is taken for %q, and by others for %v (%v)", text, target, ref, err)
		}
	})
}
