package fetch

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"code.dny.dev/ssrf"
)

const limit = 1 << 10

func TestDocumentsThatAreFetched(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) { text(w, `"x"`) },
		"with a charset": func(w http.ResponseWriter, _ *http.Request) {
			text(w, `"x"`, "Content-Type", "application/json; charset=utf-8")
		},
		"a more special type": func(w http.ResponseWriter, _ *http.Request) {
			text(w, `"x"`, "Content-Type", "application/client+json")
		},
		"as long as may be": func(w http.ResponseWriter, _ *http.Request) { text(w, `"`+strings.Repeat("x", limit-2)+`"`) },
		"nothing of ours in the request": func(w http.ResponseWriter, r *http.Request) {
			if len(r.Cookies()) > 0 || r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" || r.Header.Get("Accept-Encoding") != "identity" {
				w.WriteHeader(http.StatusTeapot)
			}
			text(w, `"x"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, serve)
			got, err := h.client(t, Options{Private: loopback}).get(t.Context(), h.address("/a?b=c"), limit)
			if err != nil || len(got.body) < 3 {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	elsewhere := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"x"`) })
	for _, tc := range []struct {
		name   string
		serve  http.HandlerFunc
		reason string // "" for ErrUnavailable
	}{
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.address("/"), http.StatusFound)
		}, "redirects to another place"},
		{"a redirect to the metadata of a cloud", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
		}, "redirects to another place"},
		{"not there", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "is not there"},
		{"another kind of success", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "is not there"},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) { text(w, `"x"`, "Content-Type", "text/html") }, "is not served as application/json"},
		{"JSON as text", func(w http.ResponseWriter, _ *http.Request) { text(w, `"x"`, "Content-Type", "text/plain") }, "is not served as application/json"},
		{"a picture that ends in +json", func(w http.ResponseWriter, _ *http.Request) { text(w, `"x"`, "Content-Type", "image/x+json") }, "is not served as application/json"},
		{"two types", func(w http.ResponseWriter, _ *http.Request) {
			text(w, `"x"`, "Content-Type", "application/json, text/html")
		}, "is not served as application/json"},
		{"too long, and says so", func(w http.ResponseWriter, _ *http.Request) { text(w, strings.Repeat(" ", limit+1)) }, "is too long"},
		{"too long without saying so", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 2 * limit {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		}, "is too long"},
		{"a gzip bomb", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 1<<20))
			_ = z.Close()
		}, "is compressed, which was not asked for"},
		{"trouble", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, ""},
		{"too many requests", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, ""},
		{"headers without end", func(w http.ResponseWriter, _ *http.Request) {
			text(w, `"x"`, "X", strings.Repeat("x", 2*maxHeaderBytes))
		}, ""},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			text(w, `"x`, "Content-Length", "100")
			panic(http.ErrAbortHandler)
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t, tc.serve)
			asked := elsewhere.asked.Load()
			got, err := h.client(t, Options{Private: loopback}).get(t.Context(), h.address("/"), limit)
			refusal, refused := errors.AsType[*Refusal](err)
			if err == nil || refused != (tc.reason != "") || refused && refusal.Reason != tc.reason || !refused && !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, %v", got, err)
			}
			if elsewhere.asked.Load() != asked {
				t.Error("the redirect was followed")
			}
		})
	}
}

// A host that takes its time takes none of ours beyond a bound, wherever it stops.
func TestHostsThatAreSlow(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"within the answer": func(w http.ResponseWriter, r *http.Request) {
			text(w, `"`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, serve)
			c := h.client(t, Options{Private: loopback})
			c.timeout = 50 * time.Millisecond
			if got, err := c.get(t.Context(), h.address("/"), limit); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// However many ask, few connections are made at once.
func TestFetchesAtOnceAreBounded(t *testing.T) {
	begun := make(chan struct{})
	h := newHost(t, func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
	})
	c := h.client(t, Options{Private: loopback})
	// A busy machine takes its time for so many handshakes.
	c.timeout, c.http.Transport.(*http.Transport).TLSHandshakeTimeout = time.Minute, time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, maxAtOnce)
	for range maxAtOnce {
		go func() {
			_, err := c.get(ctx, h.address("/"), limit)
			done <- err
		}()
	}
	for range maxAtOnce {
		select {
		case <-begun:
		case err := <-done:
			t.Fatalf("one of those that may be under way: %v", err)
		}
	}
	late, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.get(late, h.address("/"), limit); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("one more: %v", err)
	}
	cancel()
	for range maxAtOnce {
		if err := <-done; !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
}

// A certificate that nobody vouches for, and one for another name.
func TestHostsThatAreNotWhoTheySay(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"x"`) })
	resolver := names(t, func(string) []string { return []string{"127.0.0.1"} })
	if _, err := NewClient(Options{Private: loopback, Resolver: resolver}).get(t.Context(), h.address("/"), limit); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a certificate of its own: %v", err)
	}
	if _, err := h.client(t, Options{Private: loopback}).get(t.Context(), "https://other.test:"+h.port+"/", limit); !errors.Is(err, ErrUnavailable) {
		t.Errorf("another name: %v", err)
	}
}

// No address of the inside is connected to, in whatever form a name resolves to it.
func TestAddressesThatAreNotOfTheInternet(t *testing.T) {
	refused := []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", // private and local
		"100.64.0.1", "100.127.255.254", // shared by carriers (RFC 6598)
		"169.254.169.254", "192.0.0.1", "192.0.0.192", "192.88.99.1", "198.18.0.1", "198.19.255.255", // link-local, special, 6to4 relays, benchmarks
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", // documentation, multicast, reserved
		"::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", // the same of IPv6
		"::7f00:1", "::a00:1", // IPv4-compatible
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", // mapped and translated
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::a00:1", // NAT64
		"2002:7f00:1::1", "2002:a00:1::", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:2::1", // 6to4, Teredo, ORCHID, benchmarks
		"2001:db8::1", "3fff::1", "5f00::1", "100::1", "4000::1", "2620:4f:8000::1", // documentation, segments, discard, not allotted, AS112
	}
	var dialled string
	resolver := names(t, func(string) []string { return []string{dialled} })
	c := NewClient(Options{Resolver: resolver})
	dial := c.http.Transport.(*http.Transport).DialContext
	for _, dialled = range refused {
		conn, err := dial(t.Context(), "tcp", "inside.test:443")
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, ssrf.ErrProhibitedIP) {
			t.Errorf("%s: %v", dialled, err)
		}
		if _, err := dial(t.Context(), "tcp", net.JoinHostPort(dialled, "443")); !errors.Is(err, ssrf.ErrProhibitedIP) {
			t.Errorf("%s itself: %v", dialled, err)
		}
	}
	if _, err := dial(t.Context(), "tcp", "[fe80::1%lo]:443"); !errors.Is(err, ssrf.ErrProhibitedIP) {
		t.Errorf("with a zone: %v", err)
	}
}

func TestPrivateNetworksThatAreAllowed(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"x"`) })
	for name, tc := range map[string]struct {
		private []string
		want    bool
	}{
		"none":                 {nil, false},
		"that one":             {[]string{"10.0.0.0/8", "127.0.0.1/32"}, true},
		"another":              {[]string{"10.0.0.0/8", "127.0.0.2/32"}, false},
		"all of IPv6":          {[]string{"::/0"}, false},
		"not brought in order": {[]string{"127.9.9.9/8"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var o Options
			for _, p := range tc.private {
				o.Private = append(o.Private, netip.MustParsePrefix(p))
			}
			asked := h.asked.Load()
			_, err := h.client(t, o).get(t.Context(), h.address("/"), limit)
			if (err == nil) != tc.want || err != nil && !errors.Is(err, ssrf.ErrProhibitedIP) || (h.asked.Load() > asked) != tc.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A name that means a public address when somebody looks and our own computer a moment later.
func TestDNSRebinding(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { text(w, `"secret"`) })
	looked := false
	resolver := names(t, func(string) []string {
		if looked {
			return []string{"127.0.0.1", "::1"}
		}
		return []string{"93.184.216.34"}
	})
	addresses, err := resolver.LookupNetIP(t.Context(), "ip", testHost)
	if err != nil || len(addresses) != 1 || addresses[0].IsLoopback() {
		t.Fatalf("who looks first sees %v, %v", addresses, err)
	}
	looked = true
	if got, err := h.client(t, Options{Resolver: resolver}).get(t.Context(), h.address("/"), limit); !errors.Is(err, ssrf.ErrProhibitedIP) {
		t.Errorf("got %v, %v", got, err)
	}
	if h.asked.Load() > 0 {
		t.Error("our own computer was asked")
	}
}

// A proxy would look up names and connect for us, unchecked.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	if c := NewClient(Options{}); c.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("there is one")
	}
}
