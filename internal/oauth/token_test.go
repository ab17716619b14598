package oauth

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every refusal of a code is told in the words of RFC 6749 section 5.2, and none of them uses the code up.
func TestCodesThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	clientID, code := f.newCode()
	other := f.register(testRedirect)
	for _, tc := range []struct {
		name   string
		form   url.Values
		status int
		want   string
	}{
		{"no grant type", redeem(clientID, code, "grant_type", ""), 400, codeInvalidRequest},
		{"another grant type", redeem(clientID, code, "grant_type", "password"), 400, codeUnsupportedGrantType},
		{"no client", redeem("", code), 401, codeInvalidClient},
		{"unknown client", redeem("mcp-nobody", code), 401, codeInvalidClient},
		{"another client", redeem(other, code), 400, codeInvalidGrant},
		{"a client that may not", redeem("ci-bot", code, "client_secret", "bot-secret"), 400, codeUnauthorizedClient},
		{"no code", redeem(clientID, ""), 400, codeInvalidRequest},
		{"unknown code", redeem(clientID, randomText(32)), 400, codeInvalidGrant},
		{"a code that is too long", redeem(clientID, strings.Repeat("a", maxCode+1)), 400, codeInvalidRequest},
		{"no verifier", redeem(clientID, code, "code_verifier", ""), 400, codeInvalidRequest},
		{"short verifier", redeem(clientID, code, "code_verifier", "short"), 400, codeInvalidRequest},
		{"another verifier", redeem(clientID, code, "code_verifier", strings.Repeat("a", 43)), 400, codeInvalidGrant},
		{"the challenge for the verifier", redeem(clientID, code, "code_verifier", rfcChallenge), 400, codeInvalidGrant},
		{"another redirect URI", redeem(clientID, code, "redirect_uri", "http://127.0.0.1:33419/callback"), 400, codeInvalidGrant},
		{"another resource", redeem(clientID, code, "resource", testImages), 400, codeInvalidTarget},
		{"unknown resource", redeem(clientID, code, "resource", "https://evil.example"), 400, codeInvalidTarget},
		{"two resources", with(redeem(clientID, code), "resource", testImages), 400, codeInvalidTarget},
		{"two codes", with(redeem(clientID, code), "code", code), 400, codeInvalidRequest},
		{"two clients", with(redeem(clientID, code), "client_id", clientID), 400, codeInvalidRequest},
		{"two verifiers", with(redeem(clientID, code), "code_verifier", rfcVerifier), 400, codeInvalidRequest},
		{"bad scope", redeem(clientID, code, "scope", "mcp\x00"), 400, codeInvalidScope},
		{"a secret of a public client", redeem(clientID, code, "client_secret", "x"), 401, codeInvalidClient},
		{"a client assertion", redeem(clientID, code, "client_assertion", "x"), 401, codeInvalidClient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.read(f.post("/token", tc.form))
			if a.Status != tc.status || a.Error != tc.want || a.Access != "" {
				t.Errorf("got %+v, want %d %s", a, tc.status, tc.want)
			}
		})
	}
	if a := f.read(f.post("/token", redeem(clientID, code))); a.Status != http.StatusOK {
		t.Errorf("after all that, the code does not work: %+v", a)
	}
}

func TestCodesWork(t *testing.T) {
	for name, changes := range map[string][]string{
		"as asked":                         {},
		"without redirect_uri (OAuth 2.1)": {"redirect_uri", ""},
		"without resource":                 {"resource", ""},
		"with the other slash form":        {"resource", testResource + "/"},
		"with a scope":                     {"scope", "mcp"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			clientID, code := f.newCode()
			a := f.read(f.post("/token", redeem(clientID, code, changes...)))
			if _, err := f.call(a.Access, testResource); err != nil {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
}

func TestACodeExpires(t *testing.T) {
	f := newFixture(t, nil)
	clientID, code := f.newCode()
	f.clock.advance(codeTTL)
	if a := f.read(f.post("/token", redeem(clientID, code))); a.Error != codeInvalidGrant {
		t.Errorf("got %+v", a)
	}
}

// Whoever comes second with a code ends what came of it, provided that it is the right client with the right verifier.
func TestAReplayedCodeEndsItsGrant(t *testing.T) {
	f := newFixture(t, nil)
	clientID, code := f.newCode()
	a := f.read(f.post("/token", redeem(clientID, code)))
	for name, form := range map[string]url.Values{
		"another client":   redeem(f.register(testRedirect), code),
		"another verifier": redeem(clientID, code, "code_verifier", strings.Repeat("a", 43)),
		"another redirect": redeem(clientID, code, "redirect_uri", "http://127.0.0.1:1/callback"),
	} {
		if again := f.read(f.post("/token", form)); again.Error != codeInvalidGrant {
			t.Errorf("%s gets %+v", name, again)
		}
	}
	if _, err := f.call(a.Access, testResource); err != nil {
		t.Fatalf("somebody else's replay ended the grant: %v", err)
	}
	if again := f.read(f.post("/token", redeem(clientID, code))); again.Error != codeInvalidGrant {
		t.Errorf("got %+v", again)
	}
	if _, err := f.call(a.Access, testResource); err == nil {
		t.Error("the access token outlives the replay")
	}
	if next := f.read(f.post("/token", refreshForm(clientID, a.Refresh))); next.Error != codeInvalidGrant {
		t.Errorf("the refresh token outlives the replay: %+v", next)
	}
}

// Of fifty clients that redeem one code at once, exactly one gets tokens.
func TestACodeIsRedeemedOnce(t *testing.T) {
	f := newFixture(t, nil)
	clientID, code := f.newCode()
	var wg sync.WaitGroup
	start := make(chan struct{})
	answers := make([]answer, 50)
	for i := range answers {
		wg.Go(func() {
			<-start
			answers[i] = f.read(f.post("/token", redeem(clientID, code)))
		})
	}
	close(start)
	wg.Wait()
	good := 0
	for _, a := range answers {
		switch {
		case a.Status == http.StatusOK:
			good++
		case a.Error != codeInvalidGrant:
			t.Errorf("a loser got %+v", a)
		}
	}
	if good != 1 {
		t.Errorf("%d got tokens", good)
	}
}

func TestTokenRequestsThatAreNone(t *testing.T) {
	f := newFixture(t, nil)
	for _, tc := range []struct {
		name, kind, encoding, body string
		status                     int
	}{
		{"JSON", "application/json", "", `{"grant_type":"authorization_code"}`, 415},
		{"no type", "", "", "grant_type=authorization_code", 415},
		{"a type that can't be read", "a/b/c;;", "", "", 415},
		{"multipart", "multipart/form-data; boundary=x", "", "--x--", 415},
		{"compressed", "application/x-www-form-urlencoded", "gzip", "\x1f\x8b", 415},
		{"with parameters of the type", "application/x-www-form-urlencoded; charset=UTF-8", "", "", 401},
		{"empty", "application/x-www-form-urlencoded", "", "", 401},
		{"badly encoded", "application/x-www-form-urlencoded", "", "a=%zz", 400},
		{"semicolons", "application/x-www-form-urlencoded", "", "a=1;b=2", 400},
		{"too long", "application/x-www-form-urlencoded", "", "a=" + strings.Repeat("a", maxFormBytes), 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, testIssuer+"/token?client_id=desktop", strings.NewReader(tc.body))
			r.Header.Set("Content-Type", tc.kind)
			r.Header.Set("Content-Encoding", tc.encoding)
			if a := f.read(f.do(r)); a.Status != tc.status || a.Error == "" {
				t.Errorf("got %+v, want %d", a, tc.status)
			}
		})
	}
	t.Run("without a length, and too long", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, testIssuer+"/token", io.NopCloser(strings.NewReader(strings.Repeat("a", maxFormBytes+1))))
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := f.read(f.do(r)); a.Status != 413 {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("a body that breaks off", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, testIssuer+"/token", io.MultiReader(strings.NewReader("a="), brokenReader{}))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := f.read(f.do(r)); a.Status != 400 {
			t.Errorf("got %+v", a)
		}
	})
}

// brokenReader is a connection that was cut.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestMachinesThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {"ci-bot"}, "client_secret": {"bot-secret"}}
	for name, tc := range map[string]struct {
		change []string
		want   string
	}{
		"no secret":           {[]string{"client_secret", ""}, codeInvalidClient},
		"wrong secret":        {[]string{"client_secret", "bot-secret "}, codeInvalidClient},
		"a public client":     {[]string{"client_id", "desktop", "client_secret", ""}, codeUnauthorizedClient},
		"a client for people": {[]string{"client_id", "portal", "client_secret", "port:al secret+%"}, codeUnauthorizedClient},
		"unknown resource":    {[]string{"resource", "https://evil.example"}, codeInvalidTarget},
		"bad scope":           {[]string{"scope", "\x7f"}, codeInvalidScope},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{}
			for k, v := range good {
				form[k] = v
			}
			for i := 0; i < len(tc.change); i += 2 {
				form.Set(tc.change[i], tc.change[i+1])
			}
			if a := f.read(f.post("/token", form)); a.Error != tc.want || a.Access != "" {
				t.Errorf("got %+v, want %s", a, tc.want)
			}
		})
	}
}

// Trouble of our own is told so that clients keep their tokens and come back.
func TestTokensWhileTheStoreIsDown(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	down := newFixtureOn(t, f.clock, brokenStore{}, nil)
	for name, form := range map[string]url.Values{
		"code":        redeem(clientID, "code"),
		"refresh":     refreshForm(clientID, a.Refresh),
		"own client":  redeem("desktop", "code"),
		"own refresh": refreshForm("desktop", a.Refresh),
	} {
		res := down.post("/token", form)
		got := down.read(res)
		if got.Status != http.StatusServiceUnavailable || got.Error != codeTemporarilyUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if res := down.post("/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"ci-bot"}, "client_secret": {"bot-secret"}}); res.StatusCode != 503 {
		t.Errorf("a machine gets %s", res.Status)
	}
}

// A code is at most a minute old, and what is kept of it holds neither the code nor the person in the clear.
func TestWhatIsKeptOfACode(t *testing.T) {
	f := newFixture(t, nil)
	_, code := f.newCode()
	if codeTTL > time.Minute {
		t.Error("codes live too long")
	}
	n := 0
	for _, kind := range []string{kindCode, kindPending, kindGrant, kindClient, kindKey, kindConsent} {
		err := f.store.List(t.Context(), kind, func(id string, value []byte) error {
			n++
			for _, secret := range []string{code, "alice@example.com", "session-0"} {
				if strings.Contains(id, secret) || strings.Contains(string(value), secret) {
					t.Errorf("a record of kind %s holds %q", kind, secret)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 4 {
		t.Errorf("only %d records were looked at", n)
	}
}
