package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// What is wrong with who asks, or with where the answer would go, is told to the person, and nobody is redirected.
func TestAuthorizationErrorsForThePerson(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register("https://agent.example/cb", "http://127.0.0.1/cb", "cursor://x/cb")
	const good = "http://127.0.0.1:5000/cb"
	for _, tc := range []struct {
		name  string
		query url.Values
		text  string
	}{
		{"nothing at all", url.Values{}, "names no client"},
		{"no client", authorizeQuery("", good), "names no client"},
		{"unknown client", authorizeQuery("mcp-nobody", good), "Client not found"},
		{"a client id that is too long", authorizeQuery(strings.Repeat("a", maxClientID+1), good), "Client not found"},
		{"a client id with a NUL", authorizeQuery("mcp-\x00", good), "Client not found"},
		{"no redirect URI, of several", authorizeQuery(clientID, good, "redirect_uri", ""), "redirect URI"},
		{"another redirect URI", authorizeQuery(clientID, "https://evil.example/cb"), "redirect URI"},
		{"a redirect URI with a fragment", authorizeQuery(clientID, good+"#"), "redirect URI"},
		{"javascript", authorizeQuery(clientID, "javascript:alert(1)"), "redirect URI"},
		{"two clients", with(authorizeQuery(clientID, good), "client_id", "desktop"), "more than once"},
		{"two redirect URIs", with(authorizeQuery(clientID, good), "redirect_uri", good), "more than once"},
		// These may be told to a client, but not to one at a place that this browser has never allowed.
		{"a wrong request of an unproved web client", authorizeQuery(clientID, "https://agent.example/cb", "response_type", "token"), "response type"},
		{"a wrong request of an unproved app", authorizeQuery(clientID, "cursor://x/cb", "code_challenge", ""), "PKCE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := f.browser().authorize(tc.query)
			if v.Away != nil || v.Status != http.StatusBadRequest || !strings.Contains(v.Body, tc.text) {
				t.Errorf("got %d %v\n%s", v.Status, v.Away, v.Body)
			}
			if v.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a page may be read by other origins")
			}
		})
	}
}

// Everything else is told to the client, with state and iss, before anybody is asked anything.
func TestAuthorizationErrorsForTheClient(t *testing.T) {
	f := newFixture(t, nil)
	for _, tc := range []struct {
		name  string
		query url.Values
		want  string
	}{
		{"no response type", authorizeQuery("desktop", "", "response_type", ""), codeInvalidRequest},
		{"implicit", authorizeQuery("desktop", "", "response_type", "token"), codeUnsupportedResponseType},
		{"hybrid", authorizeQuery("desktop", "", "response_type", "code id_token"), codeUnsupportedResponseType},
		{"fragment mode", authorizeQuery("desktop", "", "response_mode", "fragment"), codeInvalidRequest},
		{"no PKCE", authorizeQuery("desktop", "", "code_challenge", ""), codeInvalidRequest},
		{"no PKCE method", authorizeQuery("desktop", "", "code_challenge_method", ""), codeInvalidRequest},
		{"plain PKCE", authorizeQuery("desktop", "", "code_challenge_method", "plain"), codeInvalidRequest},
		{"PKCE method in another case", authorizeQuery("desktop", "", "code_challenge_method", "s256"), codeInvalidRequest},
		{"a challenge that is none", authorizeQuery("desktop", "", "code_challenge", "short"), codeInvalidRequest},
		{"unknown resource", authorizeQuery("desktop", "", "resource", "https://evil.example/"), codeInvalidTarget},
		{"resource with a fragment", authorizeQuery("desktop", "", "resource", testResource+"#x"), codeInvalidTarget},
		{"two resources", with(authorizeQuery("desktop", ""), "resource", testImages), codeInvalidTarget},
		{"two scopes", with(authorizeQuery("desktop", ""), "scope", "mcp"), codeInvalidRequest},
		{"two challenges", with(authorizeQuery("desktop", ""), "code_challenge", rfcChallenge), codeInvalidRequest},
		{"two prompts", with(authorizeQuery("desktop", "", "prompt", "login"), "prompt", "none"), codeInvalidRequest},
		{"scope with a control character", authorizeQuery("desktop", "", "scope", "mcp\x01"), codeInvalidScope},
		{"scope too long", authorizeQuery("desktop", "", "scope", strings.Repeat("a ", maxScope)), codeInvalidScope},
		{"prompt none", authorizeQuery("desktop", "", "prompt", "none"), codeLoginRequired},
		{"prompt none and more", authorizeQuery("desktop", "", "prompt", "none login"), codeInvalidRequest},
		{"a request object", authorizeQuery("desktop", "", "request", "eyJ"), codeRequestNotSupported},
		{"a request object elsewhere", authorizeQuery("desktop", "", "request_uri", "https://evil.example/"), codeRequestURINotSupported},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.query.Set("redirect_uri", "http://127.0.0.1:5000/callback")
			v := f.browser().authorize(tc.query)
			if v.Away == nil || v.Status != http.StatusSeeOther || v.Away.Host != "127.0.0.1:5000" {
				t.Fatalf("got %d %v\n%s", v.Status, v.Away, v.Body)
			}
			q := v.Away.Query()
			if q.Get("error") != tc.want || q.Get("iss") != testIssuer || q.Get("state") != "the-state" || q.Has("code") {
				t.Errorf("the client is told %v, want %s", q, tc.want)
			}
			for name, values := range q {
				if len(values) != 1 {
					t.Errorf("%s is there %d times", name, len(values))
				}
			}
		})
	}
}

// A state that can't be sent back isn't.
func TestStatesThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	for name, q := range map[string]url.Values{
		"too long":      authorizeQuery("desktop", testRedirect, "state", strings.Repeat("s", maxState+1)),
		"a line break":  authorizeQuery("desktop", testRedirect, "state", "a\r\nSet-Cookie: x=y"),
		"a NUL":         authorizeQuery("desktop", testRedirect, "state", "a\x00"),
		"twice":         with(authorizeQuery("desktop", testRedirect), "state", "the-state"),
		"outside ASCII": authorizeQuery("desktop", testRedirect, "state", "zustand-ä"),
	} {
		t.Run(name, func(t *testing.T) {
			v := f.browser().authorize(q)
			if v.Away == nil || v.Away.Query().Get("error") != codeInvalidRequest || v.Away.Query().Has("state") {
				t.Errorf("got %d %v", v.Status, v.Away)
			}
		})
	}
}

// What real clients send, and what must not break them.
func TestAuthorizationsThatAreFine(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	for name, q := range map[string]url.Values{
		"plain":                       authorizeQuery(clientID, testRedirect),
		"another loopback port":       authorizeQuery(clientID, "http://127.0.0.1:1024/callback"),
		"the only redirect URI":       authorizeQuery(clientID, testRedirect, "redirect_uri", ""),
		"no state":                    authorizeQuery(clientID, testRedirect, "state", ""),
		"an empty state":              with(authorizeQuery(clientID, testRedirect, "state", ""), "state", ""),
		"state in JSON":               authorizeQuery(clientID, testRedirect, "state", `{"a":"<b>&c","d":[1]}`),
		"the longest state":           authorizeQuery(clientID, testRedirect, "state", strings.Repeat("s", maxState)),
		"no scope":                    authorizeQuery(clientID, testRedirect, "scope", ""),
		"scopes of somebody else":     authorizeQuery(clientID, testRedirect, "scope", "openid profile mcp"),
		"no resource":                 authorizeQuery(clientID, testRedirect, "resource", ""),
		"resource with a slash":       authorizeQuery(clientID, testRedirect, "resource", testResource+"/"),
		"resource in capitals":        authorizeQuery(clientID, testRedirect, "resource", "HTTPS://MCP.EXAMPLE.COM/github"),
		"prompt=consent of claude.ai": authorizeQuery(clientID, testRedirect, "prompt", "consent"),
		"unknown parameters, twice":   with(authorizeQuery(clientID, testRedirect, "audience", "x"), "audience", "y"),
		"a long login_hint":           authorizeQuery(clientID, testRedirect, "login_hint", strings.Repeat("a", 500)),
	} {
		t.Run(name, func(t *testing.T) {
			v := f.browser().authorize(q)
			if v.Away != nil || v.Status != http.StatusOK || v.fields().Get(fieldTx) == "" {
				t.Errorf("got %d %v\n%s", v.Status, v.Away, v.Body)
			}
		})
	}
}

// A client that wants the person to sign in anew has the identity provider told so; others don't.
func TestPromptLoginReachesTheIdentityProvider(t *testing.T) {
	f := newFixture(t, nil)
	for prompt, anew := range map[string]bool{"": false, "consent": false, "select_account": false, "login": true, "consent login": true} {
		b := f.browser()
		v := b.answer(b.authorize(authorizeQuery("desktop", testRedirect, "prompt", prompt)), "/consent", "decision", "allow", "provider", "hosted")
		if v.Away == nil || v.Away.Host != "idp.example" || v.Away.Query().Has("max_age") != anew {
			t.Errorf("prompt=%s leads to %v", prompt, v.Away)
		}
	}
}

// mcp-remote looks with fetch before it opens a browser, and registers anew if it finds that it has to.
func TestPreflightOfProgram(t *testing.T) {
	f := newFixture(t, nil)
	get := func(q url.Values) *http.Response {
		r := httptest.NewRequest(http.MethodGet, testIssuer+"/authorize?"+q.Encode(), nil)
		r.Header.Set("Accept", "application/json")
		return f.do(r)
	}
	res := get(authorizeQuery("mcp-forgotten", testRedirect))
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusBadRequest || got != "application/json" {
		t.Fatalf("an unknown client gets %s %s", res.Status, got)
	}
	if res := get(authorizeQuery(f.register(testRedirect), testRedirect)); res.StatusCode != http.StatusOK {
		t.Errorf("a known client gets %s", res.Status)
	}
}

func TestTooMuchOfAnAuthorization(t *testing.T) {
	f := newFixture(t, nil)
	q := authorizeQuery("desktop", testRedirect, "x", strings.Repeat("x", maxAuthorizeBytes))
	if v := f.browser().authorize(q); v.Away != nil || v.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %v", v.Status, v.Away)
	}
	// Within all bounds, but more than fits into a cookie.
	long := "http://127.0.0.1:33418/" + strings.Repeat("p", maxRedirectURI-40)
	q = authorizeQuery(f.register(long), long, "state", strings.Repeat(`"`, maxState))
	v := f.browser().authorize(q)
	if v.Away == nil || v.Away.Query().Get("error") != codeInvalidRequest {
		t.Errorf("got %d %v", v.Status, v.Away)
	}
}

func TestBadlyEncodedAuthorization(t *testing.T) {
	f := newFixture(t, nil)
	for _, raw := range []string{"%zz", "client_id=%", "a;b=c", "client_id=desktop&%ff%"} {
		r := httptest.NewRequest(http.MethodGet, testIssuer+"/authorize", nil)
		r.URL.RawQuery = raw
		if res := f.do(r); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%q answered %s", raw, res.Status)
		}
	}
}

// with adds a parameter, beside one that is there.
func with(q url.Values, name, value string) url.Values {
	q.Add(name, value)
	return q
}

// A request that is accepted can travel to the end of the login; one that is too long for that is refused at once, and the client
// hears of it with its state.
func TestARequestThatIsTooLongIsRefusedAtOnce(t *testing.T) {
	f := newFixture(t, nil)
	redirect := "http://127.0.0.1:33418/" + strings.Repeat("a", 900)
	clientID := f.register(redirect)
	refused := false
	for n := 400; n <= maxState; n += 4 {
		state := strings.Repeat(`"`, n) // each is two bytes of JSON
		b := f.browser()
		v := b.authorize(authorizeQuery(clientID, redirect, "state", state))
		if v.Status != http.StatusOK {
			refused = true
			if v.Away == nil || v.Away.Query().Get("error") != codeInvalidRequest || v.Away.Query().Get("state") != state {
				t.Fatalf("a state of %d: %d %v", n, v.Status, v.Away)
			}
			continue
		}
		if refused {
			t.Fatalf("a state of %d is accepted, a shorter one is not", n)
		}
		v = b.answer(v, "/consent", "decision", "allow", "provider", "local")
		v = b.answer(v, "/signin", "username", "alice", "password", "secret")
		if v.Away == nil { // not remembered yet
			v = b.answer(v, "/consent", "decision", "allow")
		}
		if v.Away == nil || v.Away.Query().Get("code") == "" {
			t.Fatalf("a state of %d: %d after page 1 was allowed", n, v.Status)
		}
	}
	if !refused {
		t.Error("no state is too long")
	}
}

// The longest request leaves room for what any step of a login adds.
func TestTheLongestRequestFitsAllSteps(t *testing.T) {
	f := newFixture(t, nil)
	sealer, err := f.server.cfg.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req := authRequest{Client: "c", Redirect: testRedirect}
	for req.fits() {
		req.State += "s"
	}
	req.State = req.State[1:]
	asked := newTxToken("")[:txName]
	for name, tx := range map[string]*transaction{
		"the provider's secret": {Step: stepCallback, Token: newTxToken(""), Request: req, Provider: "workos", Secret: randomBytes(128), Asked: asked},
		"the person's record":   {Step: stepGrant, Token: newTxToken(""), Request: req, Provider: "workos", Asked: asked, Pending: randomText(32)},
	} {
		r := httptest.NewRequest(http.MethodGet, testIssuer, nil)
		if err := f.server.saveTx(httptest.NewRecorder(), r, sealer, tx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
