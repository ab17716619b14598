package oauth

import (
	"net/http/httptest"
	"testing"
)

// Where somebody signed in is told roughly, in words of ours alone.
func TestWhence(t *testing.T) {
	for _, tc := range []struct{ agent, address, want string }{
		{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "203.0.113.77:1", "Firefox on Linux, from 203.0.113.x"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "[2001:db8:1:2::3]:1", "Edge on Windows, from 2001:db8:1::/48"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "127.0.0.1:1", "Safari on a Mac"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1", "[::1]:1", "Chrome on an iPhone"},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36", "[::ffff:203.0.113.9]:1", "Chrome on Android, from 203.0.113.x"},
		{"<script>alert(1)</script> Linux", "", "a browser on Linux"},
		{"curl/8", "198.51.100.1:1", "an unknown browser, from 198.51.100.x"},
		{"", "nonsense", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.address
		r.Header.Set("User-Agent", tc.agent)
		if got := whence(r); got != tc.want {
			t.Errorf("%q at %q: %q, want %q", tc.agent, tc.address, got, tc.want)
		}
	}
}
