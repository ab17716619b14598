package oauth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A client that is a document proves itself with the keys it names, at every endpoint.
func TestADocumentWithKeys(t *testing.T) {
	v := newVendor(t)
	key := newClientKey(t, "first")
	keys := v.publish("/jwks.json", string(jwks(key)))
	for name, id := range map[string]string{
		"inside":    v.document("/inside.json", "token_endpoint_auth_method", authKey, "jwks", jwks(key)),
		"elsewhere": v.document("/elsewhere.json", "token_endpoint_auth_method", authKey, "jwks_uri", keys),
		"as ChatGPT has it": v.document("/gpt.json", "token_endpoint_auth_method", authKey, "jwks_uri", keys, "token_endpoint_auth_signing_alg", "ES256",
			"token_endpoint_auth_methods_supported", []string{"none", authKey}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newDocumentFixture(t, v, nil)
			code := f.browser().login(authorizeQuery(id, webRedirect)).code(t, webRedirect)
			form := func() url.Values { return redeem(id, code, "redirect_uri", webRedirect) }
			if a := f.read(f.post("/token", form())); a.Error != codeInvalidClient {
				t.Errorf("without proof: %+v", a)
			}
			if a := f.read(f.post("/token", proving(form(), newClientKey(t, "first").assertion(t, f, id)))); a.Error != codeInvalidClient {
				t.Errorf("with another key: %+v", a)
			}
			a := f.read(f.post("/token", proving(form(), key.assertion(t, f, id))))
			if a.Status != http.StatusOK {
				t.Fatalf("got %+v", a)
			}
			if got := f.read(f.post("/token", refreshForm(id, a.Refresh))); got.Error != codeInvalidClient {
				t.Errorf("refreshed without proof: %+v", got)
			}
			if got := f.read(f.post("/token", proving(machine(), key.assertion(t, f, id)))); got.Error != codeUnauthorizedClient {
				t.Errorf("a token for itself: %+v", got)
			}
			if a = f.read(f.post("/token", proving(refreshForm(id, a.Refresh), key.assertion(t, f, id)))); a.Status != http.StatusOK {
				t.Fatalf("got %+v", a)
			}
			if res := f.post("/revoke", proving(url.Values{"token": {a.Refresh}}, key.assertion(t, f, id))); res.StatusCode != http.StatusOK {
				t.Errorf("revocation answers %s", res.Status)
			}
		})
	}
	// One that may, but need not.
	f := newDocumentFixture(t, v, nil)
	id := v.document("/may.json", "jwks", jwks(key))
	for _, form := range []url.Values{{"client_id": {id}}, proving(url.Values{}, key.assertion(t, f, id))} {
		form.Set("token", "x")
		if res := f.post("/revoke", form); res.StatusCode != http.StatusOK {
			t.Errorf("revocation answers %s", res.Status)
		}
	}
	if res := f.post("/revoke", proving(url.Values{"token": {"x"}}, newClientKey(t, "x").assertion(t, f, id))); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("with another key, revocation answers %s", res.Status)
	}
}

// A client that begins to use a new key is not turned away, and nobody can have keys fetched over and over.
func TestAClientChangesItsKey(t *testing.T) {
	v := newVendor(t)
	first, second := newClientKey(t, "first"), newClientKey(t, "second")
	keys := v.publish("/jwks.json", string(jwks(first)))
	id := v.document("/one.json", "token_endpoint_auth_method", authKey, "jwks_uri", keys)
	f := newDocumentFixture(t, v, nil)
	try := func(key *clientKey) answer {
		return f.read(f.post("/token", proving(refreshForm(id, "x"), key.assertion(t, f, id))))
	}
	if a := try(first); a.Error != codeInvalidGrant {
		t.Fatalf("got %+v", a)
	}
	v.publish("/jwks.json", string(jwks(first, second)))
	f.clock.advance(keysReread + 1)
	asked := v.asked.Load()
	if a := try(second); a.Error != codeInvalidGrant {
		t.Errorf("the new key: %+v", a)
	}
	for range 20 {
		f.clock.advance(time.Second)
		if a := try(newClientKey(t, randomText(4))); a.Error != codeInvalidClient {
			t.Errorf("a key that nobody has published: %+v", a)
		}
	}
	if n := v.asked.Load() - asked; n > 1 {
		t.Errorf("the site was asked %d times", n)
	}
	// A key that is taken back is good for as long as the keys may be kept, and no longer.
	v.publish("/jwks.json", string(jwks(second)))
	f.clock.advance(10 * time.Minute)
	if a := try(first); a.Error != codeInvalidClient {
		t.Errorf("the old key: %+v", a)
	}
	v.fail(true)
	f.clock.advance(time.Hour)
	if a := try(second); a.Error != codeInvalidGrant {
		t.Errorf("while the site is down: %+v", a)
	}
}

// A key that was replaced under the same name, as after a theft, is noticed by the first signature that does not fit, wherever the keys
// are; whoever signs with nonsense has them fetched once a minute at most.
func TestAClientReplacesItsKeyUnderTheSameName(t *testing.T) {
	v := newVendor(t)
	first, second := newClientKey(t, "the-key"), newClientKey(t, "the-key")
	for name, publish := range map[string]func(*clientKey) string{
		"inside": func(key *clientKey) string {
			return v.document("/inside.json", "token_endpoint_auth_method", authKey, "jwks", jwks(key))
		},
		"elsewhere": func(key *clientKey) string {
			return v.document("/elsewhere.json", "token_endpoint_auth_method", authKey, "jwks_uri", v.publish("/jwks.json", string(jwks(key))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := publish(first)
			f := newDocumentFixture(t, v, nil)
			try := func(key *clientKey) answer {
				return f.read(f.post("/token", proving(refreshForm(id, "x"), key.assertion(t, f, id))))
			}
			if a := try(first); a.Error != codeInvalidGrant {
				t.Fatalf("got %+v", a)
			}
			publish(second)
			f.clock.advance(keysReread + 1)
			asked := v.asked.Load()
			if a := try(second); a.Error != codeInvalidGrant {
				t.Errorf("the new key: %+v", a)
			}
			if a := try(first); a.Error != codeInvalidClient {
				t.Errorf("the old key: %+v", a)
			}
			for range 20 {
				if a := try(newClientKey(t, "the-key")); a.Error != codeInvalidClient {
					t.Errorf("a key that nobody has published: %+v", a)
				}
			}
			if n := v.asked.Load() - asked; n != 1 {
				t.Errorf("the site was asked %d times", n)
			}
		})
	}
}

// With consent once, a client with a key is proved whatever its redirect, since nobody else can use the answer.
func TestConsentOnceForAClientWithAKey(t *testing.T) {
	v := newVendor(t)
	key := newClientKey(t, "a")
	for name, tc := range map[string]struct {
		id    string
		first bool
	}{
		"it has to prove itself": {v.document("/must.json", "token_endpoint_auth_method", authKey, "jwks", jwks(key)), false},
		"it may":                 {v.document("/may.json", "jwks", jwks(key)), true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newDocumentFixture(t, v, nil)
			b := f.browser()
			pagesOf(t, b, authorizeQuery(tc.id, testRedirect), testRedirect)
			const another = "http://127.0.0.1:4711/callback"
			if first, third := pagesOf(t, b, authorizeQuery(tc.id, another), another); first != tc.first || third {
				t.Errorf("again, page 1 is shown: %v, page 3: %v", first, third)
			}
			if tc.first {
				return
			}
			// One who says no is asked again.
			page := b.authorize(authorizeQuery(tc.id, another, "prompt", "consent"))
			b.answer(page, "/consent", "decision", "cancel")
			if first, _ := pagesOf(t, b, authorizeQuery(tc.id, another), another); !first {
				t.Error("what was denied is remembered as allowed")
			}
		})
	}
}

func TestPublicKeysThatAreRefused(t *testing.T) {
	key := newClientKey(t, "a")
	modulus := new(big.Int).SetBit(big.NewInt(1), 1023, 1)
	small := &rsa.PublicKey{N: modulus, E: 65537}
	large := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8191, 1), E: 65537}
	private, err := x509.MarshalPKCS8PrivateKey(key.signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no key": "x", "a secret": `{"kty":"oct","k":"c2VjcmV0c2VjcmV0"}`,
		"a private key":        string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"a private key in JWK": string(mustJSON(t, jose.JSONWebKey{Key: key.signer})),
		"too small":            publicPEM(t, small), "too large": publicPEM(t, large), "for something else": string(mustJSON(t, jose.JSONWebKey{Key: key.Key, Use: "enc"})),
		"two in one": publicPEM(t, key.Key) + publicPEM(t, key.Key), "an empty set": `{"keys":[]}`, "cut off": publicPEM(t, key.Key)[:100],
	} {
		err := CheckPublicKey(text)
		if err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := staticClients([]StaticClient{{ID: "a", PublicKeys: []string{text}, RedirectURIs: []string{testRedirect}}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{"PEM": publicPEM(t, key.Key), "JWK": string(mustJSON(t, key.JSONWebKey)), "a set": string(jwks(key))} {
		if err := CheckPublicKey(" " + text + "\n"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A configuration that takes the place of another goes on with the documents and keys it had, so that it does not matter whether their
// site is there just then; and what it no longer allows is not let in because it is known.
func TestDocumentsOutliveAReload(t *testing.T) {
	v := newVendor(t)
	key := newClientKey(t, "a")
	keys := v.publish("/jwks.json", string(jwks(key)))
	id := v.document("/one.json", "token_endpoint_auth_method", authKey, "jwks_uri", keys)
	before := newDocumentFixture(t, v, nil)
	enter := func(f *fixture) answer {
		code := f.browser().login(authorizeQuery(id, webRedirect)).code(t, webRedirect)
		return f.read(f.post("/token", proving(redeem(id, code, "redirect_uri", webRedirect), key.assertion(t, f, id))))
	}
	if a := enter(before); a.Status != http.StatusOK {
		t.Fatalf("got %+v", a)
	}
	known := before.server.cfg.Documents.Cache
	v.fail(true)
	after := newFixtureOn(t, before.clock, before.store, func(c *Config) { c.Documents = &Documents{Cache: known} })
	if a := enter(after); a.Status != http.StatusOK {
		t.Errorf("after a reload: %+v", a)
	}
	narrow := newFixtureOn(t, before.clock, before.store, func(c *Config) { c.Documents = &Documents{Cache: known, Allow: []string{"vendor.example"}} })
	if page := narrow.browser().authorize(authorizeQuery(id, webRedirect)); page.Status != http.StatusBadRequest {
		t.Errorf("a domain that is no longer allowed: %d", page.Status)
	}
}
