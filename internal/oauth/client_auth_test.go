package oauth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// basic is an Authorization header of the scheme Basic.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestClientAuthentication(t *testing.T) {
	f := newFixture(t, nil)
	const secret = "port:al secret+%"
	public := f.register(testRedirect)
	for _, tc := range []struct {
		name          string
		header        []string
		form          url.Values
		want          string // the client's id, or else an error code
		status        int
		wantChallenge bool
	}{
		{"post", nil, url.Values{"client_id": {"portal"}, "client_secret": {secret}}, "portal", 0, false},
		{"Basic, form-encoded as the RFC asks", []string{basic("portal", url.QueryEscape(secret))}, nil, "portal", 0, false},
		{"Basic, as it is", []string{basic("portal", secret)}, nil, "portal", 0, false},
		{"Basic in another case", []string{"basic" + basic("portal", secret)[5:]}, nil, "portal", 0, false},
		{"Basic, the client named again", []string{basic("portal", secret)}, url.Values{"client_id": {"portal"}}, "portal", 0, false},
		{"public", nil, url.Values{"client_id": {public}}, public, 0, false},
		{"public, with an empty secret", nil, url.Values{"client_id": {public}, "client_secret": {""}}, public, 0, false},
		{"public, by Basic without a secret", []string{basic(public, "")}, nil, public, 0, false},
		{"public, with somebody's bearer token", []string{"Bearer eyJhbGciOiJub25lIn0.e30."}, url.Values{"client_id": {public}}, public, 0, false},
		{"post, with somebody's bearer token", []string{"Bearer x"}, url.Values{"client_id": {"portal"}, "client_secret": {secret}}, "portal", 0, false},

		{"nothing", nil, nil, codeInvalidClient, 401, false},
		{"only a bearer token", []string{"Bearer portal"}, nil, codeInvalidClient, 401, false},
		{"unknown", nil, url.Values{"client_id": {"nobody"}}, codeInvalidClient, 401, false},
		{"unknown, by Basic", []string{basic("nobody", "x")}, nil, codeInvalidClient, 401, true},
		{"a secret is missing", nil, url.Values{"client_id": {"portal"}}, codeInvalidClient, 401, false},
		{"an empty secret", []string{basic("portal", "")}, nil, codeInvalidClient, 401, true},
		{"wrong secret", nil, url.Values{"client_id": {"portal"}, "client_secret": {"x"}}, codeInvalidClient, 401, false},
		{"wrong secret by Basic", []string{basic("portal", "x")}, nil, codeInvalidClient, 401, true},
		{"another's secret", nil, url.Values{"client_id": {"portal"}, "client_secret": {"bot-secret"}}, codeInvalidClient, 401, false},
		{"a public client with a secret", nil, url.Values{"client_id": {public}, "client_secret": {"x"}}, codeInvalidClient, 401, false},
		{"both at once", []string{basic("portal", secret)}, url.Values{"client_id": {"portal"}, "client_secret": {secret}}, codeInvalidRequest, 400, false},
		{"two different clients", []string{basic("portal", secret)}, url.Values{"client_id": {"desktop"}}, codeInvalidRequest, 400, false},
		{"two secrets", nil, url.Values{"client_id": {"portal"}, "client_secret": {secret, "x"}}, codeInvalidRequest, 400, false},
		{"two clients", nil, url.Values{"client_id": {"portal", "desktop"}}, codeInvalidRequest, 400, false},
		{"two headers", []string{basic("portal", secret), basic("portal", secret)}, nil, codeInvalidRequest, 400, false},
		{"Basic and Bearer", []string{basic("portal", secret), "Bearer x"}, nil, codeInvalidRequest, 400, false},
		{"Basic that is not base64", []string{"Basic ???"}, nil, codeInvalidClient, 401, true},
		{"Basic of nothing", []string{"Basic"}, nil, codeInvalidClient, 401, true},
		{"Basic without a colon", []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("portal"))}, nil, codeInvalidClient, 401, true},
		{"Basic with a bad encoding", []string{basic("por%tal", "%zz")}, nil, codeInvalidClient, 401, true},
		{"an assertion", nil, url.Values{"client_id": {"portal"}, "client_assertion": {"x"}, "client_assertion_type": {"y"}}, codeInvalidClient, 401, false},
		{"a very long id", nil, url.Values{"client_id": {strings.Repeat("a", 10000)}}, codeInvalidClient, 401, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, testIssuer+"/token", nil)
			for _, h := range tc.header {
				r.Header.Add("Authorization", h)
			}
			c, err := f.server.authenticateClient(r, params{tc.form})
			if tc.status == 0 {
				if err != nil || c.ID != tc.want {
					t.Errorf("got %+v, %v", c, err)
				}
				return
			}
			e := asProtocolError(err)
			if e.code != tc.want || e.status != tc.status && !(e.status == 0 && tc.status == 400) || e.challenge != tc.wantChallenge {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// Guessing the secret of a client that the operator set up is slow, and locks out nobody elsewhere.
func TestGuessingClientSecretsIsLimited(t *testing.T) {
	f := newFixture(t, nil)
	machine := url.Values{"grant_type": {"client_credentials"}, "client_id": {"ci-bot"}}
	from := func(addr, secret string) (*http.Response, answer) {
		r := httptest.NewRequest(http.MethodPost, testIssuer+"/token", strings.NewReader(machine.Encode()+"&client_secret="+secret))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = addr
		res := f.do(r)
		return res, f.read(res)
	}
	const guesser, owner = "192.0.2.1:1000", "192.0.2.2:1000"
	for i := range secretBurst {
		if _, a := from(guesser, "bot-secret"); a.Status != http.StatusOK {
			t.Fatalf("before guess %d, the right secret gets %+v", i, a)
		}
		if _, a := from(guesser, "guess"+strconv.Itoa(i)); a.Error != codeInvalidClient {
			t.Fatalf("guess %d gets %+v", i, a)
		}
	}
	for _, secret := range []string{"guess", "bot-secret", ""} {
		if res, a := from(guesser, secret); a.Status != http.StatusTooManyRequests || a.Error != codeTemporarilyUnavailable || res.Header.Get("Retry-After") != "10" {
			t.Errorf("after them, %q gets %+v, Retry-After %s", secret, a, res.Header.Get("Retry-After"))
		}
	}
	if _, a := from(owner, "bot-secret"); a.Status != http.StatusOK {
		t.Errorf("the owner, elsewhere: %+v", a)
	}
	f.clock.advance(secretEvery)
	if _, a := from(guesser, "bot-secret"); a.Status != http.StatusOK {
		t.Errorf("the right secret, later: %+v", a)
	}
}

// A header that can be read in two ways is one attempt, which a good reading of it makes good.
func TestTwoReadingsAreOneAttempt(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Static[2].Secret = "a+b" })
	form := url.Values{"grant_type": {"client_credentials"}}
	for range 2 * secretBurst {
		if a := f.read(f.post("/token", form, "Authorization", basic("ci-bot", "a+b"))); a.Status != http.StatusOK {
			t.Fatalf("got %+v", a)
		}
	}
}

func TestStaticClientsThatAreRefused(t *testing.T) {
	for name, c := range map[string]StaticClient{
		"no id":                       {Public: true, RedirectURIs: []string{testRedirect}},
		"an id with a line break":     {ID: "a\nb", Public: true, RedirectURIs: []string{testRedirect}},
		"public with a secret":        {ID: "a", Public: true, Secret: "x", RedirectURIs: []string{testRedirect}},
		"neither public nor a secret": {ID: "a", RedirectURIs: []string{testRedirect}},
		"no redirect URI":             {ID: "a", Public: true},
		"a bad redirect URI":          {ID: "a", Public: true, RedirectURIs: []string{"http://a.example/"}},
		"a public machine":            {ID: "a", Public: true, Grants: []string{grantClientCredentials}},
		"public, to introspect":       {ID: "a", Public: true, RedirectURIs: []string{testRedirect}, Introspect: []string{"*"}},
		"an unknown grant":            {ID: "a", Secret: "x", Grants: []string{"password"}},
		"roles that nothing uses":     {ID: "a", Public: true, RedirectURIs: []string{testRedirect}, Roles: []string{"admin"}},
	} {
		if _, err := staticClients([]StaticClient{c}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	twice := StaticClient{ID: "a", Public: true, RedirectURIs: []string{testRedirect}}
	if _, err := staticClients([]StaticClient{twice, twice}); err == nil {
		t.Error("the same id twice is accepted")
	}
}
