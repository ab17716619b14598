package oauth

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

var offeredServer = regexp.MustCompile(`name="also" value="([^"]+)"`)

// offers returns what a page offers to allow besides.
func (v *view) offers() (values []string) {
	for _, m := range offeredServer.FindAllStringSubmatch(v.Body, -1) {
		values = append(values, m[1])
	}
	return values
}

// page3 goes to page 3 at the hosted provider.
func (b *browser) page3(q url.Values) *view {
	v := b.authorize(q)
	if v.Away == nil {
		v = b.answer(v, "/consent", "decision", "allow", "provider", "hosted")
	}
	return b.returned(v)
}

// returned comes back from the hosted provider, which asks nothing: the person has a session there.
func (b *browser) returned(v *view) *view {
	b.f.t.Helper()
	if v.Away == nil || v.Away.Host != "idp.example" {
		b.f.t.Fatalf("not sent to the provider: %d %v", v.Status, v.Away)
	}
	return b.open(testIssuer + "/callback?code=carol&state=" + url.QueryEscape(v.Away.Query().Get("state")))
}

// allowed answers page 3 with everything ticked.
func (b *browser) allowed(v *view) *view {
	b.f.t.Helper()
	fields := v.fields()
	fields["also"] = v.offers()
	fields.Set("decision", "allow")
	return b.send(b.request("POST", testIssuer+"/consent", fields))
}

// A client that is set up for two servers asks for them in turn: one sign-in and one page are enough.
func TestOneSignInAndOnePageForSeveralServers(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(webRedirect)
	b := f.browser()
	v := b.page3(authorizeQuery(clientID, webRedirect))
	if len(v.offers()) != 1 || !strings.Contains(v.Body, "Use tools of images") {
		t.Fatalf("the page offers %q:\n%s", v.offers(), v.Body)
	}
	b.allowed(v).code(t, webRedirect)
	images := authorizeQuery(clientID, webRedirect, "resource", testImages)
	v = b.returned(b.authorize(images))
	code := v.code(t, webRedirect)
	a := f.read(f.post("/token", redeem(clientID, code, "redirect_uri", webRedirect, "resource", testImages)))
	if _, err := f.call(a.Access, testImages); err != nil {
		t.Errorf("the token: %+v, %v", a, err)
	}
	// It was for the client that was on the page, in that browser, for minutes.
	for name, other := range map[string]*view{
		"another client":  b.authorize(authorizeQuery(f.register(webRedirect), webRedirect, "resource", testImages)),
		"another browser": f.browser().authorize(images),
		"prompt=login":    b.authorize(authorizeQuery(clientID, webRedirect, "resource", testImages, "prompt", "login")),
		"prompt=consent":  b.authorize(authorizeQuery(clientID, webRedirect, "resource", testImages, "prompt", "consent")),
	} {
		if other.Away != nil || len(other.fields()) == 0 {
			t.Errorf("%s is not asked: %d %v", name, other.Status, other.Away)
		}
	}
	f.clock.advance(alsoTTL)
	if v := b.authorize(images); v.Away != nil {
		t.Errorf("after ten minutes, nobody is asked: %v", v.Away)
	}
}

// A program on the person's own machine is no more proved by this than before: page 1 is shown for each server, and only page 3 left out.
func TestSeveralServersForAProgram(t *testing.T) {
	f := newFixture(t, nil)
	clientID := f.register(testRedirect)
	b := f.browser()
	b.allowed(b.page3(authorizeQuery(clientID, testRedirect))).code(t, testRedirect)
	v := b.authorize(authorizeQuery(clientID, testRedirect, "resource", testImages))
	if v.Away != nil {
		t.Fatalf("page 1 is left out: %v", v.Away)
	}
	b.returned(b.answer(v, "/consent", "decision", "allow", "provider", "hosted")).code(t, testRedirect)
}

// Nothing is allowed that was not ticked, or was not on this page as it is now.
func TestWhatWasNotOfferedIsNotAllowed(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		tick   func(f *fixture, v *view) []string
	}{
		"nothing ticked": {nil, func(*fixture, *view) []string { return nil }},
		"something else": {nil, func(*fixture, *view) []string { return []string{testImages, "images", ""} }},
		"of another page": {nil, func(f *fixture, _ *view) []string {
			return f.browser().page3(authorizeQuery("portal", webRedirect)).offers()
		}},
		"abilities that have changed": {nil, func(f *fixture, v *view) []string {
			f.server.cfg.Abilities = func(*policy.Subject, Resource) ([]pages.Ability, bool) {
				return []pages.Ability{{Title: "More"}}, false
			}
			return v.offers()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, tc.change)
			clientID, b := f.register(webRedirect), f.browser()
			v := b.page3(authorizeQuery(clientID, webRedirect))
			fields := v.fields()
			fields["also"] = tc.tick(f, v)
			fields.Set("decision", "allow")
			b.send(b.request("POST", testIssuer+"/consent", fields)).code(t, webRedirect)
			if v := b.authorize(authorizeQuery(clientID, webRedirect, "resource", testImages)); v.Away != nil {
				t.Errorf("nobody is asked: %v", v.Away)
			}
		})
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		query  []string
	}{
		"consent always":      {func(c *Config) { c.Consent = ConsentAlways }, nil},
		"prompt":              {nil, []string{"prompt", "consent"}},
		"a server elsewhere":  {func(c *Config) { c.Resources = elsewhereToo }, nil},
		"nothing to do there": {func(c *Config) { c.Abilities = onlyGithub }, nil},
	} {
		f := newFixture(t, tc.change)
		if v := f.browser().page3(authorizeQuery("portal", webRedirect, tc.query...)); len(v.offers()) != 0 || len(v.fields()) == 0 {
			t.Errorf("%s: %q", name, v.offers())
		}
	}
	// Denying allows nothing, whatever is ticked.
	f := newFixture(t, nil)
	clientID, b := f.register(webRedirect), f.browser()
	v := b.page3(authorizeQuery(clientID, webRedirect))
	fields := v.fields()
	fields["also"] = v.offers()
	fields.Set("decision", "deny")
	b.send(b.request("POST", testIssuer+"/consent", fields))
	if v := b.authorize(authorizeQuery(clientID, webRedirect, "resource", testImages)); v.Away != nil {
		t.Errorf("a denial allows: %v", v.Away)
	}
}

func elsewhereToo() []Resource {
	return []Resource{{URL: testResource, Server: "github"}, {URL: "https://other.example/images", Server: "images"}}
}

func onlyGithub(_ *policy.Subject, res Resource) ([]pages.Ability, bool) {
	return []pages.Ability{{Title: "Use every tool"}}, res.Server != "github"
}

// What was ticked never shortens what was allowed for longer.
func TestAlsoDoesNotShortenAnEarlierConsent(t *testing.T) {
	f := newFixture(t, nil)
	clientID, b := f.register(webRedirect), f.browser()
	images := authorizeQuery(clientID, webRedirect, "resource", testImages)
	v := b.page3(images)
	b.answer(v, "/consent", "decision", "allow").code(t, webRedirect)
	b.allowed(b.page3(authorizeQuery(clientID, webRedirect))).code(t, webRedirect)
	f.clock.advance(alsoTTL + time.Hour)
	b.returned(b.authorize(images)).code(t, webRedirect)
}
