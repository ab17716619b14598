package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
)

func TestRevoke(t *testing.T) {
	for name, pick := range map[string]func(answer) string{
		"the refresh token": func(a answer) string { return a.Refresh },
		"the access token":  func(a answer) string { return a.Access },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			clientID, a := f.newTokens()
			form := url.Values{"client_id": {clientID}, "token": {pick(a)}, "token_type_hint": {"whatever"}}
			for range 2 {
				if res := f.post("/revoke", form); res.StatusCode != http.StatusOK {
					t.Fatalf("got %s", res.Status)
				}
			}
			f.dead(clientID, a)
		})
	}
}

// A token that can't be revoked is no error (RFC 7009 section 2.2), and nothing happens to it.
func TestTokensThatAreNotRevoked(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	other := f.register(testRedirect)
	bot := f.read(f.post("/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"ci-bot"}, "client_secret": {"bot-secret"}}))
	for name, form := range map[string]url.Values{
		"another client's refresh token": {"client_id": {other}, "token": {a.Refresh}},
		"another client's access token":  {"client_id": {other}, "token": {a.Access}},
		"made up":                        {"client_id": {clientID}, "token": {"abc"}},
		"a machine's, by another client": {"client_id": {clientID}, "token": {bot.Access}},
	} {
		if res := f.post("/revoke", form); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	f.refreshed(clientID, a.Refresh)
	if _, err := f.call(bot.Access, testResource); err != nil {
		t.Errorf("the machine's token: %v", err)
	}
	for name, tc := range map[string]struct {
		form   url.Values
		status int
	}{
		"no client":      {url.Values{"token": {a.Refresh}}, 401},
		"unknown client": {url.Values{"client_id": {"nobody"}, "token": {a.Refresh}}, 401},
		"wrong secret":   {url.Values{"client_id": {"portal"}, "client_secret": {"x"}, "token": {a.Refresh}}, 401},
		"no token":       {url.Values{"client_id": {clientID}}, 400},
		"a machine's":    {url.Values{"client_id": {"ci-bot"}, "client_secret": {"bot-secret"}, "token": {bot.Access}}, 400},
		"two tokens":     {url.Values{"client_id": {clientID}, "token": {a.Refresh, a.Access}}, 400},
	} {
		if got := f.read(f.post("/revoke", tc.form)); got.Status != tc.status {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// RFC 7009 section 2.2.1: what can't be revoked is not said to have been.
func TestAMachineIsToldThatItsTokenLivesOn(t *testing.T) {
	f := newFixture(t, nil)
	form := url.Values{"client_id": {"ci-bot"}, "client_secret": {"bot-secret"}, "grant_type": {"client_credentials"}}
	form.Set("token", f.read(f.post("/token", form)).Access)
	if a := f.read(f.post("/revoke", form)); a.Status != http.StatusBadRequest || a.Error != codeUnsupportedTokenType {
		t.Errorf("got %+v", a)
	}
}

// What an operator sees and does.
func TestGrantsOfAnOperator(t *testing.T) {
	f := newFixture(t, nil)
	clientID, a := f.newTokens()
	f.newTokens()
	var grants []Grant
	if err := f.server.Grants(t.Context(), func(g Grant) error { grants = append(grants, g); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(grants) != 2 {
		t.Fatalf("there are %d grants", len(grants))
	}
	for _, g := range grants {
		if g.UserID != "local:alice" || g.Email != "alice@example.com" || g.Org != "org_1" || g.Resource != testResource || g.Scope != "mcp" || len(g.Roles) != 1 ||
			g.Created.IsZero() || g.LastUsed.IsZero() || g.Expires.IsZero() || g.ClientName != "Test Agent" {
			t.Errorf("a grant is %+v", g)
		}
		if g.ClientID == clientID {
			if err := f.server.Revoke(t.Context(), g.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.dead(clientID, a)
	stop := errors.New("enough")
	if err := f.server.Grants(t.Context(), func(Grant) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// A personal token is ended by whoever holds it, with no client or any; a client that does not prove itself is refused all the same.
func TestWhoHoldsAPersonalTokenEndsIt(t *testing.T) {
	for name, tc := range map[string]struct {
		form   url.Values
		status int
		ends   bool
	}{
		"nobody":             {url.Values{}, 200, true},
		"any client":         {url.Values{"client_id": {"desktop"}}, 200, true},
		"a client's secret":  {url.Values{"client_id": {"portal"}, "client_secret": {"port:al secret+%"}}, 200, true},
		"a wrong secret":     {url.Values{"client_id": {"portal"}, "client_secret": {"x"}}, 401, false},
		"a client not there": {url.Values{"client_id": {"nobody"}}, 401, false},
		"the token twice":    {url.Values{"token": {"mcpgw_pat_x"}}, 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, withPersonalTokens)
			token, _, _ := f.makeToken()
			if _, err := f.call(token, testResource); err != nil {
				t.Fatal(err)
			}
			tc.form["token"] = append(tc.form["token"], token)
			if res := f.post("/revoke", tc.form); res.StatusCode != tc.status {
				t.Fatalf("answered %s", res.Status)
			}
			if _, err := f.call(token, testResource); (err != nil) != tc.ends {
				t.Errorf("after it: %v", err)
			}
		})
	}
	f := newFixture(t, withPersonalTokens)
	for _, token := range []string{"mcpgw_pat_", "mcpgw_pat_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" + "00000000"} {
		if res := f.post("/revoke", url.Values{"token": {token}}); res.StatusCode != http.StatusOK {
			t.Errorf("made up: %s", res.Status)
		}
	}
	f.server.cfg.Store = brokenStore{}
	sealer, err := f.server.cfg.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res := f.post("/revoke", url.Values{"token": {newPersonalToken(sealer, testResource, f.clock.now())}}); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while the store is down: %s", res.Status)
	}
}

// All who use a program that is a metadata document share its client_id: what ends one person's access, or the access from one of their
// computers, ends nobody else's.
func TestPeopleWhoShareAClientDoNotShareItsEnd(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, nil)
	id := v.document("/shared.json")
	login := func(user string) answer {
		t.Helper()
		b := f.browser()
		page := b.answer(b.authorize(authorizeQuery(id, testRedirect)), "/consent", "decision", "allow", "provider", "hosted")
		page = b.open(testIssuer + "/callback?code=" + user + "&state=" + url.QueryEscape(page.Away.Query().Get("state")))
		if page.Away == nil {
			page = b.answer(page, "/consent", "decision", "allow")
		}
		return f.read(f.post("/token", redeem(id, page.code(t, testRedirect))))
	}
	for name, end := range map[string]func(a answer){
		"revoked by the client": func(a answer) {
			if res := f.post("/revoke", url.Values{"client_id": {id}, "token": {a.Refresh}}); res.StatusCode != http.StatusOK {
				t.Error(res.Status)
			}
		},
		"replayed": func(a answer) {
			b := f.refreshed(id, a.Refresh)
			f.refreshed(id, b.Refresh)
			f.clock.advance(f.server.cfg.RefreshGrace)
			if got := f.read(f.post("/token", refreshForm(id, a.Refresh))); got.Error != codeInvalidGrant {
				t.Errorf("got %+v", got)
			}
		},
		"ended by an operator": func(a answer) {
			if err := f.server.Revoke(t.Context(), f.grantOf(a)); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			mine, other, others := login("carol"), login("carol"), login("dave")
			end(mine)
			f.dead(id, mine)
			for _, alive := range []answer{other, others} {
				if _, err := f.call(alive.Access, testResource); err != nil {
					t.Error(err)
				}
				f.refreshed(id, alive.Refresh)
			}
		})
	}
}
