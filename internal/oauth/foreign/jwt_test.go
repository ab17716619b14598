package foreign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// world is an issuer that says what a test wants, and the clock that it is seen by.
type world struct {
	*httptest.Server
	t   *testing.T
	key *rsa.PrivateKey

	mu       sync.Mutex
	now      time.Time
	jwks     any // nil: its key alone
	metadata any // nil: good ones
	broken   bool
	asked    map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, key: key, now: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC), asked: make(map[string]int)}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[r.URL.Path]++
	if w.broken {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	var answer any
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		if answer = w.metadata; answer == nil {
			answer = map[string]string{"issuer": w.URL, "jwks_uri": w.URL + "/jwks"}
		}
	case "/jwks":
		if answer = w.jwks; answer == nil {
			answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "key-1", Algorithm: "RS256", Use: "sig"}}}
		}
	default:
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(rw).Encode(answer)
}

// set changes the world.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// count returns how often a path was asked for.
func (w *world) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[path]
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// issuer is the issuer as a gateway has it.
func (w *world) issuer() *Issuer { return New(Config{Issuer: w.URL}, nil, w.clock, zap.NewNop) }

// claims are those of a good token, with changes; nil takes one away.
func (w *world) claims(changes map[string]any) map[string]any {
	all := map[string]any{
		"iss": w.URL, "sub": "user_1", "aud": "https://mcp.example.com/github", "client_id": "agent",
		"iat": w.clock().Unix(), "exp": w.clock().Add(time.Hour).Unix(),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// sign makes a token.
func (w *world) sign(algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	w.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// token signs claims with the issuer's key under a type; "" leaves the type out.
func (w *world) token(typ string, changes map[string]any) string {
	header := map[jose.HeaderKey]any{"kid": "key-1"}
	if typ != "" {
		header["typ"] = typ
	}
	return w.sign(jose.RS256, w.key, header, w.claims(changes))
}

func TestSignedTokensThatAreGood(t *testing.T) {
	w := newWorld(t)
	soon := w.clock().Add(30 * time.Second).Unix()
	for name, token := range map[string]string{
		"typed as RFC 9068 has it":       w.token("at+jwt", nil),
		"typed as a media type":          w.token("application/at+JWT", nil),
		"typed as any JWT":               w.token("JWT", nil),
		"not typed":                      w.token("", nil),
		"of a clock that is a bit ahead": w.token("", map[string]any{"iat": soon, "nbf": soon}),
		"for several":                    w.token("", map[string]any{"aud": []string{"a", "https://mcp.example.com/github"}}),
		"of Keycloak":                    w.token("JWT", map[string]any{"typ": "Bearer"}),
		"without a key id":               w.sign(jose.RS256, w.key, nil, w.claims(nil)),
		"of CI":                          w.token("JWT", map[string]any{"sub": "repo:acme/app:ref:refs/heads/main", "client_id": nil, "repository": "acme/app"}),
		// RFC 9068 has auth_time and acr in access tokens as well.
		"with when the person signed in": w.token("at+jwt", map[string]any{"auth_time": 1, "acr": "x", "nonce": "n"}),
	} {
		if got, err := w.issuer().Verify(t.Context(), token); err != nil || got.Subject == "" || got.Claims["iss"] != w.URL {
			t.Errorf("one %s: %+v, %v", name, got, err)
		}
	}
}

// Each of these is refused, whatever the issuer may have signed.
func TestSignedTokensThatAreRefused(t *testing.T) {
	w := newWorld(t)
	good := w.token("at+jwt", nil)
	parts := strings.Split(good, ".")
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(w.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	theirs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("keys were read from where a token says")
	}))
	t.Cleanup(theirs.Close)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	kid := func(id any, more ...any) map[jose.HeaderKey]any {
		header := map[jose.HeaderKey]any{"kid": id, "typ": "at+jwt"}
		for n := 0; n < len(more); n += 2 {
			header[jose.HeaderKey(more[n].(string))] = more[n+1]
		}
		return header
	}
	at := func(d time.Duration) int64 { return w.clock().Add(d).Unix() }
	for name, token := range map[string]string{
		"no token":                           "hello",
		"two parts":                          parts[0] + "." + parts[1],
		"four parts":                         good + ".x",
		"too long":                           good + strings.Repeat("A", maxToken),
		"algorithm none":                     none + "." + parts[1] + ".",
		"algorithm none with a signature":    none + "." + parts[1] + "." + parts[2],
		"no signature":                       parts[0] + "." + parts[1] + ".",
		"other claims":                       parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+w.URL+`","sub":"admin","exp":9999999999}`)) + "." + parts[2],
		"the public key as a secret":         w.sign(jose.HS256, public, kid("key-1"), w.claims(nil)),
		"the public key's DER as a secret":   w.sign(jose.HS256, der, kid("key-1"), w.claims(nil)),
		"a stranger's key":                   w.sign(jose.RS256, stranger, kid("key-1"), w.claims(nil)),
		"a stranger's key and its address":   w.sign(jose.RS256, stranger, kid("key-1", "jku", theirs.URL), w.claims(nil)),
		"a stranger's key inside":            w.sign(jose.RS256, stranger, kid("key-1", "jwk", jose.JSONWebKey{Key: stranger.Public()}), w.claims(nil)),
		"a certificate's address":            w.sign(jose.RS256, stranger, kid("key-1", "x5u", theirs.URL), w.claims(nil)),
		"an unknown key":                     w.sign(jose.RS256, stranger, kid("key-2"), w.claims(nil)),
		"a key id that is a path":            w.sign(jose.RS256, stranger, kid("../../dev/null"), w.claims(nil)),
		"a key id that is a query":           w.sign(jose.RS256, stranger, kid("' OR '1'='1"), w.claims(nil)),
		"another algorithm than the key's":   w.sign(jose.PS256, w.key, kid("key-1"), w.claims(nil)),
		"another kind of key":                w.sign(jose.ES256, curve, kid("key-1"), w.claims(nil)),
		"a critical extension":               w.sign(jose.RS256, w.key, kid("key-1", "crit", []string{"x"}, "x", 1), w.claims(nil)),
		"a payload that is not encoded":      w.sign(jose.RS256, w.key, kid("key-1", "crit", []string{"b64"}, "b64", true), w.claims(nil)),
		"another issuer":                     w.token("at+jwt", map[string]any{"iss": "https://other.example"}),
		"an issuer with a slash":             w.token("at+jwt", map[string]any{"iss": w.URL + "/"}),
		"an issuer in capitals":              w.token("at+jwt", map[string]any{"iss": nil, "Iss": w.URL}),
		"two issuers":                        w.token("at+jwt", map[string]any{"iss": []string{w.URL}}),
		"no issuer":                          w.token("at+jwt", map[string]any{"iss": nil}),
		"no subject":                         w.token("at+jwt", map[string]any{"sub": nil}),
		"a subject that is a number":         w.token("at+jwt", map[string]any{"sub": 7}),
		"a subject with a line end":          w.token("at+jwt", map[string]any{"sub": "a\nb"}),
		"an endless subject":                 w.token("at+jwt", map[string]any{"sub": strings.Repeat("a", issuer.MaxSubject+1)}),
		"expired":                            w.token("at+jwt", map[string]any{"exp": at(-time.Second)}),
		"never expires":                      w.token("at+jwt", map[string]any{"exp": nil}),
		"expiry that is a text":              w.token("at+jwt", map[string]any{"exp": "never"}),
		"not yet":                            w.token("at+jwt", map[string]any{"nbf": at(2 * time.Minute)}),
		"issued in the future":               w.token("at+jwt", map[string]any{"iat": at(2 * time.Minute)}),
		"issued at the end of time":          w.token("at+jwt", map[string]any{"iat": 1e300}),
		"an ID token":                        w.token("JWT", map[string]any{"nonce": "n"}),
		"an ID token without a nonce":        w.token("", map[string]any{"at_hash": "x"}),
		"an ID token of the hybrid flow":     w.token("", map[string]any{"c_hash": "x"}),
		"Keycloak's ID token":                w.token("JWT", map[string]any{"typ": "ID"}),
		"Keycloak's refresh token":           w.token("JWT", map[string]any{"typ": "Refresh"}),
		"a logout token":                     w.token("", map[string]any{"events": map[string]any{}}),
		"a logout token that is typed":       w.token("logout+jwt", nil),
		"a security event":                   w.token("secevent+jwt", nil),
		"a client's assertion":               w.token("client-authentication+jwt", nil),
		"a proof of possession":              w.token("dpop+jwt", nil),
		"a request object":                   w.token("oauth-authz-req+jwt", nil),
		"an answer about a token":            w.token("token-introspection+jwt", nil),
		"a token bound to a key (DPoP)":      w.token("at+jwt", map[string]any{"cnf": map[string]any{"jkt": "x"}}),
		"a token bound to a key (mutual TLS": w.token("at+jwt", map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}),
	} {
		t.Run(name, func(t *testing.T) {
			i := w.issuer()
			if _, err := i.Verify(t.Context(), good); err != nil {
				t.Fatalf("the good one is refused, so that this test says nothing: %v", err)
			}
			if got, err := i.Verify(t.Context(), token); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// What an issuer publishes may be odd, or somebody else's. Then nothing is believed, and nobody's token called bad.
func TestIssuersThatCannotBeBelieved(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*world){
		"metadata of another issuer": func(w *world) {
			w.metadata = map[string]string{"issuer": "https://other.example", "jwks_uri": w.URL + "/jwks"}
		},
		"keys in the clear":   func(w *world) { w.metadata = map[string]string{"issuer": w.URL, "jwks_uri": "http://192.0.2.1/jwks"} },
		"no keys' address":    func(w *world) { w.metadata = map[string]string{"issuer": w.URL} },
		"metadata of rubbish": func(w *world) { w.metadata = "rubbish" },
		"no keys":             func(w *world) { w.jwks = map[string]any{"keys": []any{}} },
		"only private keys":   func(w *world) { w.jwks = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private, KeyID: "key-1"}}} },
		"only secrets": func(w *world) {
			w.jwks = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte("secret"), KeyID: "key-1"}}}
		},
		"only keys to encrypt with": func(w *world) {
			w.jwks = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "key-1", Use: "enc"}}}
		},
		"endless keys": func(w *world) { w.jwks = strings.Repeat("x", issuer.MaxDocument+1) },
		"an outage":    func(w *world) { w.broken = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			if got, err := w.issuer().Verify(t.Context(), w.token("at+jwt", nil)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	t.Run("one odd key among good ones", func(t *testing.T) {
		w := newWorld(t)
		w.jwks = map[string]any{"keys": []any{
			map[string]any{"kty": "new", "kid": "x"}, 7, jose.JSONWebKey{Key: w.key.Public(), KeyID: "key-1"},
		}}
		if _, err := w.issuer().Verify(t.Context(), w.token("at+jwt", nil)); err != nil {
			t.Error(err)
		}
	})
}

// Where an issuer lets somebody name a claim of their own, as from what is known of a user, one in another case is not the claim that counts.
func TestAttackClaimsInAnotherCase(t *testing.T) {
	w := newWorld(t)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: w.key}, &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": "key-1", "typ": "at+jwt"}})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(exp int64) (*Token, error) {
		payload := fmt.Sprintf(`{"iss":%q,"sub":"user_1","aud":"https://other.example","exp":%d,"AUD":"https://mcp.example.com/github","EXP":%d}`,
			w.URL, exp, w.clock().Add(time.Hour).Unix())
		jws, err := signer.Sign([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return w.issuer().Verify(t.Context(), token)
	}
	soon := w.clock().Add(time.Minute)
	if got, err := verify(soon.Unix()); err != nil || len(got.Audience) != 1 || got.Audience[0] != "https://other.example" || !got.Expires.Equal(soon) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := verify(w.clock().Add(-time.Minute).Unix()); !errors.Is(err, ErrInvalid) {
		t.Errorf("an expired one: %+v, %v", got, err)
	}
}
