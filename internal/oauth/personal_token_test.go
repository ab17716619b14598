package oauth

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

func withPersonalTokens(c *Config) { c.PersonalTokens = true }

var madeToken = regexp.MustCompile(`mcpgw_pat_[A-Za-z0-9_-]+`)

// makeToken signs alice in and makes a token; more are pairs.
func (f *fixture) makeToken(more ...string) (token string, b *browser, v *view) {
	f.t.Helper()
	b = f.browser()
	v = b.act(b.signIn(), "make", append([]string{"name", "nightly job", "resource", testResource, "days", "30"}, more...)...)
	if token = madeToken.FindString(html.UnescapeString(v.Body)); token == "" {
		f.t.Fatalf("no token is shown: %d\n%s", v.Status, v.Body)
	}
	return token, b, v
}

func TestAPersonalTokenIsGoodAtItsMount(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	token, b, v := f.makeToken()
	access, err := f.call(token, testResource)
	if err != nil || access.Person.ID != "alice" || !slices.Equal(access.Subject.Roles, []string{"admin"}) || access.ClientName != "nightly job" ||
		!access.Expires.Equal(f.clock.now().Add(30*24*time.Hour)) || access.Person.Session != nil {
		t.Fatalf("%+v, %v", access, err)
	}
	for name, tc := range map[string]struct{ token, resource string }{
		"another mount":  {token, testImages},
		"a letter wrong": {token[:30] + string(token[30]^1) + token[31:], testResource},
		"cut off":        {token[:len(token)-1], testResource},
		"the prefix":     {personalPrefix, testResource},
		"made up, with a good checksum": {
			personalPrefix + strings.Repeat("A", 100) + checksum(personalPrefix+strings.Repeat("A", 100)), testResource,
		},
	} {
		if _, err := f.call(tc.token, tc.resource); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It is shown once, kept as a digest, and is no refresh token, code or client.
	if again := b.open(ownPage); madeToken.MatchString(again.Body) || !strings.Contains(again.Body, "nightly job") {
		t.Errorf("the page shows it again, or not its name:\n%s", again.Body)
	}
	if v.Header.Get("Cache-Control") != "no-store" {
		t.Error("the page may be kept")
	}
	err = f.store.List(t.Context(), kindGrant, func(id string, value []byte) error {
		if strings.Contains(string(value), token) || strings.Contains(id, token) {
			t.Error("the store has the token itself")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]url.Values{
		"as a refresh token": refreshForm("desktop", token),
		"as a code":          redeem("desktop", token),
		"as a client":        {"grant_type": {"client_credentials"}, "client_id": {personalID(token)}},
	} {
		if got := f.read(f.post("/token", form)); got.Status == http.StatusOK {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, r := range f.audit.find("personal_token", decisionAllow) {
		if strings.Contains(r.Reason+r.GrantID+r.ClientID+r.ClientName, token) {
			t.Error("the token is in an audit record")
		}
	}
	if len(f.audit.find("personal_token", decisionAllow)) != 1 {
		t.Error("that it was made is not recorded")
	}
}

func TestAPersonalTokenEnds(t *testing.T) {
	for name, end := range map[string]func(f *fixture, b *browser, token string){
		"when it expires":           func(f *fixture, _ *browser, _ string) { f.clock.advance(30 * 24 * time.Hour) },
		"when the person says so":   func(_ *fixture, b *browser, token string) { b.act(b.signIn(), "revoke", "grant", personalID(token)) },
		"with all else":             func(_ *fixture, b *browser, _ string) { b.act(b.signIn(), "revoke-all") },
		"when the operator says so": func(f *fixture, _ *browser, token string) { _ = f.server.Revoke(t.Context(), personalID(token)) },
		"with the provider's session": func(f *fixture, _ *browser, _ string) {
			f.local.set(identity.ErrEnded)
			f.clock.advance(10 * time.Minute)
		},
		"when there are none any more": func(f *fixture, _ *browser, _ string) {
			f.server.cfg.PersonalTokens = false
			f.server.cache = newCache()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, withPersonalTokens)
			token, b, _ := f.makeToken()
			if _, err := f.call(token, testResource); err != nil {
				t.Fatal(err)
			}
			end(f, b, token)
			if _, err := f.call(token, testResource); !errors.Is(err, ErrInvalidToken) {
				t.Errorf("it is still good: %v", err)
			}
		})
	}
}

// Roles are those of now, also of a token that was made long ago.
func TestRolesOfAPersonalTokenAreLive(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	token, _, _ := f.makeToken()
	f.local.set(nil, "member")
	f.clock.advance(20 * 24 * time.Hour)
	if access, err := f.call(token, testResource); err != nil || !slices.Equal(access.Subject.Roles, []string{"member"}) {
		t.Errorf("%+v, %v", access, err)
	}
}

// The session at the identity provider belongs to one token: a second one would break its chain of refresh tokens.
func TestEachTokenHasASessionOfItsOwn(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	first, b, v := f.makeToken()
	if !strings.Contains(v.Body, "Sign in again to make another") {
		t.Errorf("the page offers another:\n%s", v.Body)
	}
	v = b.act(v, "make", "name", "another", "resource", testResource, "days", "30")
	if madeToken.MatchString(v.Body) || !strings.Contains(v.Body, "sign in again") {
		t.Fatalf("a second one: %d\n%s", v.Status, v.Body)
	}
	// The same click twice, at once, is one token.
	b = f.browser()
	v = b.signIn()
	got := make(chan bool)
	for range 6 {
		form := url.Values{"token": {v.fields().Get("token")}, "action": {"make"}, "name": {"second"}, "resource": {testResource}, "days": {"7"}}
		r := b.request(http.MethodPost, ownPage, form)
		go func() {
			res := f.do(r)
			text := new(strings.Builder)
			_ = res.Write(text)
			got <- madeToken.MatchString(html.UnescapeString(text.String()))
		}()
	}
	made := 0
	for range 6 {
		if <-got {
			made++
		}
	}
	if made != 1 || len(f.of(alice)) != 2 {
		t.Errorf("%d tokens were made, and %d grants", made, len(f.of(alice)))
	}
	if _, err := f.call(first, testResource); err != nil {
		t.Error(err)
	}
}

func TestTokensThatAreNotMade(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	b := f.browser()
	v := b.signIn()
	for name, tc := range map[string]struct {
		more   []string
		status int
	}{
		"no name":           {[]string{"name", " "}, 200},
		"too long a name":   {[]string{"name", strings.Repeat("é", maxPersonalName+1)}, 200},
		"no text":           {[]string{"name", "\xff"}, 200},
		"no server":         {[]string{"resource", ""}, 400},
		"another server":    {[]string{"resource", "https://evil.example/"}, 400},
		"too long a life":   {[]string{"days", "91"}, 400},
		"no life":           {[]string{"days", "0"}, 400},
		"a negative life":   {[]string{"days", "-1"}, 400},
		"no number of days": {[]string{"days", "x"}, 400},
	} {
		got := b.act(v, "make", append([]string{"name", "x", "resource", testResource, "days", "90"}, tc.more...)...)
		if got.Status != tc.status || madeToken.MatchString(got.Body) || tc.status == 200 && !strings.Contains(got.Body, `role="alert"`) {
			t.Errorf("%s: %d\n%s", name, got.Status, got.Body)
		}
	}
	// None of this has cost the session.
	if got := b.act(v, "make", "name", "x", "resource", testImages, "days", "90"); !madeToken.MatchString(got.Body) {
		t.Errorf("a good one: %d\n%s", got.Status, got.Body)
	}
	off := newFixture(t, nil)
	b = off.browser()
	v = b.signIn()
	if strings.Contains(v.Body, "token") && strings.Contains(v.Body, "Personal tokens") {
		t.Error("tokens are offered")
	}
	if got := b.act(v, "make", "name", "x", "resource", testResource, "days", "7"); got.Status != http.StatusBadRequest {
		t.Errorf("where there are none: %d", got.Status)
	}
}

// Somebody who acts as another person, as staff may at the identity provider, leaves no token behind.
func TestAnImpersonatorMakesNoToken(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	b := f.browser()
	v := b.signIn()
	f.actAs(b, "staff@example.com")
	if got := b.open(ownPage); !strings.Contains(got.Body, "staff@example.com") || strings.Contains(got.Body, "Make a token") {
		t.Errorf("the page is\n%s", got.Body)
	}
	if got := b.act(v, "make", "name", "x", "resource", testResource, "days", "7"); got.Status != http.StatusBadRequest {
		t.Errorf("got %d", got.Status)
	}
}

// actAs makes it somebody else who is signed in as the person in a browser.
func (f *fixture) actAs(b *browser, impersonator string) {
	f.t.Helper()
	id := f.sessionID(b)
	sealer, err := f.server.cfg.Sealer(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.store.Update(f.t.Context(), kindSession, id, func(old []byte) ([]byte, time.Time, error) {
		sess, err := unsealSession(sealer, id, old)
		if err != nil {
			return nil, time.Time{}, err
		}
		sess.Login.Person.Impersonator = impersonator
		next, err := sealSession(sealer, id, sess)
		return next, f.clock.now().Add(time.Minute), err
	}); err != nil {
		f.t.Fatal(err)
	}
}

// sessionID is the id of a browser's session in the store.
func (f *fixture) sessionID(b *browser) string {
	f.t.Helper()
	sealer, err := f.server.cfg.Sealer(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	sess, err := f.server.personSession(b.request(http.MethodGet, ownPage, nil), sealer)
	if err != nil {
		f.t.Fatal(err)
	}
	return sess.id
}

func TestPersonalTokensAreCounted(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	for range maxPersonalTokens {
		f.makeToken("days", "90")
	}
	b := f.browser()
	v := b.signIn()
	if !strings.Contains(v.Body, "as many as you may have") {
		t.Errorf("the page is\n%s", v.Body)
	}
	if v = b.act(v, "make", "name", "one more", "resource", testResource, "days", "90"); madeToken.MatchString(v.Body) {
		t.Error("one more is made")
	}
	v = b.act(v, "revoke", "grant", v.listed()[0])
	if v = b.act(v, "make", "name", "in its place", "resource", testResource, "days", "90"); !madeToken.MatchString(v.Body) {
		t.Errorf("after one was revoked: %d\n%s", v.Status, v.Body)
	}
}

// A token that was made just now, and not used yet, is not the one unused for longest when a person has too many grants.
func TestANewTokenIsNotTheFirstToEnd(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	f.manyGrants(alice, maxPersonGrants-1)
	f.clock.advance(30 * time.Minute)
	token, _, _ := f.makeToken()
	f.newTokens()
	if _, err := f.call(token, testResource); err != nil {
		t.Errorf("the token: %v", err)
	}
}

// The calls of an agent with such a token cost the store as little as others, and that of a revoked one little more.
func TestPersonalTokensLeaveTheStoreAlone(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	token, _, _ := f.makeToken()
	counted := &countingStore{Store: f.store}
	f.server.cfg.Store = counted
	for range 100 {
		if _, err := f.call(token, testResource); err != nil {
			t.Fatal(err)
		}
		_, _ = f.call(personalPrefix+"made-up"+checksum(personalPrefix+"made-up"), testResource)
	}
	if n := counted.gets.Load(); n != 1 {
		t.Errorf("the store was read %d times", n)
	}
	if err := f.server.Revoke(t.Context(), personalID(token)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := f.call(token, testResource); err == nil {
			t.Fatal("revoked, and good")
		}
	}
	if n := counted.gets.Load(); n != 2 {
		t.Errorf("the store was read %d times", n)
	}
}

func TestIntrospectionOfAPersonalToken(t *testing.T) {
	f := newFixture(t, func(c *Config) { withServers(c); withPersonalTokens(c) })
	token, _, _ := f.makeToken()
	got := f.introspect("github-api", "github-secret", token)
	if got["active"] != true || got["client_id"] != personalID(token) || got["aud"] != testResource || got["sub"] == nil || got["exp"] == nil {
		t.Errorf("the server is told %v", got)
	}
	f.inactive("a client that is no server", "portal", "port:al secret+%", token)
	if err := f.server.Revoke(t.Context(), personalID(token)); err != nil {
		t.Fatal(err)
	}
	f.inactive("revoked", "github-api", "github-secret", token)
}

// An operator sees them among the grants.
func TestPersonalTokensAreGrants(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	token, _, _ := f.makeToken()
	var all []Grant
	if err := f.server.Grants(t.Context(), func(g Grant) error { all = append(all, g); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || !all[0].Personal || all[0].ID != personalID(token) || all[0].ClientName != "nightly job" || all[0].UserID != "local:alice" {
		t.Errorf("%+v", all)
	}
}

// A process that dies while it makes a token leaves no two grants with one session, and none that its person can't see.
func TestDyingWhileATokenIsMade(t *testing.T) {
	eachDeath(t, func(t *testing.T, dying func(store.Store) store.Store) {
		f := newFixture(t, withPersonalTokens)
		b := f.browser()
		v := b.signIn()
		dead := newFixtureOn(t, f.clock, f.store, func(c *Config) { c.Store, c.PersonalTokens = dying(f.store), true })
		form := url.Values{"token": {v.fields().Get("token")}, "action": {"make"}, "name": {"x"}, "resource": {testResource}, "days": {"7"}}
		dead.do(b.request(http.MethodPost, ownPage, form))
		b.act(v, "make", "name", "again", "resource", testResource, "days", "7")
		var alive []string
		if err := f.server.Grants(t.Context(), func(g Grant) error { alive = append(alive, g.ID); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(alive) > 1 || !slices.Equal(f.of(alice), alive) {
			t.Errorf("alive are %v, listed %v", alive, f.of(alice))
		}
	})
}

func FuzzPersonalToken(f *testing.F) {
	fx := newFixture(f, withPersonalTokens)
	token, _, _ := fx.makeToken()
	f.Add(token)
	f.Add(personalPrefix)
	f.Add(personalPrefix + strings.Repeat("A", 60))
	f.Fuzz(func(t *testing.T, text string) {
		fx := fx.in(t)
		for _, try := range []string{text, personalPrefix + text + checksum(personalPrefix+text)} {
			if _, err := fx.call(try, testResource); (err == nil) != (strings.Trim(try, " ") == token) {
				t.Fatalf("%q: %v", try, err)
			}
		}
	})
}

// A mount that has another authorization server asked about opaque tokens keeps ours to itself, also when they are no good.
func TestPersonalTokensAreShownToNobodyElse(t *testing.T) {
	f := newFixture(t, withPersonalTokens)
	e := f.elsewhere()
	a := e.accepted(true, nil)
	token, _, _ := f.makeToken()
	if _, err := f.callAt(token, testResource, a); err != nil {
		t.Error(err)
	}
	if err := f.server.Revoke(t.Context(), personalID(token)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{token, personalPrefix + "mistyped"} {
		f.server.cache = newCache()
		if _, err := f.callAt(text, testResource, a); !errors.Is(err, ErrInvalidToken) {
			t.Error(err)
		}
	}
	if n := e.questions(); n != 0 {
		t.Errorf("another server was shown %d tokens", n)
	}
}
