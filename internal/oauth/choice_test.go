package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// toChoice goes as far as the page on which an organization is chosen.
func (b *browser) toChoice(q string) *view {
	b.f.t.Helper()
	v := b.answer(b.open(q), "/consent", "decision", "allow", "provider", "hosted")
	if v.Away == nil {
		b.f.t.Fatalf("not sent to the provider: %d\n%s", v.Status, v.Body)
	}
	return b.open(testIssuer + "/callback?code=several&state=" + v.Away.Query().Get("state"))
}

func TestAnOrganizationIsChosen(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	clientID := f.register(testRedirect)
	v := b.toChoice(testIssuer + "/authorize?" + authorizeQuery(clientID, testRedirect).Encode())
	if v.Status != http.StatusOK || !strings.Contains(v.Body, `value="org_1"`) || !strings.Contains(v.Body, "Acme") || !strings.Contains(v.Body, `value="org_2"`) {
		t.Fatalf("the page is %d\n%s", v.Status, v.Body)
	}
	if strings.Contains(v.Body, "pending") {
		t.Error("the page holds what is the provider's")
	}
	if again := b.open(v.URL.String()); again.Status != http.StatusOK || again.Body != v.Body {
		t.Errorf("reloaded, the page is %d", again.Status)
	}
	f.hosted.busy = true
	if got := b.answer(v, "/organization", "decision", "allow", "organization", "org_2"); got.Status != http.StatusServiceUnavailable {
		t.Errorf("while the provider is down, answered %d", got.Status)
	}
	f.hosted.busy = false
	grant := b.answer(v, "/organization", "decision", "allow", "organization", "org_2")
	if grant.Status != http.StatusOK || !strings.Contains(grant.Body, "Organization org_2") {
		t.Fatalf("page 3 is %d\n%s", grant.Status, grant.Body)
	}
	code := b.answer(grant, "/consent", "decision", "allow").code(t, testRedirect)
	a := f.read(f.post("/token", redeem(clientID, code)))
	access, err := f.call(a.Access, testResource)
	if err != nil || access.Subject.Org != "org_2" {
		t.Errorf("got %+v, %v", access, err)
	}
}

func TestAnOrganizationThatIsNotChosen(t *testing.T) {
	for name, c := range map[string]struct {
		form   []string
		status int
		answer string // the error that the client gets
	}{
		"cancelled":          {[]string{"decision", "cancel"}, http.StatusSeeOther, codeAccessDenied},
		"one not on offer":   {[]string{"decision", "allow", "organization", "org_9"}, http.StatusBadRequest, ""},
		"none":               {[]string{"decision", "allow"}, http.StatusBadRequest, ""},
		"with another token": {[]string{"decision", "allow", "organization", "org_1", fieldTx, strings.Repeat("x", 43)}, http.StatusBadRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			b := f.browser()
			v := b.toChoice(testIssuer + "/authorize?" + authorizeQuery(f.register(testRedirect), testRedirect).Encode())
			got := b.answer(v, "/organization", c.form...)
			if got.Status != c.status || got.Away == nil != (c.answer == "") || got.Away != nil && got.Away.Query().Get("error") != c.answer {
				t.Errorf("answered %d, %v", got.Status, got.Away)
			}
		})
	}
}

// Another browser can't choose for this one, nor look.
func TestChoosingInAnotherBrowser(t *testing.T) {
	f := newFixture(t, nil)
	v := f.browser().toChoice(testIssuer + "/authorize?" + authorizeQuery(f.register(testRedirect), testRedirect).Encode())
	other := f.browser()
	if got := other.open(v.URL.String()); got.Status != http.StatusBadRequest {
		t.Errorf("the page is %d", got.Status)
	}
	if got := other.answer(v, "/organization", "decision", "allow", "organization", "org_1"); got.Status != http.StatusBadRequest {
		t.Errorf("the form is answered %d", got.Status)
	}
}

func TestAnOrganizationIsChosenForTheOwnPage(t *testing.T) {
	f := newFixture(t, nil)
	b := f.browser()
	v := b.send(b.request(http.MethodPost, ownPage, url.Values{"action": {"signin"}, "provider": {"hosted"}}))
	if v.Away == nil {
		t.Fatalf("not sent to the provider: %d\n%s", v.Status, v.Body)
	}
	v = b.open(testIssuer + "/callback?code=several&state=" + v.Away.Query().Get("state"))
	v = b.answer(v, "/organization", "decision", "allow", "organization", "org_1")
	if v.Status != http.StatusOK || v.URL.Path != "/connections" || !strings.Contains(v.Body, "dave") {
		t.Errorf("ended at %v: %d\n%s", v.URL, v.Status, v.Body)
	}
}
