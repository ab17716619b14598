package foreign

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

func TestNothingIsReadBeforeTheFirstToken(t *testing.T) {
	w := newWorld(t)
	i := w.issuer()
	if n := w.count("/jwks") + w.count("/.well-known/oauth-authorization-server"); n != 0 {
		t.Errorf("%d requests", n)
	}
	var wg sync.WaitGroup
	token := w.token("at+jwt", nil)
	for range 16 {
		wg.Go(func() {
			if _, err := i.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w.count("/jwks") != 1 || w.count("/.well-known/oauth-authorization-server") != 1 {
		t.Errorf("16 tokens at once made %d requests for keys", w.count("/jwks"))
	}
}

// Whoever makes up key ids has the issuer asked now and then, and not each time.
func TestUnknownKeysAreLookedForNowAndThen(t *testing.T) {
	w := newWorld(t)
	i := w.issuer()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		unknown := w.sign(jose.RS256, stranger, map[jose.HeaderKey]any{"kid": string(rune('a' + n%26))}, w.claims(nil))
		if _, err := i.Verify(t.Context(), unknown); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
	if n := w.count("/jwks"); n != 1 {
		t.Errorf("50 unknown keys made %d requests", n)
	}
	// A new key is found all the same.
	w.set(func() {
		w.jwks = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: stranger.Public(), KeyID: "key-2"}}}
		w.now = w.now.Add(issuer.RetryAfter)
	})
	fresh := w.sign(jose.RS256, stranger, map[jose.HeaderKey]any{"kid": "key-2"}, w.claims(nil))
	if _, err := i.Verify(t.Context(), fresh); err != nil {
		t.Error(err)
	}
	// And one that is withdrawn is gone.
	if _, err := i.Verify(t.Context(), w.token("at+jwt", nil)); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// A key that is replaced under its old id is found, too.
func TestAKeyReplacedUnderItsID(t *testing.T) {
	w := newWorld(t)
	i := w.issuer()
	if _, err := i.Verify(t.Context(), w.token("at+jwt", nil)); err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	before := w.token("at+jwt", nil)
	w.set(func() { w.key, w.now = key, w.now.Add(issuer.RetryAfter) })
	if _, err := i.Verify(t.Context(), w.token("at+jwt", nil)); err != nil {
		t.Error(err)
	}
	if _, err := i.Verify(t.Context(), before); !errors.Is(err, ErrInvalid) {
		t.Errorf("one of the old key: %v", err)
	}
	if n := w.count("/jwks"); n != 2 {
		t.Errorf("%d requests for keys", n)
	}
}

// An outage of the issuer is ridden out, but not forever: a key may have been withdrawn meanwhile.
func TestKeysOutliveAnOutageForADay(t *testing.T) {
	w := newWorld(t)
	i := w.issuer()
	verify := func(after time.Duration) error {
		w.set(func() { w.now = w.now.Add(after) })
		_, err := i.Verify(t.Context(), w.token("at+jwt", nil))
		return err
	}
	if err := verify(0); err != nil {
		t.Fatal(err)
	}
	w.set(func() { w.broken = true })
	if err := verify(issuer.KeysStale - time.Minute); err != nil {
		t.Errorf("within the day: %v", err)
	}
	if err := verify(2 * time.Minute); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after the day: %v", err)
	}
	w.set(func() { w.broken = false })
	if err := verify(time.Second); !errors.Is(err, ErrUnavailable) {
		t.Errorf("right after a failure, it is asked again: %v", err)
	}
	if err := verify(issuer.RetryAfter); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// Where a redirect leads, nobody has said; and our secret goes along.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	w := newWorld(t)
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirecting.Close)
	for name, cfg := range map[string]Config{
		"keys":          {Issuer: w.URL, JWKS: redirecting.URL},
		"introspection": {Issuer: w.URL, ClientID: "a", ClientSecret: "b", Introspection: redirecting.URL},
	} {
		if _, err := New(cfg, nil, w.clock, w.issuer().log).Verify(t.Context(), w.token("at+jwt", nil)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	for text, cfg := range map[string]Config{
		"no issuer":                              {},
		"is no issuer":                           {Issuer: "https://a.example?x"},
		"must be https":                          {Issuer: "http://auth.example.com"},
		"client_id and a client_secret":          {Issuer: "https://a.example", ClientID: "x"},
		"needs a client_id":                      {Issuer: "https://a.example", Introspection: "https://a.example/i"},
		"not both":                               {Issuer: "https://a.example", ClientID: "x", ClientSecret: "y", JWKS: "https://a.example/jwks"},
		`jwks "http://a.example/jwks" must be`:   {Issuer: "https://a.example", JWKS: "http://a.example/jwks"},
		`endpoint "ftp://a.example/i" must be a`: {Issuer: "https://a.example", ClientID: "x", ClientSecret: "y", Introspection: "ftp://a.example/i"},
	} {
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("want %q, got %v", text, err)
		}
	}
	for _, cfg := range []Config{
		{Issuer: "https://auth.example.com"}, {Issuer: "http://127.0.0.1:9000/realm"}, {Issuer: "https://a.example", ClientID: "x", ClientSecret: "y"},
	} {
		if err := cfg.Check(); err != nil {
			t.Error(err)
		}
	}
}
