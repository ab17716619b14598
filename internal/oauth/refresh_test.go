package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// refreshed exchanges a refresh token that has to work.
func (f *fixture) refreshed(clientID, token string) answer {
	f.t.Helper()
	a := f.read(f.post("/token", refreshForm(clientID, token)))
	if a.Status != http.StatusOK || a.Access == "" || a.Refresh == "" {
		f.t.Fatalf("a refresh gives %+v", a)
	}
	if _, err := f.call(a.Access, testResource); err != nil {
		f.t.Fatalf("the token of a refresh: %v", err)
	}
	return a
}

// dead holds that a refresh token and an access token of a family are good no more.
func (f *fixture) dead(clientID string, tokens answer) {
	f.t.Helper()
	if a := f.read(f.post("/token", refreshForm(clientID, tokens.Refresh))); a.Status != 400 || a.Error != codeInvalidGrant {
		f.t.Errorf("a refresh token of a dead family gets %+v", a)
	}
	if _, err := f.call(tokens.Access, testResource); err == nil {
		f.t.Error("an access token of a dead family is good")
	}
}

func TestRefreshRotates(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	seen := map[string]bool{a.Refresh: true}
	for range 20 {
		f.clock.advance(time.Hour)
		if a = f.refreshed(clientID, a.Refresh); seen[a.Refresh] {
			t.Fatal("a refresh token came twice")
		}
		seen[a.Refresh] = true
	}
}

// Six calls that refresh at once with one token all go on, as one family, and so does what they got.
func TestSixRefreshesAtOnce(t *testing.T) {
	f := newFixture(t, nil)
	clientID, first := f.newTokens()
	answers := make([]answer, 6)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range answers {
		wg.Go(func() {
			<-start
			answers[i] = f.read(f.post("/token", refreshForm(clientID, first.Refresh)))
		})
	}
	close(start)
	wg.Wait()
	grants := make(map[string]bool)
	for _, a := range answers {
		access, err := f.call(a.Access, testResource)
		if err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		grants[access.GrantID] = true
	}
	if len(grants) != 1 {
		t.Errorf("there are %d families", len(grants))
	}
	// Each of them refreshes with its own token, one after the other, within the grace.
	for _, a := range answers {
		f.refreshed(clientID, a.Refresh)
	}
}

// An answer that was lost can be asked for again: at once and much later, as long as nobody has used what was in it.
func TestALostAnswerCanBeAskedForAgain(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	f.refreshed(clientID, a.Refresh) // lost
	for _, wait := range []time.Duration{0, time.Second, 95 * time.Second, time.Hour, 20 * 24 * time.Hour} {
		f.clock.advance(wait)
		f.refreshed(clientID, a.Refresh)
	}
}

// Once a sibling has used what was in the answer, the older token has the grace, and ends the family after it.
func TestTheGraceEnds(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	b := f.refreshed(clientID, a.Refresh)
	c := f.refreshed(clientID, b.Refresh)
	f.clock.advance(2*time.Minute - time.Second)
	f.refreshed(clientID, a.Refresh)
	f.clock.advance(time.Second)
	if got := f.read(f.post("/token", refreshForm(clientID, a.Refresh))); got.Status != 400 || got.Error != codeInvalidGrant {
		t.Fatalf("after the grace: %+v", got)
	}
	f.dead(clientID, c)
	if len(f.audit.find("refresh", decisionRefuse)) == 0 {
		t.Error("there is no audit record of the replay")
	}
}

// A token that is older than the previous one ends the family also within the grace.
func TestATokenOfLongAgoEndsTheFamily(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	b := f.refreshed(clientID, a.Refresh)
	c := f.refreshed(clientID, b.Refresh)
	d := f.refreshed(clientID, c.Refresh)
	if got := f.read(f.post("/token", refreshForm(clientID, a.Refresh))); got.Error != codeInvalidGrant {
		t.Fatalf("got %+v", got)
	}
	f.dead(clientID, d)
}

func TestARefreshTokenExpiresUnused(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.RefreshTTL = 24 * time.Hour })
	clientID, a := f.newTokens()
	f.clock.advance(23 * time.Hour)
	a = f.refreshed(clientID, a.Refresh)
	f.clock.advance(23 * time.Hour)
	a = f.refreshed(clientID, a.Refresh)
	f.clock.advance(24 * time.Hour)
	f.dead(clientID, a)
}

func TestRefreshesThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	other := f.register(testRedirect)
	form := func(changes ...string) url.Values {
		v := refreshForm(clientID, a.Refresh)
		for i := 0; i < len(changes); i += 2 {
			v.Set(changes[i], changes[i+1])
		}
		return v
	}
	for name, tc := range map[string]struct {
		form   url.Values
		status int
		want   string
	}{
		"another client":        {form("client_id", other), 400, codeInvalidGrant},
		"unknown client":        {form("client_id", "mcp-nobody"), 401, codeInvalidClient},
		"no token":              {form("refresh_token", ""), 400, codeInvalidGrant},
		"made up":               {form("refresh_token", "abc"), 400, codeInvalidGrant},
		"changed":               {form("refresh_token", a.Refresh[:len(a.Refresh)-1]), 400, codeInvalidGrant},
		"too long":              {form("refresh_token", a.Refresh+string(make([]byte, maxRefreshToken))), 400, codeInvalidGrant},
		"an access token":       {form("refresh_token", a.Access), 400, codeInvalidGrant},
		"another resource":      {form("resource", testImages), 400, codeInvalidTarget},
		"no resource of ours":   {form("resource", "https://evil.example"), 400, codeInvalidTarget},
		"a scope without mcp":   {form("scope", "offline_access"), 400, codeInvalidScope},
		"the token twice":       {with(form(), "refresh_token", a.Refresh), 400, codeInvalidRequest},
		"a client with another": {form("client_id", "portal", "client_secret", "port:al secret+%"), 400, codeInvalidGrant},
	} {
		t.Run(name, func(t *testing.T) {
			if got := f.read(f.post("/token", tc.form)); got.Status != tc.status || got.Error != tc.want {
				t.Errorf("got %+v, want %d %s", got, tc.status, tc.want)
			}
		})
	}
	f.refreshed(clientID, a.Refresh)
}

// A narrower scope is that of one token; the family keeps its own.
func TestScopeIsNarrowedForOneToken(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	code := f.browser().login(authorizeQuery(clientID, testRedirect, "scope", "mcp offline_access")).code(t, testRedirect)
	a := f.read(f.post("/token", redeem(clientID, code)))
	form := refreshForm(clientID, a.Refresh)
	form.Set("scope", "mcp")
	b := f.read(f.post("/token", form))
	if b.Status != http.StatusOK || b.Scope != "mcp" {
		t.Fatalf("got %+v", b)
	}
	if c := f.refreshed(clientID, b.Refresh); c.Scope != "mcp offline_access" {
		t.Errorf("the family's scope is %q now", c.Scope)
	}
}

// A client that did not register for refresh tokens gets none, and its grant ends with the access token.
func TestNoRefreshTokenWithoutItsGrantType(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.Static = append(c.Static, StaticClient{ID: "once", Public: true, RedirectURIs: []string{testRedirect}, Grants: []string{grantAuthorizationCode}})
	})
	a := f.read(f.post("/token", redeem("once", f.browser().login(authorizeQuery("once", testRedirect)).code(t, testRedirect))))
	if a.Status != http.StatusOK || a.Refresh != "" {
		t.Fatalf("got %+v", a)
	}
	f.clock.advance(time.Hour)
	n := 0
	if err := f.server.Grants(t.Context(), func(Grant) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("there are %d grants, %v", n, err)
	}
}

// The store was put back to how it was yesterday: clients whose tokens are newer than that go on.
func TestRefreshAfterTheStoreWasPutBack(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	access, err := f.call(a.Access, testResource)
	if err != nil {
		t.Fatal(err)
	}
	old, err := f.store.Get(t.Context(), kindGrant, access.GrantID)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		a = f.refreshed(clientID, a.Refresh)
	}
	if err := f.store.Put(t.Context(), kindGrant, access.GrantID, old, f.clock.now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	f.refreshed(clientID, a.Refresh)
}

// A thief who has copied a refresh token, and is always the second to refresh, never shows a token that is much too old. That two
// hold the family is seen all the same, once both have gone on with their own.
func TestAThiefWhoAlwaysTrailsIsNoticed(t *testing.T) {
	for name, turns := range map[string]time.Duration{"half an hour behind": 30 * time.Minute, "just beyond the grace": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			clientID, a := f.newTokens()
			client, thief := a.Refresh, a.Refresh
			for turn := range 3 {
				client = f.refreshed(clientID, client).Refresh
				f.clock.advance(turns)
				got := f.read(f.post("/token", refreshForm(clientID, thief)))
				if got.Status != http.StatusOK {
					f.dead(clientID, answer{Refresh: client, Access: a.Access})
					if turn == 0 {
						t.Error("a lost answer can't be told from this, and must be given again")
					}
					return
				}
				thief = got.Refresh
				f.clock.advance(time.Hour - turns)
			}
			t.Error("a thief and the client have refreshed in turns, and nobody was told")
		})
	}
}

// The same, with the thief the first to refresh.
func TestAThiefWhoComesFirstIsNoticed(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	thief := f.refreshed(clientID, a.Refresh)
	f.clock.advance(10 * time.Minute)
	client := f.refreshed(clientID, a.Refresh)
	f.clock.advance(time.Hour)
	thief = f.refreshed(clientID, thief.Refresh)
	f.clock.advance(10 * time.Minute)
	if got := f.read(f.post("/token", refreshForm(clientID, client.Refresh))); got.Error != codeInvalidGrant {
		t.Fatalf("the client gets %+v", got)
	}
	f.dead(clientID, thief)
}

// A client that has refreshed six times at once goes on with whichever answer it kept, hour after hour, and may lose answers on the way.
func TestSiblingsGoOnAsOne(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	for hour := range 5 {
		var siblings []answer
		for range 6 {
			siblings = append(siblings, f.refreshed(clientID, a.Refresh))
			f.clock.advance(time.Second)
		}
		// Two of the six are used at the next expiry, by calls that read the stored one before and after it was written.
		f.clock.advance(time.Hour)
		f.refreshed(clientID, siblings[hour].Refresh) // its answer is lost
		f.clock.advance(95 * time.Second)
		f.refreshed(clientID, siblings[0].Refresh)
		f.clock.advance(time.Hour)
		a = f.refreshed(clientID, siblings[hour].Refresh)
	}
}

// Refresh tokens from before they had a prefix go on.
func TestRefreshTokensWithoutAPrefix(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	bare, ok := strings.CutPrefix(a.Refresh, refreshPrefix)
	if !ok {
		t.Fatalf("the token is %q", a.Refresh)
	}
	if a = f.refreshed(clientID, bare); !strings.HasPrefix(a.Refresh, refreshPrefix) {
		t.Errorf("the next one is %q", a.Refresh)
	}
}

// Claude Code asks up to three times with the same token, over 95 seconds, if no answer arrives; other windows of it go on meanwhile.
func TestLostAnswersOfClaudeCode(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	for _, pause := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute} {
		f.refreshed(clientID, a.Refresh) // lost
		f.clock.advance(pause)
	}
	window := f.refreshed(clientID, a.Refresh)
	// One window goes on with what it got; another one's answer was lost, and it asks again within the grace.
	f.refreshed(clientID, window.Refresh)
	f.clock.advance(95 * time.Second)
	f.refreshed(clientID, a.Refresh)
}
