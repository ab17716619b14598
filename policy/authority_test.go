package policy

import (
	"strings"
	"testing"
)

// What a parser of the WHATWG URL Standard would write anew matches nothing, and what it leaves alone is not refused.
func TestAuthorityTraps(t *testing.T) {
	tests := map[string]string{ // reason → URIs, separated by spaces
		"": `
			https://wiki https://wiki/ https://wiki:8443/a https://wiki:80/ http://wiki:443/ ftp://wiki:2121/ https://a-b.c_d.example/
			http://127.0.0.1/a http://127.0.0.1:8080/a http://10.0.0.1.example/ http://1a/ http://a.1b/ http://0xyz/
			http://[::1]/ http://[2001:db8::1]:8080/ docs://[::1]:1/ https://xn--bcher-kva.example/
			file:///srv/a file://fs/srv/a file:/srv/a file:////srv/a file:///C:/a file://127.0.0.1/a file://localhost.example/a
			docs://Guide/a docs://ü/a docs://guide:0/a docs://guide:80/a docs://guide:x/a docs://a.1/b docs://localhost/a docs://127.1/a
			docs:a|b https://{host}/x https://{host}:{port}/x file://{+path} docs://{a:3}/b docs://{a:3}`,
		uriHost: `
			https:wiki https:/wiki https:///wiki https:// https://:8443/a https://Wiki/a ws:a wss:/a
			https://wiki:443/a http://wiki:80/a ws://wiki:80/a wss://wiki:443/a ftp://wiki:21/a https://wiki:/a https://wiki: https://wiki:?x
			https://wiki:0443/a https://wiki:08443/a https://wiki:00/a docs://guide:/a docs://guide:01/a file://fs:/a file://C:/a
			http://127.1/a http://0x7f000001/a http://0x7f.0.0.1/a http://127.0.0.0x1/a http://2130706433/a http://0x/a http://127.0.0.01/a
			http://0177.0.0.1/a http://127.0.0.1./a http://1.2.3.4.5/a http://a.1/b http://127.1:8080/a https://wiki./a
			http://[0:0:0:0:0:0:0:1]/ http://[::01]/ http://[2001:DB8::1]/ http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/ http://[::1 http://[]/
			docs://[0::1]/a docs://[::FF]/a
			https://ｗiki/a https://w` + "\u00ad" + `iki/a https://bücher.example/ https://w%69ki/a https://%EF%BD%97iki/a
			file://FS/a file://fs./a file://127.1/a file://f%73/a file://ｌocalhost/a`,
		uriFile: `
			file:secret file: file:?x file:a/b file://localhost/srv/a file://localhost file://localhost?x file:///C|/a file://C|/a file:/C|/a
			file:{path} file:*`,
	}
	v := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["**"], templates: ["**"]}]}`), &Subject{})
	for want, uris := range tests {
		for _, uri := range strings.Fields(uris) {
			for _, k := range []Kind{Resource, Template} {
				d := v.Decide(k, uri)
				if want == "" && !d.Allowed || want != "" && (d.Allowed || d.Rule != want) {
					t.Errorf("%v %q: %+v, want trap %q", k, uri, d, want)
				}
			}
		}
	}
}

// A glob for hosts and ports is not taken for a host or port in an odd form.
func TestGlobsOfHostsCanBeWritten(t *testing.T) {
	for pattern, uri := range map[string]string{
		"https://**":               "https://wiki/a",
		"https://*/**":             "https://wiki/a",
		"https://wiki*":            "https://wiki2",
		"https://wiki:*/**":        "https://wiki:8443/a",
		"https://wiki:8*/a":        "https://wiki:8443/a",
		"https://*:8443/**":        "https://wiki:8443/a",
		"http://10.0.0.*/**":       "http://10.0.0.7/a",
		"http://*.0.0.1/**":        "http://127.0.0.1/a",
		"http://[2001:db8::*]/**":  "http://[2001:db8::7]/a",
		"file://*/srv/**":          "file:///srv/a",
		"file://**":                "file:///srv/a",
		"file:/**":                 "file:///srv/a",
		"file:///srv/**":           "file:///srv/a",
		"https://wiki/*?page=*#*":  "https://wiki/a?page=1#b",
		"https://*.example.com":    "https://a.example.com",
		"https://*.example.com?*":  "https://a.example.com?x",
		"https://wiki.**.test/a/*": "https://wiki.a.b.test/a/b",
	} {
		v := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["`+pattern+`"]}]}`), &Subject{})
		if d := v.Decide(Resource, uri); !d.Allowed {
			t.Errorf("%s on %q: %+v", pattern, uri, d)
		}
	}
}

// A host with no path has the path /, in a URI as in a deny rule.
func TestDenyOfAHostsRootHoldsWithoutPath(t *testing.T) {
	tests := []struct {
		deny    string
		yes, no string // URIs, separated by spaces, that it denies and does not
	}{
		{"https://wiki/**", "https://wiki/ https://wiki https://wiki?x https://wiki#x https://wiki/a https://wiki/%61", "https://wiki2 https://wiki2/"},
		{"https://wiki", "https://wiki https://wiki/ https://wiki/#x https://wiki#", "https://wiki/a https://wiki?x"},
		{"https://wiki?*", "https://wiki?x https://wiki/?x", "https://wiki/a?x"},
		{"https://*.example", "https://a.example https://a.example/", "https://a.example/a"},
		{"https://**.pem", "https://a/b.pem https://a/b.pe%6d", "https://a/b.txt"},
		{"http://127.0.0.1:8080/**", "http://127.0.0.1:8080", "http://127.0.0.1:8081"},
		{"docs://guide/**", "docs://guide/", "docs://guide"},
	}
	for _, tt := range tests {
		v := mustView(t, mustParse(t, `everyone: {allow: [{resources: ["**"]}], deny: [{resources: ["`+tt.deny+`"]}]}`), &Subject{})
		for want, uris := range map[bool]string{false: tt.yes, true: tt.no} {
			for _, uri := range strings.Fields(uris) {
				if d := v.Decide(Resource, uri); d.Allowed != want {
					t.Errorf("deny %s, %q: %+v", tt.deny, uri, d)
				}
			}
		}
	}
}
