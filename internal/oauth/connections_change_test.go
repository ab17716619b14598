package oauth

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// changePage opens the page on which an agent's choice is changed.
func (b *browser) changePage(grant string) *view { return b.open(ownPage + "?change=" + grant) }

// save answers it; fields are pairs, and a name may be there more than once.
func (b *browser) save(v *view, fields ...string) *view {
	b.f.t.Helper()
	form := v.fields()
	form.Set("action", "narrow")
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.send(b.request(http.MethodPost, ownPage, form))
}

// A person sees what each agent may use, and changes it: less, and more again, from the next call on.
func TestAPersonChangesWhatAnAgentMayUse(t *testing.T) {
	f := newFixture(t, offering("list", "get_a", "delete"))
	clientID := f.register(testRedirect)
	_, a := f.left(clientID, f.browser(), "may", "tools", "tool", "list", "tool", "delete")
	grant := f.grantOf(a)
	b := f.browser()
	if v := b.signIn(); !strings.Contains(v.Body, "It may use only <code>delete</code>, <code>list</code>.") || !strings.Contains(v.Body, "?change="+grant) {
		t.Fatalf("the page is\n%s", v.Body)
	}
	for _, step := range []struct {
		fields []string
		want   *policy.Narrowing
		says   string
	}{
		{[]string{"may", "tools", "tool", "list"}, narrowTo("list"), "It may use only <code>list</code>."},
		{[]string{"may", "read"}, &policy.Narrowing{ReadOnly: true}, "It may use only tools that only read."},
		{nil, &policy.Narrowing{ReadOnly: true}, "It may use only tools that only read."},
		{[]string{"may", "all"}, nil, "It may use everything your role allows."},
	} {
		v := b.save(b.changePage(grant), step.fields...)
		if v.Status != http.StatusOK || !strings.Contains(v.Body, step.says) || !strings.Contains(v.Body, "What it may use has changed.") {
			t.Fatalf("%v: %d\n%s", step.fields, v.Status, v.Body)
		}
		if got := f.leaves(a.Access, testResource); !reflect.DeepEqual(got, step.want) {
			t.Errorf("%v leaves %+v, want %+v", step.fields, got, step.want)
		}
	}
	if got := f.audit.find("narrow", decisionAllow); len(got) != 4 || got[0].Reason != "The person leaves it only the tool list." || got[0].GrantID != grant || got[0].UserID != "local:alice" {
		t.Errorf("recorded %+v", got)
	}
}

// What is changed here holds for the agent's next login without page 3, too.
func TestAChangeIsRemembered(t *testing.T) {
	f := newFixture(t, offering("list", "get_a"))
	clientID, b := f.register(webRedirect), f.browser()
	code := b.choose(b.page3Of(authorizeQuery(clientID, webRedirect)), "may", "all").code(t, webRedirect)
	a := f.read(f.post("/token", redeem(clientID, code, "redirect_uri", webRedirect)))
	b.signIn()
	b.save(b.changePage(f.grantOf(a)), "may", "tools", "tool", "get_a")
	again := b.answer(b.authorize(authorizeQuery(clientID, webRedirect)), "/signin", "username", "alice", "password", "secret")
	a = f.read(f.post("/token", redeem(clientID, again.code(t, webRedirect), "redirect_uri", webRedirect)))
	if got := f.leaves(a.Access, testResource); !reflect.DeepEqual(got, narrowTo("get_a")) {
		t.Errorf("left %+v", got)
	}
	// Changing it makes no consent of none, and does not prolong one.
	f.clock.advance(rememberedTTL)
	if rec, err := f.server.consentRecord(t.Context(), alice, clientID, testResource); rec != nil || err != nil {
		t.Errorf("after its time there is %+v, %v", rec, err)
	}
	if err := f.server.leave(t.Context(), alice, clientID, testResource, narrowTo("list")); err != nil {
		t.Error(err)
	}
	if rec, err := f.server.consentRecord(t.Context(), alice, clientID, testResource); rec != nil || err != nil {
		t.Errorf("consent came of nothing: %+v, %v", rec, err)
	}
}

// Nobody changes what is not theirs, by no form that is not of the page, to nothing that is not offered there.
func TestAttackChangesOfWhatAnAgentMayUse(t *testing.T) {
	f := newFixture(t, offering("list", "get_a"))
	_, a := f.left(f.register(testRedirect), f.browser(), "may", "tools", "tool", "list")
	grant := f.grantOf(a)
	b := f.browser()
	b.signIn()
	page := b.changePage(grant)

	v := b.save(page, "may", "tools", "tool", "drop_tables", "tool", "get_a")
	if !strings.Contains(v.Body, `role="alert"`) || !strings.Contains(v.Body, `value="get_a" checked`) {
		t.Errorf("a tool made up: %d\n%s", v.Status, v.Body)
	}
	if v = b.save(page, "may", "tools"); !strings.Contains(v.Body, `role="alert"`) {
		t.Errorf("no tool: %d", v.Status)
	}
	form := page.fields()
	form.Set("action", "narrow")
	form.Set("may", "all")
	form.Set("token", "another")
	if v = b.send(b.request(http.MethodPost, ownPage, form)); v.Status != http.StatusBadRequest {
		t.Errorf("without the session's token: %d", v.Status)
	}
	form = page.fields()
	form.Set("action", "narrow")
	form.Set("may", "all")
	r := b.request(http.MethodPost, ownPage, form)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if v = b.send(r); v.Status != http.StatusBadRequest {
		t.Errorf("from another site: %d", v.Status)
	}
	// Somebody else, and nobody: the page of what there is.
	carol := f.browser()
	v = carol.send(carol.request(http.MethodPost, ownPage, map[string][]string{"action": {"signin"}, "provider": {"hosted"}}))
	carol.returned(v)
	if v = carol.changePage(grant); strings.Contains(v.Body, `name="may"`) || strings.Contains(v.Body, grant) || v.Status != http.StatusOK {
		t.Errorf("somebody else's grant: %d\n%s", v.Status, v.Body)
	}
	carol.act(carol.open(ownPage), "narrow", "grant", grant, "may", "all")
	if v = f.browser().changePage(grant); !strings.Contains(v.Body, "Sign in") || strings.Contains(v.Body, grant) {
		t.Errorf("nobody: %d\n%s", v.Status, v.Body)
	}
	if got := f.leaves(a.Access, testResource); !reflect.DeepEqual(got, narrowTo("list")) {
		t.Errorf("left %+v", got)
	}
	f.server.cfg.Store = brokenStore{}
	if v = b.save(page, "may", "all"); v.Status != http.StatusServiceUnavailable {
		t.Errorf("while the store is down: %d", v.Status)
	}
}

// Who acts as somebody else sees it said, ends access, and leaves no agent more than there was.
func TestAnImpersonatorChangesNothing(t *testing.T) {
	f := newFixture(t, offering("list", "get_a"))
	_, a := f.left(f.register(testRedirect), f.browser(), "may", "tools", "tool", "list")
	grant := f.grantOf(a)
	b := f.browser()
	b.signIn()
	f.actAs(b, "staff@example.com")
	v := b.open(ownPage)
	if !strings.Contains(v.Body, "staff@example.com") || strings.Contains(v.Body, "?change=") {
		t.Errorf("the page is\n%s", v.Body)
	}
	if got := b.changePage(grant); got.Status != http.StatusBadRequest {
		t.Errorf("the page to change it: %d", got.Status)
	}
	if got := b.act(v, "narrow", "grant", grant, "may", "all"); got.Status != http.StatusBadRequest {
		t.Errorf("changing it: %d", got.Status)
	}
	if got := f.leaves(a.Access, testResource); !reflect.DeepEqual(got, narrowTo("list")) {
		t.Errorf("left %+v", got)
	}
}

// A personal token is narrowed like an agent: when it is made, on a page of its own where tools are ticked, and later.
func TestAPersonalTokenIsNarrowed(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		offering("list", "get_a")(c)
		withPersonalTokens(c)
	})
	token, b, _ := f.makeToken("may", "read")
	if got := f.leaves(token, testResource); !reflect.DeepEqual(got, &policy.Narrowing{ReadOnly: true}) {
		t.Errorf("read-only leaves %+v", got)
	}
	b.save(b.changePage(personalID(token)), "may", "tools", "tool", "get_a")
	if got := f.leaves(token, testResource); !reflect.DeepEqual(got, narrowTo("get_a")) {
		t.Errorf("changed, it leaves %+v", got)
	}

	b = f.browser()
	v := b.act(b.signIn(), "make", "name", "<b>job</b>", "resource", testResource, "days", "30", "may", "tools")
	if strings.Contains(v.Body, `role="alert"`) || !strings.Contains(v.Body, `name="tool" value="list"`) || madeToken.MatchString(v.Body) || strings.Contains(v.Body, "<b>") {
		t.Fatalf("the page to tick is\n%s", v.Body)
	}
	form := v.fields()
	form.Set("action", "make")
	form.Set("may", "tools")
	if v = b.send(b.request(http.MethodPost, ownPage, form)); !strings.Contains(v.Body, `role="alert"`) || madeToken.MatchString(v.Body) {
		t.Fatalf("nothing ticked:\n%s", v.Body)
	}
	form.Add("tool", "list")
	v = b.send(b.request(http.MethodPost, ownPage, form))
	token = madeToken.FindString(v.Body)
	if token == "" {
		t.Fatalf("no token is shown:\n%s", v.Body)
	}
	if got := f.leaves(token, testResource); !reflect.DeepEqual(got, narrowTo("list")) {
		t.Errorf("ticked, it leaves %+v", got)
	}
	if got := f.audit.find("personal_token", decisionAllow); len(got) != 2 || !strings.HasSuffix(got[1].Reason, ": only the tool list.") {
		t.Errorf("recorded %+v", got)
	}
}

// What was done is said once, in the browser where it was done; no link makes the page say it.
func TestNoLinkSaysThatSomethingWasDone(t *testing.T) {
	f := newFixture(t, nil)
	_, a := f.newTokens()
	b := f.browser()
	b.signIn()
	for _, link := range []string{"?done=revoke-all", "?done=revoke", "?notice=All+access+has+ended.", "?note=revoke-all"} {
		if v := b.open(ownPage + link); strings.Contains(v.Body, `role="status"`) || strings.Contains(v.Body, "has ended") {
			t.Errorf("%s makes the page say\n%s", link, v.Body)
		}
	}
	r := b.request(http.MethodGet, ownPage, nil)
	r.AddCookie(&http.Cookie{Name: "__Host-mcp_note", Value: "revoke-all"})
	if v := b.send(r); strings.Contains(v.Body, "has ended") {
		t.Error("a cookie that is not ours makes the page say it")
	}
	v := b.act(b.open(ownPage), "revoke", "grant", f.grantOf(a))
	if !strings.Contains(v.Body, "Access has ended.") || v.URL.RawQuery != "" {
		t.Errorf("it is not said at %s:\n%s", v.URL, v.Body)
	}
	if v = b.open(ownPage); strings.Contains(v.Body, "Access has ended.") {
		t.Error("it is said twice")
	}
}

// The page lists the servers that a person may use, with what their role allows, and nothing of others.
func TestThePageListsWhatAPersonMayUse(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.Abilities = onlyGithub
		c.Contact = "it@example.com"
	})
	v := f.browser().signIn()
	for _, says := range []string{"Servers you may use", testResource, "claude mcp add --transport http github " + testResource, `href="cursor://anysphere.cursor-deeplink/mcp/install?`, `href="vscode:mcp/install?`} {
		if !strings.Contains(v.Body, says) {
			t.Errorf("the page does not say %q:\n%s", says, v.Body)
		}
	}
	if strings.Contains(v.Body, "images") {
		t.Error("the page names a server on which the person may do nothing")
	}
	f.server.cfg.Abilities = func(*policy.Subject, Resource) ([]pages.Ability, bool) { return nil, true }
	if v = f.browser().signIn(); !strings.Contains(v.Body, "Your role allows nothing here. Ask <bdi>it@example.com</bdi>.") {
		t.Errorf("who may do nothing is told\n%s", v.Body)
	}
	// Where a sign-in came from is roughly said.
	b := f.browser()
	clientID := f.register(testRedirect)
	page := b.answer(b.authorize(authorizeQuery(clientID, testRedirect)), "/consent", "decision", "allow", "provider", "local")
	form := page.fields()
	form.Set("username", "alice")
	form.Set("password", "secret")
	r := b.request(http.MethodPost, testIssuer+"/signin", form)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	code := b.answer(b.send(r), "/consent", "decision", "allow").code(t, testRedirect)
	f.read(f.post("/token", redeem(clientID, code)))
	f.clock.advance(time.Minute)
	if v = b.signIn(); !strings.Contains(v.Body, "Allowed in Firefox on Linux, from 192.0.2.x.") {
		t.Errorf("the page does not say where it was allowed:\n%s", v.Body)
	}
}
