package oauth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/caddystore"
)

// everybody is a provider that answers at once, and knows whoever signs in.
type everybody struct{}

func (everybody) Name() string  { return "local" }
func (everybody) Label() string { return "everybody" }

func (everybody) Verify(_ context.Context, user, _ string) (*identity.Person, error) {
	return &identity.Person{Provider: "local", ID: user, Roles: []string{"member"}}, nil
}

// loginAs goes from page 1 to the code as somebody.
func (f *fixture) loginAs(user string) (code string) {
	b := f.browser()
	v := b.answer(b.authorize(authorizeQuery("desktop", testRedirect)), "/consent", "decision", "allow")
	v = b.answer(v, "/signin", "username", user, "password", "x")
	if v.Away == nil { // what was agreed to before is not asked again
		v = b.answer(v, "/consent", "decision", "allow")
	}
	return v.code(f.t, testRedirect)
}

// onDisk is a fixture on the store that Caddy has.
func onDisk(b testing.TB) *fixture {
	b.Helper()
	c := newClock()
	st := caddystore.New(&certmagic.FileStorage{Path: b.TempDir()}, "mcp_gateway", c.now)
	return newFixtureOn(b, c, st, func(c *Config) {
		c.RegisterPerMinute = -1
		c.Providers = []identity.Provider{everybody{}}
		c.Static = append(c.Static, StaticClient{ID: "reader", Secret: "secret", Introspect: []string{"*"}})
	})
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

// measure runs an operation alone, and 64 times at once, and reports the time on the CPU besides that on the clock. start makes what
// one round needs: operation i of n, done by one of so many workers.
func measure(b *testing.B, start func(b *testing.B, n, workers int) func(worker, i int)) {
	for _, workers := range []int{1, 64} {
		b.Run(strconv.Itoa(workers)+"-at-once", func(b *testing.B) {
			operate := start(b, b.N, workers)
			var next atomic.Int64
			var busy sync.WaitGroup
			before := cpuTime()
			b.ResetTimer()
			for worker := range workers {
				busy.Go(func() {
					for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
						operate(worker, i)
					}
				})
			}
			busy.Wait()
			b.StopTimer()
			b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
		})
	}
}

// BenchmarkRegister is one registration, on disk.
func BenchmarkRegister(b *testing.B) {
	measure(b, func(b *testing.B, _, _ int) func(int, int) {
		f := onDisk(b)
		return func(int, int) { f.register(testRedirect) }
	})
}

// BenchmarkLogin is one login from page 1 to the code, on disk, with a provider that answers at once.
func BenchmarkLogin(b *testing.B) {
	measure(b, func(b *testing.B, _, _ int) func(int, int) {
		f := onDisk(b)
		return func(_, i int) {
			f.loginAs(strconv.Itoa(i))
		}
	})
}

// BenchmarkCodeToToken is the exchange of a code, on disk.
func BenchmarkCodeToToken(b *testing.B) {
	measure(b, func(b *testing.B, n, _ int) func(int, int) {
		f := onDisk(b)
		codes := make([]string, n)
		// A login costs more than what is measured, so they are made at once as well.
		var busy sync.WaitGroup
		for worker := range 8 {
			busy.Go(func() {
				for i := worker; i < n; i += 8 {
					codes[i] = f.loginAs(strconv.Itoa(i))
				}
			})
		}
		busy.Wait()
		return func(_, i int) {
			if res := f.post("/token", redeem("desktop", codes[i])); res.StatusCode != http.StatusOK {
				b.Error(res.Status)
			}
		}
	})
}

// BenchmarkRefresh is one refresh after the other in a family for each worker, on disk.
func BenchmarkRefresh(b *testing.B) {
	measure(b, func(b *testing.B, _, workers int) func(int, int) {
		f := onDisk(b)
		families := make([]struct {
			client string
			answer
		}, workers)
		for i := range families {
			families[i].client, families[i].answer = "desktop", f.read(f.post("/token", redeem("desktop", f.loginAs(strconv.Itoa(i)))))
		}
		return func(worker, _ int) {
			family := &families[worker]
			if family.answer = f.read(f.post("/token", refreshForm(family.client, family.Refresh))); family.Status != http.StatusOK {
				b.Error(family.answer)
			}
		}
	})
}

// BenchmarkIntrospect is a question about a token that is good, on disk.
func BenchmarkIntrospect(b *testing.B) {
	measure(b, func(b *testing.B, _, _ int) func(int, int) {
		f := onDisk(b)
		_, a := f.newTokens()
		form := url.Values{"token": {a.Access}, "client_id": {"reader"}, "client_secret": {"secret"}}
		return func(int, int) {
			if res := f.post("/introspect", form); res.StatusCode != http.StatusOK || res.ContentLength < 50 {
				b.Error(res.Status, res.ContentLength)
			}
		}
	})
}

// BenchmarkRefusal is a call with a forged token, challenge included.
func BenchmarkRefusal(b *testing.B) {
	measure(b, func(b *testing.B, _, _ int) func(int, int) {
		f := onDisk(b)
		_, a := f.newTokens()
		head, _, _ := strings.Cut(a.Access, ".")
		_, rest, _ := strings.Cut(a.Access[len(head)+1:], ".")
		forged := strings.TrimSuffix(a.Access, rest) + strings.Repeat("A", 86)
		res := Resource{URL: testResource, Server: "github", Mount: "/github"}
		return func(int, int) {
			r := httptest.NewRequest(http.MethodPost, testResource, nil)
			r.Header.Set("Authorization", "Bearer "+forged)
			_, err := f.server.Authenticate(b.Context(), r, res)
			w := httptest.NewRecorder()
			if f.server.Challenge(w, r, res, err); w.Code != http.StatusUnauthorized {
				b.Error(w.Code, err)
			}
		}
	})
}
