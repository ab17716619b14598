package workos

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fake is a WorkOS that answers what a test tells it to: for what the emulator can't be brought to say.
type fake struct {
	t   *testing.T
	url string

	mu sync.Mutex
	// authenticate answers /user_management/authenticate by grant type.
	authenticate map[string]func(call) reply
	memberships  []map[string]any
	roles        []map[string]any // of every organization
	listStatus   int
	jwksStatus   int
	calls        []call
}

// call is one request to authenticate, or the path of another one.
type call struct {
	path string
	body map[string]string
}

// reply is an answer; a nil body with status 0 cuts the connection.
type reply struct {
	status int
	header map[string]string
	body   any
}

const (
	byCode      = "authorization_code"
	byRefresh   = "refresh_token"
	bySelection = "urn:workos:oauth:grant-type:organization-selection"
)

// testKey signs the fake's tokens; making one is slow, so there is one for all tests.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// testNow is the clock of the fake's tokens and of the providers under test.
var testNow = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newFake(t *testing.T) *fake {
	f := &fake{t: t, authenticate: make(map[string]func(call) reply)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /user_management/authenticate", f.serveAuthenticate)
	mux.HandleFunc("GET /user_management/organization_memberships", f.serveMemberships)
	mux.HandleFunc("GET /authorization/organizations/{id}/roles", func(w http.ResponseWriter, _ *http.Request) {
		write(w, reply{status: 200, body: map[string]any{"data": f.roles}})
	})
	mux.HandleFunc("GET /user_management/users/user_1", func(w http.ResponseWriter, _ *http.Request) {
		write(w, reply{status: 200, body: map[string]any{"id": "user_1", "email": "alice@acme.test", "first_name": "Alice", "last_name": "Jones"}})
	})
	mux.HandleFunc("GET /organizations/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.record(call{path: r.URL.Path})
		write(w, reply{status: 200, body: map[string]any{"id": r.PathValue("id"), "name": "Org " + r.PathValue("id")}})
	})
	mux.HandleFunc("GET /sso/jwks/client_1", func(w http.ResponseWriter, r *http.Request) {
		f.record(call{path: r.URL.Path})
		f.mu.Lock()
		status := f.jwksStatus
		f.mu.Unlock()
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		write(w, reply{status: 200, body: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
			Key: testKey().Public(), KeyID: "key_1", Algorithm: "RS256", Use: "sig",
		}}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fake) record(c call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
}

// count returns how many calls there were with a grant type, or to a path.
func (f *fake) count(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.path == what || c.body["grant_type"] == what {
			n++
		}
	}
	return n
}

func (f *fake) serveAuthenticate(w http.ResponseWriter, r *http.Request) {
	c := call{path: r.URL.Path}
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &c.body)
	}
	if err != nil {
		f.t.Errorf("authenticate: %v in %s", err, data)
	}
	if c.body["client_id"] != "client_1" || c.body["client_secret"] != "sk_test" {
		f.t.Errorf("authenticate as %q with %q", c.body["client_id"], c.body["client_secret"])
	}
	f.record(c)
	answer, ok := f.authenticate[c.body["grant_type"]]
	if !ok {
		f.t.Errorf("unexpected grant %q", c.body["grant_type"])
		w.WriteHeader(http.StatusTeapot)
		return
	}
	write(w, answer(c))
}

func (f *fake) serveMemberships(w http.ResponseWriter, r *http.Request) {
	f.record(call{path: r.URL.Path})
	if f.listStatus != 0 {
		write(w, reply{status: f.listStatus, body: map[string]any{"message": "no", "code": "server_error"}})
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer sk_test" {
		f.t.Errorf("memberships asked for with %q", got)
	}
	write(w, reply{status: 200, body: map[string]any{"data": f.memberships, "list_metadata": map[string]any{}}})
}

func write(w http.ResponseWriter, r reply) {
	if r.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	for k, v := range r.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(r.status)
	if s, ok := r.body.(string); ok {
		_, _ = io.WriteString(w, s)
		return
	}
	_ = json.NewEncoder(w).Encode(r.body)
}

// always answers the same.
func always(r reply) func(call) reply { return func(call) reply { return r } }

// member is a membership as the API lists it.
func member(org, status string) map[string]any {
	return map[string]any{"id": "om_" + org, "user_id": "user_1", "organization_id": org, "status": status, "role": map[string]any{"slug": "member"}}
}

// token signs claims over the ones every good token has; a nil value takes one away.
func (f *fake) token(claims map[string]any) string {
	all := map[string]any{
		"iss": f.url, "sub": "user_1", "sid": "session_1", "jti": "1",
		"iat": testNow.Unix(), "exp": testNow.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return sign(f.t, jose.RS256, testKey(), "key_1", all)
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// session is a successful answer with a token of these claims.
func (f *fake) session(refreshToken string, claims map[string]any) reply {
	return reply{status: 200, body: map[string]any{
		"user": map[string]any{
			"id": "user_1", "email": "alice@acme.test", "first_name": "Alice", "last_name": "Jones", "email_verified": true,
		},
		"access_token": f.token(claims), "refresh_token": refreshToken,
	}}
}

// provider returns a Provider for the fake that accepts org_1 and org_2; adjust may be nil.
func (f *fake) provider(adjust func(*Config)) *Provider {
	f.t.Helper()
	cfg := Config{
		ClientID: "client_1", APIKey: "sk_test", BaseURL: f.url, Organizations: []string{"org_1", "org_2"},
		Now: func() time.Time { return testNow },
	}
	if adjust != nil {
		adjust(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	p.replayAfter = 0
	return p
}
