package oauth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/caddystore"
)

// onDisk is a fixture on the store that Caddy has.
func onDisk(b *testing.B) *fixture {
	b.Helper()
	c := newClock()
	st := caddystore.New(&certmagic.FileStorage{Path: b.TempDir()}, "mcp_gateway", c.now)
	return newFixtureOn(b, c, st, func(c *Config) { c.RegisterPerMinute = -1 })
}

func BenchmarkAuthenticate(b *testing.B) {
	f := newFixture(b, nil)
	_, a := f.newTokens()
	res := Resource{URL: testResource, Server: "github", Mount: "/github"}
	run := func(name string, token func() string, good bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest(http.MethodPost, testResource, nil)
			ctx := b.Context()
			for b.Loop() {
				r.Header["Authorization"] = []string{"Bearer " + token()}
				if _, err := f.server.Authenticate(ctx, r, res); (err == nil) != good {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		r := httptest.NewRequest(http.MethodPost, testResource, nil)
		r.Header.Set("Authorization", "Bearer "+a.Access)
		ctx := b.Context()
		for b.Loop() {
			if _, err := f.server.Authenticate(ctx, r, res); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hit-parallel", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		b.RunParallel(func(pb *testing.PB) {
			r := httptest.NewRequest(http.MethodPost, testResource, nil)
			r.Header.Set("Authorization", "Bearer "+a.Access)
			for pb.Next() {
				if _, err := f.server.Authenticate(ctx, r, res); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		r := httptest.NewRequest(http.MethodPost, testResource, nil)
		r.Header.Set("Authorization", "Bearer "+a.Access)
		ctx := b.Context()
		for b.Loop() {
			f.server.cache = newCache()
			if _, err := f.server.Authenticate(ctx, r, res); err != nil {
				b.Fatal(err)
			}
		}
	})
	f.server.cache = newCache()
	run("garbage", func() string { return "not-a-token" }, false)
	segments := strings.Split(a.Access, ".")
	forged := segments[0] + "." + segments[1] + "." + strings.Repeat("A", 86)
	run("garbage-forged", func() string { return forged }, false)
}

// BenchmarkRegister is one registration, on disk.
func BenchmarkRegister(b *testing.B) {
	f := onDisk(b)
	for b.Loop() {
		f.register(testRedirect)
	}
}

// BenchmarkLogin is one login from page 1 to the code, on disk, with a provider that answers at once.
func BenchmarkLogin(b *testing.B) {
	f := onDisk(b)
	for b.Loop() {
		f.browser().login(authorizeQuery("desktop", testRedirect)).code(b, testRedirect)
	}
}

// BenchmarkCodeToToken is the exchange of a code, on disk.
func BenchmarkCodeToToken(b *testing.B) {
	f := onDisk(b)
	for b.Loop() {
		b.StopTimer()
		code := f.browser().login(authorizeQuery("desktop", testRedirect)).code(b, testRedirect)
		b.StartTimer()
		if res := f.post("/token", redeem("desktop", code)); res.StatusCode != http.StatusOK {
			b.Fatal(res.Status)
		}
	}
}

// BenchmarkRefresh is one refresh after the other in one family, on disk.
func BenchmarkRefresh(b *testing.B) {
	f := onDisk(b)
	clientID, a := f.newTokens()
	for b.Loop() {
		if a = f.read(f.post("/token", refreshForm(clientID, a.Refresh))); a.Status != http.StatusOK {
			b.Fatal(a)
		}
	}
}
