package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// announcer is a hosted provider that tells when sessions end. Its codes are people and their sessions, as carol/s1; its logout tokens
// are that with a name of their own in front, as t1/carol/s1.
type announcer struct{ *hostedProvider }

func (p announcer) Finish(ctx context.Context, in identity.Finish) (*identity.Person, error) {
	who, session, _ := strings.Cut(in.Query.Get("code"), "/")
	in.Query.Set("code", who)
	person, err := p.hostedProvider.Finish(ctx, in)
	if person != nil {
		person.SessionID = session
	}
	return person, err
}

func (p announcer) VerifyLogout(_ context.Context, token string) (*identity.Logout, error) {
	parts := strings.Split(token, "/")
	switch {
	case token == "down":
		return nil, &identity.Unavailable{Err: errors.New("connection refused")}
	case len(parts) != 3:
		return nil, identity.ErrCallback
	}
	return &identity.Logout{Ended: identity.Ended{Person: parts[1], Session: parts[2]}, Token: parts[0]}, nil
}

// announced makes a server with such a provider.
func announced(t *testing.T) *fixture {
	return newFixture(t, func(c *Config) {
		c.Providers = []identity.Provider{announcer{newHostedProvider()}}
		c.PersonalTokens = true
	})
}

// codeOf signs somebody in for a new client.
func (f *fixture) codeOf(who string) (clientID, code string) {
	f.t.Helper()
	clientID = f.register(testRedirect)
	b := f.browser()
	v := b.answer(b.authorize(authorizeQuery(clientID, testRedirect)), "/consent", "decision", "allow")
	v = b.open(testIssuer + "/callback?code=" + url.QueryEscape(who) + "&state=" + url.QueryEscape(v.Away.Query().Get("state")))
	return clientID, b.answer(v, "/consent", "decision", "allow").code(f.t, testRedirect)
}

// logOut sends a logout token.
func (f *fixture) logOut(token string) *http.Response {
	f.t.Helper()
	return f.post("/backchannel_logout/hosted", url.Values{"logout_token": {token}})
}

func TestALogoutEndsWhatCameOfTheSession(t *testing.T) {
	for _, c := range []struct {
		name, token string
		dead        []string
	}{
		{"one session, by its name alone", "t//s1", []string{"carol/s1"}},
		{"one session of a person", "t/carol/s1", []string{"carol/s1", "carol/"}},
		{"all sessions of a person", "t/carol/", []string{"carol/s1", "carol/s2", "carol/"}},
		{"a session that is not known", "t//s9", nil},
		{"a session that is somebody else's", "t/dave/s1", nil},
		{"a person who is not known", "t/erin/", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := announced(t)
			people := []string{"carol/s1", "carol/s2", "dave/s3"}
			if strings.HasPrefix(c.token, "t/") && !strings.HasPrefix(c.token, "t//") {
				people = append(people, "carol/") // one whose session the provider did not name
			}
			tokens, clients := make(map[string]answer), make(map[string]string)
			for _, who := range people {
				clientID, code := f.codeOf(who)
				clients[who], tokens[who] = clientID, f.read(f.post("/token", redeem(clientID, code)))
				if _, err := f.call(tokens[who].Access, testResource); err != nil {
					t.Fatal(who, err)
				}
			}
			f.clock.advance(time.Second)
			if res := f.logOut(c.token); res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("the logout is answered %s %v", res.Status, res.Header)
			}
			for _, who := range people {
				if slices.Contains(c.dead, who) {
					f.dead(clients[who], tokens[who])
				} else {
					f.refreshed(clients[who], tokens[who].Refresh)
				}
			}
			if n := len(f.audit.find("revoke", decisionAllow)); n != len(c.dead) {
				t.Errorf("%d audit records of %d", n, len(c.dead))
			}
		})
	}
}

// A login that was under way when the session ended leads to nothing, and one that begins after it to what it should.
func TestALoginUnderWayDoesNotOutliveItsSession(t *testing.T) {
	for _, token := range []string{"t//s1", "t/carol/"} {
		f := announced(t)
		clientID, code := f.codeOf("carol/s1")
		f.logOut(token)
		if a := f.read(f.post("/token", redeem(clientID, code))); a.Error != codeInvalidGrant {
			t.Errorf("%s: the code gets %+v", token, a)
		}
		f.clock.advance(time.Second)
		clientID, code = f.codeOf("carol/s2")
		if a := f.read(f.post("/token", redeem(clientID, code))); a.Status != http.StatusOK {
			t.Errorf("%s: a later code gets %+v", token, a)
		}
	}
}

// The person's own page, and what could be made on it, ends as well.
func TestALogoutEndsTheOwnPage(t *testing.T) {
	f := announced(t)
	b := f.browser()
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}}))
	v = b.open(testIssuer + "/callback?code=carol%2Fs1&state=" + url.QueryEscape(v.Away.Query().Get("state")))
	if !strings.Contains(v.Body, "Sign out") {
		t.Fatalf("signing in ends at %s", v.Body)
	}
	f.clock.advance(time.Second)
	f.logOut("t//s9")
	if v := b.open(ownPage); !strings.Contains(v.Body, "Sign out") {
		t.Error("another session's end ended the page")
	}
	f.logOut("t2/carol/s1")
	if v := b.open(ownPage); strings.Contains(v.Body, "Sign out") {
		t.Error("the page is still open")
	}
}

// A copy of a logout token, caught on its way, must not end what began after it.
func TestALogoutTokenWorksOnce(t *testing.T) {
	f := announced(t)
	f.logOut("t/carol/")
	f.clock.advance(time.Second)
	clientID, code := f.codeOf("carol/s1")
	a := f.read(f.post("/token", redeem(clientID, code)))
	if res := f.logOut("t/carol/"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("the second time it gets %s", res.Status)
	}
	f.refreshed(clientID, a.Refresh)
}

func TestLogoutsThatAreRefused(t *testing.T) {
	f := announced(t)
	for name, form := range map[string]url.Values{
		"nothing": {}, "two tokens": {"logout_token": {"a/carol/", "b/carol/"}}, "not one of the provider's": {"logout_token": {"made up"}},
		"the provider is down": {"logout_token": {"down"}},
	} {
		res := f.post("/backchannel_logout/hosted", form)
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	if res := f.post("/backchannel_logout/local", url.Values{"logout_token": {"t/carol/"}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("a provider that tells nothing: %s", res.Status)
	}
	if v := f.browser().open(testIssuer + "/backchannel_logout/hosted"); v.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", v.Status)
	}
	if n := len(f.audit.find("logout", decisionRefuse)); n != 4 {
		t.Errorf("%d audit records of refusals", n)
	}
}

// slowly is such a provider, at which something happens between its answer about somebody and the moment that this gets here.
type slowly struct {
	announcer
	meanwhile func()
}

func (p *slowly) Finish(ctx context.Context, in identity.Finish) (*identity.Person, error) {
	person, err := p.announcer.Finish(ctx, in)
	if p.meanwhile != nil {
		p.meanwhile()
	}
	return person, err
}

// A session that ends while the provider is still being asked about its person must not outlive that here.
func TestAttackALogoutWhileTheProviderAnswers(t *testing.T) {
	provider := &slowly{announcer: announcer{newHostedProvider()}}
	f := newFixture(t, func(c *Config) { c.Providers = []identity.Provider{provider} })
	for _, token := range []string{"t1//s1", "t2/carol/"} {
		provider.meanwhile = func() {
			f.clock.advance(time.Second)
			f.logOut(token)
			f.clock.advance(time.Second)
		}
		clientID, code := f.codeOf("carol/s1")
		if a := f.read(f.post("/token", redeem(clientID, code))); a.Error != codeInvalidGrant {
			t.Errorf("%s: the code gets %+v", token, a)
		}
		f.clock.advance(time.Second)
	}
}

// The session of a grant that lasts must be found by its name also when something that lasts shorter came of it since.
func TestAttackAShortTokenHidesWhoseSessionItIs(t *testing.T) {
	f := announced(t)
	clientID, code := f.codeOf("carol/s1")
	tokens := f.read(f.post("/token", redeem(clientID, code)))
	b := f.browser()
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}}))
	v = b.open(testIssuer + "/callback?code=carol%2Fs1&state=" + url.QueryEscape(v.Away.Query().Get("state")))
	if v = b.act(v, "make", "name", "for today", "resource", testResource, "days", "1"); !madeToken.MatchString(v.Body) {
		t.Fatalf("no token is shown: %s", v.Body)
	}
	f.clock.advance(25 * time.Hour)
	if res := f.logOut("t//s1"); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	f.dead(clientID, tokens)
}
