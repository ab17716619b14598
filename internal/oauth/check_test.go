package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// forge makes a token with the server's own key, or with another one, and any header and claims.
func (f *fixture) forge(key *ecdsa.PrivateKey, algorithm jose.SignatureAlgorithm, kid string, header map[jose.HeaderKey]any, claims map[string]any) string {
	f.t.Helper()
	opts := &jose.SignerOptions{ExtraHeaders: header}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, opts)
	if err != nil {
		f.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		f.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// ownKey takes the private key out of a server's store.
func (f *fixture) ownKey() (*ecdsa.PrivateKey, string) {
	f.t.Helper()
	sealer, err := f.server.cfg.Sealer(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	sealed, err := f.store.Get(f.t.Context(), kindKey, keyRecord)
	if err != nil {
		f.t.Fatal(err)
	}
	plain, err := sealer.Open(purposeKey, keyRecord, string(sealed))
	if err != nil {
		f.t.Fatal(err)
	}
	var set keySet
	if err := json.Unmarshal(plain, &set); err != nil {
		f.t.Fatal(err)
	}
	key, err := parsePrivateKey(set.Keys[0].PKCS8)
	if err != nil {
		f.t.Fatal(err)
	}
	return key, set.Keys[0].ID
}

// Everything about a token counts: one of ours with any of it changed is refused as invalid, whatever it is.
func TestTokensThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	key, kid := f.ownKey()
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{
		"iss": testIssuer, "aud": testResource, "sub": "x", "client_id": clientID, "scope": "mcp", "jti": "1", "gid": f.grantOf(a),
		"iat": f.clock.now().Unix(), "exp": f.clock.now().Add(time.Hour).Unix(),
	}
	typ := map[jose.HeaderKey]any{"typ": accessTokenType}
	claims := func(name string, value any) map[string]any {
		c := make(map[string]any)
		for k, v := range good {
			c[k] = v
		}
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	if _, err := f.call(f.forge(key, jose.ES256, kid, typ, good), testResource); err != nil {
		t.Fatalf("the good one is refused, so that this test says nothing: %v", err)
	}
	segments := strings.Split(a.Access, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	for name, token := range map[string]string{
		"not a token":              "hello",
		"a JWT of rubbish":         "a.b.c",
		"two parts":                segments[0] + "." + segments[1],
		"four parts":               a.Access + ".x",
		"no signature":             segments[0] + "." + segments[1] + ".",
		"algorithm none":           none + "." + segments[1] + ".",
		"algorithm none, signed":   none + "." + segments[1] + "." + segments[2],
		"another signature":        segments[0] + "." + segments[1] + "." + strings.Repeat("A", 86),
		"claims changed":           segments[0] + "." + flip(segments[1]) + "." + segments[2],
		"very long":                strings.Repeat("a", maxAccessToken+1),
		"a refresh token":          a.Refresh,
		"with a space":             segments[0] + " ." + segments[1] + "." + segments[2],
		"somebody else's key":      f.forge(stranger, jose.ES256, kid, typ, good),
		"an unknown key":           f.forge(stranger, jose.ES256, "other", typ, good),
		"an ID token":              f.forge(key, jose.ES256, kid, map[jose.HeaderKey]any{"typ": "JWT"}, good),
		"no type":                  f.forge(key, jose.ES256, kid, nil, good),
		"critical extension":       f.forge(key, jose.ES256, kid, map[jose.HeaderKey]any{"typ": accessTokenType, "crit": []string{"x"}, "x": 1}, good),
		"another issuer":           f.forge(key, jose.ES256, kid, typ, claims("iss", "https://evil.example")),
		"issuer with a slash":      f.forge(key, jose.ES256, kid, typ, claims("iss", testIssuer+"/")),
		"another resource":         f.forge(key, jose.ES256, kid, typ, claims("aud", testImages)),
		"several resources":        f.forge(key, jose.ES256, kid, typ, claims("aud", []string{testResource, testImages})),
		"no resource":              f.forge(key, jose.ES256, kid, typ, claims("aud", nil)),
		"expired":                  f.forge(key, jose.ES256, kid, typ, claims("exp", f.clock.now().Unix())),
		"never expires":            f.forge(key, jose.ES256, kid, typ, claims("exp", nil)),
		"not yet":                  f.forge(key, jose.ES256, kid, typ, claims("nbf", f.clock.now().Add(2*time.Minute).Unix())),
		"issued in the future":     f.forge(key, jose.ES256, kid, typ, claims("iat", f.clock.now().Add(2*time.Minute).Unix())),
		"expiry that is a text":    f.forge(key, jose.ES256, kid, typ, claims("exp", "2099-01-01")),
		"no client":                f.forge(key, jose.ES256, kid, typ, claims("client_id", nil)),
		"another client":           f.forge(key, jose.ES256, kid, typ, claims("client_id", "desktop")),
		"no grant":                 f.forge(key, jose.ES256, kid, typ, claims("gid", nil)),
		"a grant that is none":     f.forge(key, jose.ES256, kid, typ, claims("gid", "nothing")),
		"a machine that is none":   f.forge(key, jose.ES256, kid, typ, claims("gid", machineGrant+"desktop")),
		"a grant of somebody else": f.forge(key, jose.ES256, kid, typ, claims("gid", f.otherGrant())),
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time, it might come from the cache
				if access, err := f.call(token, testResource); !errors.Is(err, ErrInvalidToken) {
					t.Fatalf("got %+v, %v", access, err)
				}
			}
		})
	}
}

// otherGrant makes a grant with another client.
func (f *fixture) otherGrant() string {
	f.t.Helper()
	_, a := f.newTokens()
	return f.grantOf(a)
}

// flip changes a character in the middle.
func flip(s string) string {
	b := []byte(s)
	if i := len(b) / 2; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

func TestWhereATokenMayBe(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	for _, tc := range []struct {
		name string
		with func(*http.Request)
		want error
	}{
		{"nowhere", func(*http.Request) {}, ErrNoToken},
		{"in the header", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+a.Access) }, nil},
		{"with the scheme in another case", func(r *http.Request) { r.Header.Set("Authorization", "bearer "+a.Access) }, nil},
		{"after two spaces", func(r *http.Request) { r.Header.Set("Authorization", "Bearer  "+a.Access) }, nil},
		{"in the query", func(r *http.Request) { r.URL.RawQuery = "access_token=" + a.Access }, ErrNoToken},
		{"in a cookie", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: a.Access}) }, ErrNoToken},
		{"in another header", func(r *http.Request) { r.Header.Set("X-Forwarded-Access-Token", a.Access) }, ErrNoToken},
		{"with another scheme", func(r *http.Request) { r.Header.Set("Authorization", "Basic "+a.Access) }, ErrNoToken},
		{"without a scheme", func(r *http.Request) { r.Header.Set("Authorization", a.Access) }, ErrNoToken},
		{"in two headers", func(r *http.Request) {
			r.Header.Add("Authorization", "Bearer "+a.Access)
			r.Header.Add("Authorization", "Bearer "+a.Access)
		}, ErrInvalidToken},
		{"an empty one", func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, ErrInvalidToken},
		{"two in one header", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+a.Access+", Bearer "+a.Access) }, ErrInvalidToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, testResource, nil)
			tc.with(r)
			if _, err := f.server.Authenticate(t.Context(), r, Resource{URL: testResource}); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// A token is good at the mount it was issued for, in either spelling, and at no other.
func TestATokenIsForOneMount(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	for resource, want := range map[string]error{
		testResource: nil, testResource + "/": nil, testImages: ErrInvalidToken, testIssuer: ErrInvalidToken, "https://other.example/github": ErrInvalidToken,
	} {
		if _, err := f.call(a.Access, resource); !errors.Is(err, want) {
			t.Errorf("at %s: %v, want %v", resource, err, want)
		}
	}
}

// A policy's conditions can ask which agent acts: the one that holds the grant, under the name it has here.
func TestTheSubjectSaysWhichAgentActs(t *testing.T) {
	f := newFixture(t, nil)
	id, a := f.newTokens()
	access, err := f.call(a.Access, testResource)
	if err != nil {
		t.Fatal(err)
	}
	if got := access.Subject.Client; got.ID != id || got.ID != access.ClientID || got.Name == "" || got.Name != access.ClientName {
		t.Errorf("for a person: %+v", got)
	}
	bot := machineSubject(&client{ID: "bot", Name: "Bot", Static: new(StaticClient)})
	if bot.Client != (policy.Client{ID: "bot", Name: "Bot"}) {
		t.Errorf("for itself: %+v", bot.Client)
	}
}

// While a grant was read in the last three seconds, a call asks nothing of the store; after that, once.
func TestTheHotPathLeavesTheStoreAlone(t *testing.T) {
	c := newClock()
	counted := &countingStore{Store: storetest.NewMemory(c.now)}
	f := newFixtureOn(t, c, counted, nil)
	_, a := f.newTokens()
	f.rolesOf(a.Access)
	before := counted.gets.Load()
	for range 100 {
		f.rolesOf(a.Access)
	}
	if n := counted.gets.Load() - before; n != 0 {
		t.Errorf("100 calls read the store %d times", n)
	}
	c.advance(grantStateReread)
	for range 100 {
		f.rolesOf(a.Access)
	}
	f.server.reads.wait()
	if n := counted.gets.Load() - before; n != 1 {
		t.Errorf("after %v, 100 calls read the store %d times", grantStateReread, n)
	}
}

// Calls under any kind of token go on with a store that fails at everything, until what they stand for has to be read again.
func TestCallsNeedNoStore(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	_, a := f.newTokens()
	personal, _, _ := f.makeToken()
	tokens := []string{a.Access, personal, f.machineToken()}
	for _, token := range tokens {
		if _, err := f.call(token, testResource); err != nil {
			t.Fatal(err)
		}
	}
	f.server.cfg.Store = brokenStore{}
	for range 100 {
		for _, token := range tokens {
			if _, err := f.call(token, testResource); err != nil {
				t.Fatal(err)
			}
			if _, err := f.call(flip(token), testResource); !errors.Is(err, ErrInvalidToken) {
				t.Fatalf("a token that was changed: %v", err)
			}
		}
	}
}

// A revocation bites at once where it was made, and within five seconds elsewhere, also if the calls never pause.
func TestRevocationBites(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	elsewhere := newFixtureOn(t, f.clock, f.store, nil)
	f.rolesOf(a.Access)
	elsewhere.rolesOf(a.Access)
	if err := f.server.Revoke(t.Context(), f.grantOf(a)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("at once, here: %v", err)
	}
	for range 5 {
		f.clock.advance(time.Second)
		_, _ = elsewhere.call(a.Access, testResource)
	}
	if _, err := elsewhere.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("after five seconds, elsewhere: %v", err)
	}
}

// A call may take longer than its token lasts. Its answer is given by the roles of then, and not to those whose access was ended
// meanwhile.
func TestAttackACallThatOutlivesItsToken(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	access, err := f.call(a.Access, testResource)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(f.server.cfg.AccessTTL)
	if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("an expired token: %v", err)
	}
	if now, err := f.server.Standing(t.Context(), access); err != nil || now.Subject.ID != access.Subject.ID {
		t.Errorf("a call that began in time: %v, %v", now, err)
	}
	if err := f.server.Revoke(t.Context(), access.GrantID); err != nil {
		t.Fatal(err)
	}
	if now, err := f.server.Standing(t.Context(), access); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a call whose grant has ended: %v, %v", now, err)
	}
}

// A store that is down is told as such: the token may well be good. It makes no revoked token good for longer.
func TestCallsWhileTheStoreIsDown(t *testing.T) {
	c := newClock()
	counted := &countingStore{Store: storetest.NewMemory(c.now)}
	f := newFixtureOn(t, c, counted, nil)
	_, a := f.newTokens()
	f.rolesOf(a.Access)
	counted.down.Store(true)
	c.advance(grantStateTTL - time.Second)
	f.rolesOf(a.Access)
	f.server.reads.wait()
	c.advance(time.Second)
	if _, err := f.call(a.Access, testResource); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) {
		t.Errorf("got %v", err)
	}
	counted.down.Store(false)
	f.rolesOf(a.Access)
}

// Made-up tokens push no good one out of the cache, and the cache does not grow without bound.
func TestTheCacheIsBounded(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	f.rolesOf(a.Access)
	for i := range 10 * tokensPerShard {
		_, _ = f.call(fmt.Sprintf("%d%s", i, a.Access), testResource)
	}
	if f.server.cache.token(a.Access) == nil {
		t.Error("the good token is gone")
	}
	now := f.clock.now()
	for i := range 3 * cacheShards * tokensPerShard {
		f.server.cache.put(&cachedToken{token: fmt.Sprint("token ", i), expires: now.Add(time.Hour)}, now)
		f.server.cache.grant(fmt.Sprint("grant ", i))
	}
	tokens, grants := 0, 0
	for i := range cacheShards {
		tokens += len(f.server.cache.tokens.shards[i].m)
		grants += len(f.server.cache.grants[i].m)
	}
	if tokens > cacheShards*tokensPerShard || grants > cacheShards*grantsPerShard {
		t.Errorf("the cache holds %d tokens and %d grants", tokens, grants)
	}
	// What was pushed out is found again, and revoking it still bites.
	f.rolesOf(a.Access)
	if err := f.server.Revoke(t.Context(), f.grantOf(a)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.call(a.Access, testResource); err == nil {
		t.Error("a revoked token is good")
	}
	f.clock.advance(time.Hour)
	if err := f.server.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.server.cache.tokens.shards[0].m) != 0 {
		t.Error("expired tokens are still there")
	}
}

// A call that is given up does not take down with it the reading that others wait for.
func TestACallThatIsGivenUp(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest(http.MethodPost, testResource, nil)
	r.Header.Set("Authorization", "Bearer "+a.Access)
	if _, err := f.server.Authenticate(ctx, r, Resource{URL: testResource}); err != nil && !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if got := f.rolesOf(a.Access); !slices.Equal(got, []string{"admin"}) {
		t.Errorf("roles are %v", got)
	}
}

// The claims are those of RFC 9068, and the subject of one person is another for each client and resource.
func TestAccessTokenClaims(t *testing.T) {
	f := newFixture(t, nil)
	subjects := make(map[string]bool)
	var last string
	clientID := f.register(testRedirect)
	for _, c := range []string{clientID, clientID, "desktop"} {
		for _, resource := range []string{testResource, testImages} {
			code := f.browser().login(authorizeQuery(c, testRedirect, "resource", resource)).code(t, testRedirect)
			a := f.read(f.post("/token", redeem(c, code, "resource", resource)))
			claims, err := f.server.parseAccessToken(t.Context(), a.Access)
			if err != nil {
				t.Fatal(err)
			}
			if claims.Issuer != testIssuer || claims.Audience != resource || claims.ClientID != c || claims.Scope != "mcp" || claims.ID == last ||
				claims.IssuedAt != f.clock.now().Unix() || claims.Expires != f.clock.now().Add(time.Hour).Unix() || claims.Grant == "" {
				t.Errorf("the claims are %+v", claims)
			}
			if strings.Contains(claims.Subject, "alice") {
				t.Error("the subject says who it is")
			}
			subjects[claims.Subject], last = true, claims.ID
			if raw, err := base64.RawURLEncoding.DecodeString(strings.Split(a.Access, ".")[1]); err != nil || strings.Contains(string(raw), "alice") {
				t.Errorf("the token says who it is: %s, %v", raw, err)
			}
		}
	}
	if len(subjects) != 4 {
		t.Errorf("two clients at two resources have %d subjects", len(subjects))
	}
}
