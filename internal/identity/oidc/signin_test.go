package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

func TestSigningIn(t *testing.T) {
	w := newWorld(t)
	p := w.provider(func(c *Config) {
		c.Name, c.Parameters = "acme", map[string]string{"access_type": "offline"}
		c.OrgClaims = []string{"org", "tid"}
	})
	if n := w.count("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("making it asked the provider %d times", n)
	}
	address, _, err := p.Start(t.Context(), identity.Start{RedirectURI: testCallback, State: "state", LoginHint: "alice@example.com", Anew: true})
	if err != nil {
		t.Fatal(err)
	}
	sent, _ := url.Parse(address)
	want := url.Values{
		"tenant": {"t"}, "response_type": {"code"}, "client_id": {testClient}, "redirect_uri": {testCallback}, "state": {"state"}, "access_type": {"offline"},
		"scope": {"openid profile email offline_access"}, "prompt": {"consent login"}, "login_hint": {"alice@example.com"}, "code_challenge_method": {"S256"},
	}
	got := sent.Query()
	for _, secret := range []string{"nonce", "code_challenge"} {
		if len(got.Get(secret)) != 43 {
			t.Errorf("%s is %q", secret, got.Get(secret))
		}
		got.Del(secret)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the person is sent off with %v", got)
	}
	person, err := w.signIn(p, alice("tid", "t-1", "at_hash", halfHash("access")))
	if err != nil {
		t.Fatal(err)
	}
	if len(person.Session) == 0 || person.Claims["tid"] != "t-1" || person.Claims["iss"] != nil || person.Claims["nonce"] != nil {
		t.Errorf("the session is %q, the claims are %v", person.Session, person.Claims)
	}
	person.Session, person.Claims = nil, nil
	if !reflect.DeepEqual(person, &identity.Person{
		Provider: "acme", ID: "alice", Email: "alice@example.com", Name: "Alice", Org: "t-1", Roles: []string{"admin", "member"},
		Permissions: []string{"image_generation"}, Groups: []string{"staff"}, SessionID: "s1",
	}) {
		t.Errorf("signed in as %+v", person)
	}
	if n := w.count("/userinfo"); n != 0 {
		t.Errorf("userinfo was asked %d times for what the ID token says", n)
	}
}

func TestTheClientAuthenticatesAsTheProviderWants(t *testing.T) {
	for _, c := range []struct {
		name    string
		methods []string
		secret  string
		basic   bool
		failure error
	}{
		{"nothing is said", nil, testSecret, true, nil},
		{"both", []string{"client_secret_post", "client_secret_basic"}, testSecret, true, nil},
		{"in the form", []string{"client_secret_post", "private_key_jwt"}, testSecret, false, nil},
		{"a public client", []string{"client_secret_basic"}, "", false, nil},
		{"no secret is taken", []string{"private_key_jwt"}, testSecret, false, identity.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.methods != nil {
				w.metadata["token_endpoint_auth_methods_supported"] = c.methods
			}
			_, err := w.signIn(w.provider(func(cfg *Config) { cfg.ClientSecret = c.secret }), alice())
			if c.failure != nil {
				if !errors.Is(err, c.failure) {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			id, secret, _ := (&http.Request{Header: w.header}).BasicAuth()
			if c.basic && (id != testClient || secret != url.QueryEscape(testSecret)) {
				t.Errorf("authenticated as %q with %q", id, secret)
			}
			if form := w.forms[0]; !c.basic && (id != "" || form.Get("client_id") != testClient || form.Get("client_secret") != c.secret) {
				t.Errorf("the form is %v, and %q in the header", form, id)
			}
		})
	}
}

// None of these tokens signs anybody in.
func TestIDTokensThatAreRefused(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		claims map[string]any
		sign   func(w *world, claims map[string]any) string
		want   error
	}{
		"another nonce":            {claims: alice("nonce", "other"), want: identity.ErrCallback},
		"no nonce":                 {claims: alice("nonce", nil), want: identity.ErrCallback},
		"a nonce that is no text":  {claims: alice("nonce", []string{"x"})},
		"for another client":       {claims: alice("aud", "other")},
		"for others as well":       {claims: alice("aud", []string{testClient, "other"})},
		"issued to another client": {claims: alice("azp", "other")},
		"azp that is no text":      {claims: alice("azp", 7)},
		"from another issuer":      {claims: alice("iss", "https://other.example.com")},
		"expired":                  {claims: alice("exp", 1)},
		"without an end":           {claims: alice("exp", nil)},
		"from the future":          {claims: alice("iat", 1900000000)},
		"without a beginning":      {claims: alice("iat", nil)},
		"about nobody":             {claims: alice("sub", nil)},
		"about an empty name":      {claims: alice("sub", "")},
		"about control characters": {claims: alice("sub", "a\x00b")},
		"of another access token":  {claims: alice("at_hash", halfHash("other"))},
		"none at all":              {claims: nil},
		"unsigned": {claims: alice(), sign: func(_ *world, claims map[string]any) string {
			payload, _ := json.Marshal(claims)
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
		}},
		"signed with the client secret": {claims: alice(), sign: func(w *world, claims map[string]any) string {
			return w.signed(jose.HS256, []byte(testSecret+testSecret), nil, claims)
		}},
		"signed with the public key as a secret": {claims: alice(), sign: func(w *world, claims map[string]any) string {
			der, _ := x509.MarshalPKIXPublicKey(w.key.Public())
			return w.signed(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil, claims)
		}},
		"signed with a key it brings along": {claims: alice(), sign: func(w *world, claims map[string]any) string {
			return w.signed(jose.ES256, stranger, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: stranger.Public()}}, claims)
		}},
		"too long":  {claims: alice("more", strings.Repeat("x", maxToken))},
		"no JWT":    {claims: alice(), sign: func(*world, map[string]any) string { return "a.b.c" }},
		"encrypted": {claims: alice(), sign: func(*world, map[string]any) string { return "a.b.c.d.e" }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.sign != nil {
				w.sign = func(claims map[string]any) string { return c.sign(w, claims) }
			}
			want := c.want
			if want == nil {
				want = identity.ErrUnavailable
			}
			person, err := w.signIn(w.provider(nil), c.claims)
			if person != nil || !errors.Is(err, want) {
				t.Errorf("%+v, %v", person, err)
			}
		})
	}
}

// What is signed in a way that the provider does not say it uses is not from the provider.
func TestOnlyAlgorithmsOfTheMetadataCount(t *testing.T) {
	for _, c := range []struct {
		algorithms any
		fine       bool
	}{{[]string{"ES256"}, true}, {[]string{"RS256"}, false}, {nil, false}, {[]string{"HS256", "none"}, false}} {
		w := newWorld(t)
		w.metadata["id_token_signing_alg_values_supported"] = c.algorithms
		if _, err := w.signIn(w.provider(nil), alice()); (err == nil) != c.fine {
			t.Errorf("%v: %v", c.algorithms, err)
		}
	}
}

// An answer that another provider sent, or that reports an error, is not redeemed.
func TestCallbacksThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		names  bool // whether the metadata say that there is iss
		change func(w *world, q url.Values)
		want   error
	}{
		"fine":                             {false, func(*world, url.Values) {}, nil},
		"fine, with its sender":            {true, func(w *world, q url.Values) { q.Set("iss", w.URL) }, nil},
		"from another provider":            {false, func(_ *world, q url.Values) { q.Set("iss", "https://evil.example.com") }, identity.ErrCallback},
		"from nobody, where it would say":  {true, func(*world, url.Values) {}, identity.ErrCallback},
		"an error of another provider":     {true, func(_ *world, q url.Values) { q.Set("iss", "x"); q.Set("error", "access_denied") }, identity.ErrCallback},
		"an error":                         {false, func(_ *world, q url.Values) { q.Set("error", "access_denied") }, identity.ErrCallback},
		"an error that can't be read":      {false, func(_ *world, q url.Values) { q.Set("error", "<script>") }, identity.ErrCallback},
		"the provider has trouble":         {false, func(_ *world, q url.Values) { q.Set("error", "temporarily_unavailable") }, identity.ErrUnavailable},
		"no code":                          {false, func(_ *world, q url.Values) { q.Del("code") }, identity.ErrCallback},
		"two codes":                        {false, func(_ *world, q url.Values) { q.Add("code", "b") }, identity.ErrCallback},
		"a code that is much too long":     {false, func(_ *world, q url.Values) { q.Set("code", strings.Repeat("x", maxCode+1)) }, identity.ErrCallback},
		"two senders, one of them genuine": {false, func(w *world, q url.Values) { q["iss"] = []string{w.URL, "x"} }, identity.ErrCallback},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.metadata["authorization_response_iss_parameter_supported"] = c.names
			_, err := w.signInWith(w.provider(nil), alice(), identity.Start{RedirectURI: testCallback}, func(q url.Values) { c.change(w, q) })
			if !errors.Is(err, c.want) {
				t.Error(err)
			}
			if n := w.count("/token"); c.want != nil && n != 0 {
				t.Errorf("the code was sent %d times", n)
			}
			if err != nil && strings.Contains(err.Error(), "script") {
				t.Errorf("the error repeats what was sent: %v", err)
			}
		})
	}
}

// Who had to sign in anew has, where the provider says when they did.
func TestSigningInAnew(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		at   any
		fine bool
	}{
		"just now": {w.now.Unix(), true}, "an hour ago": {w.now.Add(-time.Hour).Unix(), false}, "nobody knows": {nil, true},
	} {
		in := identity.Start{RedirectURI: testCallback, Anew: true}
		if _, err := w.signInWith(w.provider(nil), alice("auth_time", c.at), in, nil); (err == nil) != c.fine || err != nil && !errors.Is(err, identity.ErrCallback) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatThePersonIsAsked(t *testing.T) {
	for _, c := range []struct {
		scopes, offered []string
		prompt          string
		anew            bool
		want, scope     string
	}{
		{nil, []string{"openid", "offline_access"}, "", false, "consent", "openid profile email offline_access"},
		{nil, []string{"openid"}, "", false, "", "openid profile email"},
		{nil, nil, "", true, "login", "openid profile email"},
		{[]string{"openid", "offline_access"}, []string{"offline_access"}, "", false, "", "openid offline_access"},
		{[]string{"openid"}, nil, "select_account", true, "select_account login", "openid"},
		{[]string{"openid"}, nil, "login", true, "login", "openid"},
	} {
		w := newWorld(t)
		w.metadata["scopes_supported"] = c.offered
		p := w.provider(func(cfg *Config) {
			cfg.Scopes = c.scopes
			if c.prompt != "" {
				cfg.Parameters = map[string]string{"prompt": c.prompt}
			}
		})
		address, _, err := p.Start(t.Context(), identity.Start{RedirectURI: testCallback, Anew: c.anew})
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(address)
		if q := u.Query(); q.Get("prompt") != c.want || q.Has("prompt") != (c.want != "") || q.Get("scope") != c.scope {
			t.Errorf("%+v: %v", c, q)
		}
	}
}

// A provider that is down when it is first needed is found again by itself, and asked no more often than it should be meanwhile.
func TestAProviderThatIsDownIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	p := w.provider(nil)
	good := w.metadata
	for name, metadata := range map[string]map[string]any{
		"somebody else's":               {"issuer": "https://other.example.com", "authorization_endpoint": "https://other.example.com/authorize"},
		"without an address to go to":   {"issuer": w.URL, "token_endpoint": w.URL + "/token"},
		"with an address without TLS":   {"issuer": w.URL, "authorization_endpoint": "http://other.example.com/authorize"},
		"with an address of no browser": {"issuer": w.URL, "authorization_endpoint": "javascript:alert(1)"},
	} {
		w.set(func() { w.metadata, w.now = metadata, w.now.Add(time.Hour) })
		if _, _, err := w.provider(nil).Start(t.Context(), identity.Start{}); !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("metadata %s: %v", name, err)
		}
	}
	w.set(func() { w.metadata = nil })
	before := w.count("/.well-known/openid-configuration")
	for range 5 {
		if _, _, err := p.Start(t.Context(), identity.Start{}); !errors.Is(err, identity.ErrUnavailable) {
			t.Error(err)
		}
	}
	if n := w.count("/.well-known/openid-configuration") - before; n != 1 {
		t.Errorf("it was asked %d times within a moment", n)
	}
	w.set(func() { w.metadata, w.now = good, w.now.Add(time.Minute) })
	if _, err := w.signIn(p, alice()); err != nil {
		t.Error(err)
	}
}

func TestTheTokenEndpointsTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   error
		after  time.Duration
	}{
		"a code that is not good": {func(w http.ResponseWriter) { jsonAnswer(w, 400, `{"error":"invalid_grant"}`) }, identity.ErrCallback, 0},
		"our secret is wrong":     {func(w http.ResponseWriter) { jsonAnswer(w, 401, `{"error":"invalid_client"}`) }, identity.ErrUnavailable, 0},
		"down":                    {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(503) }, identity.ErrUnavailable, 7 * time.Second},
		"no JSON":                 {func(w http.ResponseWriter) { jsonAnswer(w, 200, `<html>`) }, identity.ErrUnavailable, 0},
		"a redirect":              {func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(307) }, identity.ErrUnavailable, 0},
		"an endless answer": {func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("x", 2<<20)))
		}, identity.ErrUnavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = func(rw http.ResponseWriter, _ *http.Request) bool { c.answer(rw); return true }
			_, err := w.signIn(w.provider(nil), alice())
			if !errors.Is(err, c.want) {
				t.Error(err)
			}
			if u, _ := errors.AsType[*identity.Unavailable](err); u != nil && u.RetryAfter != c.after {
				t.Errorf("come back after %v", u.RetryAfter)
			}
			if w.count("/elsewhere") != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// jsonAnswer writes an answer.
func jsonAnswer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// What the ID token lacks, userinfo says, if it is about the same person.
func TestUserinfo(t *testing.T) {
	thin := map[string]any{"sub": "alice"}
	w := newWorld(t)
	w.userinfo = alice()
	person, err := w.signIn(w.provider(nil), thin)
	if err != nil || person.Email != "alice@example.com" || !slices.Equal(person.Roles, []string{"admin", "member"}) || w.count("/userinfo") != 1 {
		t.Errorf("%+v, %v", person, err)
	}
	for name, change := range map[string]func(){
		"somebody else's": func() { w.userinfo = alice("sub", "mallory") },
		"nobody's":        func() { w.userinfo = alice("sub", nil) },
		"endless":         func() { w.userinfo = alice("more", strings.Repeat("x", 1<<20)) },
		"missing":         func() { w.metadata["userinfo_endpoint"] = w.URL + "/none" },
	} {
		w := w
		w.set(func() { w.now = w.now.Add(time.Hour); change() })
		if person, err := w.signIn(w.provider(nil), thin); !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("%s: %+v, %v", name, person, err)
		}
	}
	w.set(func() { delete(w.metadata, "userinfo_endpoint") })
	if person, err := w.signIn(w.provider(nil), thin); err != nil || person.Email != "" || person.Roles != nil {
		t.Errorf("without userinfo: %+v, %v", person, err)
	}
}
