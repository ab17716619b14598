package oauth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// publicPEM is the public half of a key as an operator writes it down.
func publicPEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// newKeyFixture is a fixture with a machine that proves itself with keys.
func newKeyFixture(t testing.TB, keys ...*clientKey) *fixture {
	t.Helper()
	var texts []string
	for _, k := range keys {
		texts = append(texts, publicPEM(t, k.Key))
	}
	return newFixture(t, func(c *Config) {
		c.Static = append(c.Static, StaticClient{ID: "signer", PublicKeys: texts, Grants: []string{grantClientCredentials}, Roles: []string{"deployer"}})
	})
}

// machine is a token request of a client for itself.
func machine() url.Values {
	return url.Values{"grant_type": {grantClientCredentials}, "resource": {testResource}}
}

func TestAClientProvesItselfBySigning(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*clientKey{
		"ES256": newClientKey(t, "a"),
		"EdDSA": {jose.JSONWebKey{Key: edwards.Public(), KeyID: "b", Algorithm: "EdDSA"}, edwards},
		"RS256": {jose.JSONWebKey{Key: &long.PublicKey, KeyID: "c", Algorithm: "RS256"}, long},
		"PS256": {jose.JSONWebKey{Key: &long.PublicKey, Algorithm: "PS256"}, long},
	} {
		t.Run(name, func(t *testing.T) {
			f := newKeyFixture(t, newClientKey(t, ""), key)
			a := f.read(f.post("/token", proving(machine(), key.assertion(t, f, "signer"))))
			if a.Status != http.StatusOK {
				t.Fatalf("got %+v", a)
			}
			access, err := f.call(a.Access, testResource)
			if err != nil || access.ClientID != "signer" || !access.Subject.Machine {
				t.Errorf("got %+v, %v", access, err)
			}
		})
	}
}

func TestAssertions(t *testing.T) {
	key, other := newClientKey(t, "a"), newClientKey(t, "a")
	f := newKeyFixture(t, key)
	now := f.clock.now()
	const id = "signer"
	good := key.assertion(t, f, id)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(publicPEM(t, key.Key))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := base64.RawURLEncoding.DecodeString(payload)
	forged, err := hmac.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	hs256, _ := forged.CompactSerialize()
	seconds := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, tc := range []struct {
		name, assertion, want string // "" if it is good
	}{
		{"as the TypeScript SDKs write it", key.assertion(t, f, id, "jti", "1-abc", "exp", seconds(5*time.Minute)), ""},
		{"as RFC 7523bis asks", key.assertion(t, f, id, "*typ", "client-authentication+jwt"), ""},
		{"the issuer with a slash", key.assertion(t, f, id, "aud", testIssuer+"/"), ""},
		{"the issuer in a list", key.assertion(t, f, id, "aud", []string{testIssuer}), ""},
		{"no jti", key.assertion(t, f, id, "jti", nil), ""},
		{"no iat", key.assertion(t, f, id, "iat", nil), ""},
		{"times with fractions", key.assertion(t, f, id, "exp", float64(seconds(time.Minute))+0.5), ""},
		{"a clock that is a little fast", key.assertion(t, f, id, "iat", seconds(50*time.Second), "nbf", seconds(50*time.Second)), ""},
		{"claims of its own", key.assertion(t, f, id, "tenant", "x"), ""},

		{"another key", other.assertion(t, f, id), "not signed with a key"},
		{"a signature of something else", header + "." + encode(`{"iss":"signer","sub":"signer"}`) + "." + signature, "not signed with a key"},
		{"no signature", header + "." + payload + ".", "not signed with a key"},
		{"alg none", encode(`{"alg":"none"}`) + "." + payload + ".", "algorithm that there is not"},
		{"the public key as a secret", hs256, "algorithm that there is not"},
		{"a key of its own in the header", encode(`{"alg":"ES256","jwk":`+string(mustJSON(t, other.JSONWebKey))+`}`) + "." + payload + "." + signature, "not signed with a key"},
		{"a header that has to be understood", key.assertion(t, f, id, "*crit", []string{"x"}, "*x", 1), "not signed with a key"},
		{"an access token", key.assertion(t, f, id, "*typ", "at+jwt"), "another type"},
		{"a member twice", key.sign(t, nil, []byte(`{"sub":"ci-bot","sub":"signer"}`)), "no signed JWT"},
		{"another issuer", key.assertion(t, f, id, "iss", "ci-bot"), "not by this client"},
		{"no issuer", key.assertion(t, f, id, "iss", nil), "not by this client"},
		{"another client", key.assertion(t, f, id, "iss", "ci-bot", "sub", "ci-bot"), "no keys"},
		{"an unknown client", key.assertion(t, f, "nobody"), "Client not found"},
		{"no client", key.assertion(t, f, id, "sub", nil), "Client not found"},
		{"no audience", key.assertion(t, f, id, "aud", nil), "its aud has to be the issuer"},
		{"another server", key.assertion(t, f, id, "aud", "https://evil.example"), "its aud has to be the issuer"},
		{"the token endpoint", key.assertion(t, f, id, "aud", testIssuer+"/token"), "its aud has to be the issuer"},
		{"two audiences", key.assertion(t, f, id, "aud", []string{testIssuer, "https://evil.example"}), "its aud has to be the issuer"},
		{"an audience that is none", key.assertion(t, f, id, "aud", map[string]string{"a": testIssuer}), "its aud has to be the issuer"},
		{"no end", key.assertion(t, f, id, "exp", nil), "when it expires"},
		{"over", key.assertion(t, f, id, "exp", seconds(-clockSkew)), "has expired"},
		{"for too long", key.assertion(t, f, id, "exp", seconds(2*time.Hour)), "longer than an hour"},
		{"forever", key.assertion(t, f, id, "exp", 1e300), "longer than an hour"},
		{"an end that is text", key.assertion(t, f, id, "exp", "soon"), "no signed JWT"},
		{"from the future", key.assertion(t, f, id, "iat", seconds(2*time.Minute)), "from the future"},
		{"not yet", key.assertion(t, f, id, "nbf", seconds(2*time.Minute)), "from the future"},
		{"a long jti", key.assertion(t, f, id, "jti", strings.Repeat("x", maxJTI+1)), "too long"},
		{"very long", key.assertion(t, f, id, "x", strings.Repeat("x", maxAssertion)), "no signed JWT"},
		{"nothing like it", "x", "no signed JWT"},
		{"more parts", good + ".x", "no signed JWT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.read(f.post("/token", proving(machine(), tc.assertion)))
			if tc.want == "" {
				if a.Status != http.StatusOK {
					t.Errorf("got %+v", a)
				}
				return
			}
			if a.Status != http.StatusUnauthorized || a.Error != codeInvalidClient || !strings.Contains(a.Description, tc.want) {
				t.Errorf("got %+v, want %q", a, tc.want)
			}
		})
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What stands around an assertion.
func TestRequestsWithAssertions(t *testing.T) {
	key := newClientKey(t, "a")
	f := newKeyFixture(t, key)
	for _, tc := range []struct {
		name    string
		changes []string
		header  []string
		want    string
	}{
		{"the client named again", []string{"client_id", "signer"}, nil, ""},
		{"another client named", []string{"client_id", "ci-bot"}, nil, codeInvalidRequest},
		{"a secret too", []string{"client_secret", "x"}, nil, codeInvalidRequest},
		{"Basic too", nil, []string{"Authorization", basic("ci-bot", "bot-secret")}, codeInvalidRequest},
		{"somebody's bearer token", nil, []string{"Authorization", "Bearer x"}, ""},
		{"another type", []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, nil, codeInvalidClient},
		{"no type", []string{"client_assertion_type", ""}, nil, codeInvalidClient},
		{"a type alone", []string{"client_assertion", ""}, nil, codeInvalidClient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := proving(machine(), key.assertion(t, f, "signer"))
			for i := 0; i+1 < len(tc.changes); i += 2 {
				form.Set(tc.changes[i], tc.changes[i+1])
			}
			if a := f.read(f.post("/token", form, tc.header...)); a.Error != tc.want {
				t.Errorf("got %+v", a)
			}
		})
	}
	for name, form := range map[string]url.Values{
		"no proof":         with(machine(), "client_id", "signer"),
		"an empty secret":  with(with(machine(), "client_id", "signer"), "client_secret", ""),
		"some secret":      with(with(machine(), "client_id", "signer"), "client_secret", "x"),
		"a second one too": with(proving(machine(), key.assertion(t, f, "signer")), "client_assertion", "x"),
	} {
		if a := f.read(f.post("/token", form)); a.Error != codeInvalidClient && a.Error != codeInvalidRequest {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// Whoever catches an assertion can do nothing with it, on whichever node, while it is good and after.
func TestAnAssertionIsGoodOnce(t *testing.T) {
	key := newClientKey(t, "a")
	f := newKeyFixture(t, key)
	node := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Static = f.server.cfg.Static })
	for name, assertion := range map[string]string{
		"with a jti": key.assertion(t, f, "signer"), "without": key.assertion(t, f, "signer", "jti", nil),
		"up to the last moment": key.assertion(t, f, "signer", "exp", f.clock.now().Add(maxAssertionLife).Unix()),
	} {
		var good atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if a := []*fixture{f, node}[i%2].read([]*fixture{f, node}[i%2].post("/token", proving(machine(), assertion))); a.Status == http.StatusOK {
					good.Add(1)
				}
			})
		}
		all.Wait()
		if good.Load() != 1 {
			t.Errorf("%s: %d of 8 were accepted", name, good.Load())
		}
	}
	assertion := key.assertion(t, f, "signer")
	form := proving(machine(), assertion)
	if a := f.read(f.post("/token", form)); a.Status != http.StatusOK {
		t.Fatalf("got %+v", a)
	}
	for range 20 {
		f.clock.advance(30 * time.Second)
		if _, err := f.store.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := f.read(f.post("/token", form)); a.Error != codeInvalidClient {
			t.Errorf("got %+v", a)
		}
	}
	n := 0
	f.clock.advance(2 * time.Hour)
	if err := f.store.List(t.Context(), kindAssertion, func(string, []byte) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("%d assertions are kept, %v", n, err)
	}
}

// What one client, and who is at one address, can have kept is bounded, without harm to the others.
func TestAssertionsAreLimited(t *testing.T) {
	l, now := newAssertionLimits(), time.Now()
	one, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	for i := range assertionFromBurst {
		if l.wait(strconv.Itoa(i%2), one, now) > 0 {
			t.Fatalf("assertion %d has to wait", i)
		}
	}
	if l.wait("2", one, now) == 0 || l.wait("0", other, now) > 0 {
		t.Error("the address that had many goes on, or another one does not")
	}
	for i := range assertionBurst {
		l.wait("a", netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), byte(i >> 8)}), 32), now)
	}
	if l.wait("a", netip.MustParsePrefix("192.0.2.3/32"), now) == 0 || l.wait("b", other, now) > 0 {
		t.Error("the client that had many goes on, or another one does not")
	}
}

func FuzzAssertion(f *testing.F) {
	key := newClientKey(f, "a")
	fx := newKeyFixture(f, key)
	good := key.assertion(f, fx, "signer")
	for _, seed := range []string{good, good[:len(good)-2], "a.b.c", "eyJhbGciOiJub25lIn0.e30.", ".." + good, strings.Replace(good, ".", "..", 1)} {
		f.Add(seed)
	}
	first := fx.read(fx.post("/token", proving(machine(), good)))
	if first.Status != http.StatusOK {
		f.Fatalf("got %+v", first)
	}
	f.Fuzz(func(t *testing.T, assertion string) {
		fx := fx.in(t)
		// The only good one there is has been used.
		if a := fx.read(fx.post("/token", proving(machine(), assertion))); a.Status == http.StatusOK || a.Status >= 500 {
			t.Errorf("%q: %+v", assertion, a)
		}
	})
}

// Whoever uses up what all clients together may have kept keeps none of the operator's own out.
func TestAttackAssertionsOfOthersKeepNobodyOut(t *testing.T) {
	key := newClientKey(t, "a")
	f := newKeyFixture(t, key)
	for i := range 2 * assertionAllBurst {
		f.server.assertions.wait(strconv.Itoa(i), netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), f.clock.now())
	}
	if a := f.read(f.post("/token", proving(machine(), key.assertion(t, f, "signer")))); a.Status != http.StatusOK {
		t.Errorf("got %+v", a)
	}
}
