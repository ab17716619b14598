package fetch

import (
	"net/netip"
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	for address, want := range map[string]bool{
		"https://claude.ai/oauth/mcp-oauth-client-metadata": true,
		"https://example.com":                               true,
		"https://example.com:443/a":                         true,
		"https://example.com:8443/a?b=c":                    true,
		"https://xn--bcher-kva.example/a":                   true,
		"https://localhost:1024/a":                          true,
		"https://a-1.2b.example/%7Ea":                       true,

		"":                                              false,
		"example.com/a":                                 false,
		"http://example.com/a":                          false,
		"HTTPS://example.com/a":                         false,
		"https:example.com/a":                           false,
		"https:///a":                                    false,
		"https://:443/a":                                false,
		"https://Example.com/a":                         false,
		"https://example.com./a":                        false,
		"https://.example.com/a":                        false,
		"https://exa_mple.com/a":                        false,
		"https://-example.com/a":                        false,
		"https://example..com/a":                        false,
		"https://bücher.example/a":                      false,
		"https://exam%70le.com/a":                       false,
		"https://user@example.com/a":                    false,
		"https://@example.com/a":                        false,
		"https://example.com\\@evil/a":                  false,
		"https://example.com/a#b":                       false,
		"https://example.com/a#":                        false,
		"https://example.com/a b":                       false,
		"https://example.com/a\r\nX: y":                 false,
		"https://example.com:/a":                        false,
		"https://example.com:0443/a":                    false,
		"https://example.com:22/a":                      false,
		"https://example.com:80/a":                      false,
		"https://example.com:65536/a":                   false,
		"https://example.com:x/a":                       false,
		"https://10.0.0.1/a":                            false,
		"https://8.8.8.8/a":                             false,
		"https://127.1/a":                               false,
		"https://2130706433/a":                          false,
		"https://0x7f000001/a":                          false,
		"https://0x7f.1/a":                              false,
		"https://0177.0.0.0x1/a":                        false,
		"https://[::1]/a":                               false,
		"https://[::ffff:127.0.0.1]/a":                  false,
		"https://[fe80::1%25eth0]/a":                    false,
		"https://example.com/%zz":                       false,
		"file:///etc/passwd":                            false,
		"gopher://example.com/":                         false,
		"https://" + strings.Repeat("a.", 130) + "com/": false,
	} {
		if u, err := CheckURL(address); (err == nil) != want || want && u.String() != address {
			t.Errorf("%q: %v, %v", address, u, err)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://claude.ai/a", "https://user@a.example:443/b?c#d", "https://[::1]/", "https://127.1/", "https://a.example\\@b/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		u, err := CheckURL(address)
		if err != nil {
			return
		}
		host := u.Hostname()
		if _, err := netip.ParseAddr(host); err == nil || host == "" || host != strings.ToLower(host) || u.Scheme != "https" || u.User != nil || u.Fragment != "" {
			t.Errorf("%q is accepted, with the host %q", address, host)
		}
		if rest, ok := strings.CutPrefix(address, "https://"+u.Host); !ok || rest != "" && rest[0] != '/' && rest[0] != '?' {
			t.Errorf("%q has the host %q to us alone", address, u.Host)
		}
	})
}
