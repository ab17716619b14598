package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// asks is a fixture with a place where calls wait.
type asks struct {
	*fixture
	desk *approval.Desk
}

func newAsks(t *testing.T) *asks {
	a := new(asks)
	a.fixture = newFixture(t, func(c *Config) {
		a.desk = approval.New(approval.Config{
			Store: c.Store, Now: c.Now, Audit: c.Audit, Sealer: func(ctx context.Context) (*seal.Sealer, error) { return c.Sealer(ctx) },
			Page: func(id string) string { return a.server.ApprovalPage(id) },
		})
		c.Approvals = a.desk
	})
	return a
}

// wants has an agent of a grant of alice's want to merge something.
func (a *asks) wants(grant, args string) *approval.Call {
	a.t.Helper()
	c := &approval.Call{
		Grant: grant, Client: "agent", ClientName: "Test Agent", Server: "github", Kind: "tool", Name: "merge", Args: []byte(args),
		Person: approval.Person{ID: "local:alice", Email: "alice@example.com", Org: "org_1", Roles: []string{"admin"}},
	}
	a.says(c, approval.Waiting)
	return c
}

// says checks what is known of a call.
func (a *asks) says(c *approval.Call, want approval.Verdict) {
	a.t.Helper()
	if got, err := a.desk.Ask(a.t.Context(), c); err != nil || got != want {
		a.t.Fatalf("%v, %v, want %v", got, err, want)
	}
}

// answer answers on a page; more are pairs.
func (b *browser) reply(v *view, action string, more ...string) *view {
	b.f.t.Helper()
	form := url.Values{"token": {v.fields().Get("token")}, "action": {action}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return b.send(b.request(http.MethodPost, testIssuer+"/connections/approve", form))
}

// A person who is sent to the page signs in, sees what is asked, answers it, and is told what came of it; the call goes on.
func TestAPersonAnswersWhatAnAgentAsks(t *testing.T) {
	for action, want := range map[string]struct {
		verdict approval.Verdict
		notice  string
		event   string
	}{
		"once":   {approval.Approved, "It was allowed, this once.", "approval_approved"},
		"always": {approval.Approved, "It was allowed, and you are not asked again.", "approval_approved"},
		"deny":   {approval.Denied, "It was denied.", "approval_denied"},
	} {
		t.Run(action, func(t *testing.T) {
			a := newAsks(t)
			_, tokens := a.newTokens()
			c := a.wants(a.grantOf(tokens), `{"number":1842,"note":"<b>\u202e"}`)
			page := a.desk.Page(c)
			b := a.browser()
			v := b.open(page)
			if v.Status != http.StatusOK || strings.Contains(v.Body, "1842") || !strings.Contains(v.Body, "Sign in to see what.") {
				t.Fatalf("without a sign-in: %d\n%s", v.Status, v.Body)
			}
			v = b.send(b.request(http.MethodPost, page, url.Values{"action": {"signin"}, "provider": {"local"}}))
			v = b.answer(v, "/signin", "username", "alice", "password", "secret")
			if v.URL.String() != page || !strings.Contains(v.Body, "&#34;number&#34;: 1842") || !strings.Contains(v.Body, `\u202e`) || strings.Contains(v.Body, "<b>") ||
				!strings.Contains(v.Body, "Test Agent") || !strings.Contains(v.Body, "merge") {
				t.Fatalf("signing in ends at %v: %d\n%s", v.URL, v.Status, v.Body)
			}
			v = b.reply(v, action, "call", v.fields().Get("call"))
			if v.URL.Path != "/connections" || !strings.Contains(v.Body, want.notice) || strings.Contains(v.Body, "1842") {
				t.Errorf("afterwards: %v\n%s", v.URL, v.Body)
			}
			a.says(c, want.verdict)
			found := 0
			for _, d := range []string{decisionAllow, decisionDeny} {
				for _, r := range a.audit.find(want.event, d) {
					if found++; r.UserID != "local:alice" || r.Name != "merge" || r.Server != "github" || r.GrantID != c.Grant || r.ClientName != "Test Agent" {
						t.Errorf("%+v", r)
					}
				}
			}
			if found != 1 {
				t.Errorf("%d audit records", found)
			}
			if v = b.open(page); v.Status != http.StatusNotFound || !strings.Contains(v.Body, "Nothing waits here") {
				t.Errorf("once more: %d\n%s", v.Status, v.Body)
			}
		})
	}
}

// What waits is on a person's own page as well, and so is what they have allowed for good, until they take it back or the grant ends.
func TestWhatWaitsIsOnThePersonsPage(t *testing.T) {
	a := newAsks(t)
	_, first := a.newTokens()
	_, second := a.newTokens()
	c := a.wants(a.grantOf(first), `{"number":1842}`)
	other := a.wants(a.grantOf(second), `{"number":7}`)
	b := a.browser()
	v := b.signIn()
	if ids := v.fields()["call"]; len(ids) != 2 || !strings.Contains(v.Body, "1842") {
		t.Fatalf("%v wait\n%s", ids, v.Body)
	}
	id, err := c.ID()
	if err != nil {
		t.Fatal(err)
	}
	v = b.reply(v, "always", "call", id)
	if len(v.fields()["call"]) != 1 || len(v.fields()["standing"]) != 1 {
		t.Fatalf("%v wait, %v is allowed\n%s", v.fields()["call"], v.fields()["standing"], v.Body)
	}
	a.says(c, approval.Approved)
	v = b.reply(v, "ask-again", "standing", v.fields().Get("standing"))
	if len(v.fields()["standing"]) != 0 || !strings.Contains(v.Body, "You are asked again from now on.") {
		t.Errorf("%s", v.Body)
	}
	a.says(c, approval.Waiting)
	v = b.act(v, "revoke", "grant", a.grantOf(second))
	if ids := v.fields()["call"]; !slices.Equal(ids, []string{id}) {
		t.Errorf("when a grant has ended, %v wait", ids)
	}
	if v := b.open(a.desk.Page(other)); v.Status != http.StatusNotFound {
		t.Errorf("what an ended grant wanted: %d", v.Status)
	}
}

// Nobody sees or answers what somebody else is asked, whatever their form says.
func TestNobodyAnswersForOthers(t *testing.T) {
	a := newAsks(t)
	_, tokens := a.newTokens()
	c := a.wants(a.grantOf(tokens), `{"number":1842}`)
	id, err := c.ID()
	if err != nil {
		t.Fatal(err)
	}
	b := a.browser()
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"hosted"}}))
	v = b.open(testIssuer + "/callback?code=mallory&state=" + url.QueryEscape(v.Away.Query().Get("state")))
	if strings.Contains(v.Body, "1842") {
		t.Fatalf("mallory sees\n%s", v.Body)
	}
	for _, action := range []string{"once", "always", "deny"} {
		if got := b.reply(v, action, "call", id); got.Status != http.StatusNotFound {
			t.Errorf("%s: %d", action, got.Status)
		}
	}
	if got := b.open(a.desk.Page(c)); got.Status != http.StatusNotFound || strings.Contains(got.Body, "1842") {
		t.Errorf("%d\n%s", got.Status, got.Body)
	}
	a.says(c, approval.Waiting)
}

// A form that is not ours answers nothing (CSRF).
func TestFormsOfOtherSitesAnswerNothing(t *testing.T) {
	a := newAsks(t)
	_, tokens := a.newTokens()
	c := a.wants(a.grantOf(tokens), `{}`)
	id, err := c.ID()
	if err != nil {
		t.Fatal(err)
	}
	b := a.browser()
	v := b.signIn()
	other := a.browser().signIn()
	good := url.Values{"token": {v.fields().Get("token")}, "action": {"once"}, "call": {id}}
	for name, change := range map[string]func(form url.Values, header http.Header){
		"from another site":   func(_ url.Values, h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
		"an origin elsewhere": func(_ url.Values, h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "https://evil.example") },
		"no token":            func(form url.Values, _ http.Header) { form.Del("token") },
		"another session's":   func(form url.Values, _ http.Header) { form["token"] = other.fields()["token"] },
		"two calls":           func(form url.Values, _ http.Header) { form.Add("call", "x") },
		"nothing that can be": func(form url.Values, _ http.Header) { form.Set("action", "allow") },
		"a way in by no way":  func(form url.Values, h http.Header) { h.Del("Cookie"); form.Set("action", "signin") },
		"not signed in":       func(_ url.Values, h http.Header) { h.Del("Cookie") },
	} {
		form := make(url.Values)
		for k, values := range good {
			form[k] = slices.Clone(values)
		}
		r := b.request(http.MethodPost, testIssuer+"/connections/approve", form)
		change(form, r.Header)
		r2 := b.request(http.MethodPost, testIssuer+"/connections/approve", form)
		r2.Header = r.Header
		if res := a.do(r2); name != "not signed in" && res.StatusCode != http.StatusBadRequest || res.StatusCode == http.StatusOK {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
		a.says(c, approval.Waiting)
	}
	if v := b.reply(v, "once", "call", id); v.Status != http.StatusOK {
		t.Errorf("the form itself: %d", v.Status)
	}
	for _, query := range []string{"", "?call=", "?call=../x", "?call=" + strings.Repeat("g", 40), "?call=" + strings.Repeat("a", 41)} {
		if v := b.open(testIssuer + "/connections/approve" + query); v.URL.Path != "/connections" {
			t.Errorf("%s leads to %v", query, v.URL)
		}
	}
}

// Who can approve is who can sign in here as the very person that acts.
func TestOnlyAPersonWhoCanSignInCanApprove(t *testing.T) {
	a := newAsks(t)
	_, tokens := a.newTokens()
	access, err := a.call(tokens.Access, testResource)
	if err != nil {
		t.Fatal(err)
	}
	if !a.server.CanApprove(access) {
		t.Error("alice can't")
	}
	machine, elsewhere := *access, *access
	machine.Person = nil
	elsewhere.Person = &identity.Person{Provider: "https://auth.example.com", ID: "alice"}
	if a.server.CanApprove(&machine) || a.server.CanApprove(&elsewhere) {
		t.Error("others can")
	}
}

// Who acts as somebody else approves what they are there for, and leaves nothing behind that goes on when they have gone.
func TestAttackAnImpersonatorApprovesForGood(t *testing.T) {
	a := newAsks(t)
	_, tokens := a.newTokens()
	c := a.wants(a.grantOf(tokens), `{"number":1}`)
	b := a.browser()
	b.signIn()
	a.actAs(b, "staff@example.com")
	for _, page := range []string{a.desk.Page(c), ownPage} {
		if v := b.open(page); !strings.Contains(v.Body, `value="once"`) || strings.Contains(v.Body, `value="always"`) {
			t.Errorf("%s offers\n%s", page, v.Body)
		}
	}
	id, err := c.ID()
	if err != nil {
		t.Fatal(err)
	}
	v := b.open(a.desk.Page(c))
	if got := b.reply(v, "always", "call", id); got.Status != http.StatusBadRequest {
		t.Errorf("for good: %d", got.Status)
	}
	a.says(c, approval.Waiting)
	b.reply(v, "once", "call", id)
	a.says(c, approval.Approved)
	a.says(c, approval.Waiting)
}
