package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// offering has people choose among some tools, of which those that begin with get are known to only read.
func offering(names ...string) func(*Config) {
	return func(c *Config) {
		c.Trusted = func(Resource) bool { return true }
		c.Offers = func(context.Context, *policy.Subject, Resource) Offers {
			o := Offers{}
			for _, name := range names {
				o.Tools = append(o.Tools, Offer{Name: name, Title: "Title of " + name, ReadOnly: strings.HasPrefix(name, "get")})
			}
			return o
		}
	}
}

// page3Of goes to page 3 as alice.
func (b *browser) page3Of(q url.Values) *view {
	b.f.t.Helper()
	v := b.answer(b.authorize(q), "/consent", "decision", "allow", "provider", "local")
	return b.answer(v, "/signin", "username", "alice", "password", "secret")
}

// choose answers page 3; fields are pairs, and a name may be there more than once.
func (b *browser) choose(v *view, fields ...string) *view {
	b.f.t.Helper()
	form := v.fields()
	form.Set("decision", "allow")
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.send(b.request(http.MethodPost, testIssuer+"/consent", form))
}

// left signs alice in with a choice, and returns what the grant leaves the agent.
func (f *fixture) left(clientID string, b *browser, fields ...string) (*policy.Narrowing, answer) {
	f.t.Helper()
	v := b.choose(b.page3Of(authorizeQuery(clientID, testRedirect)), fields...)
	a := f.read(f.post("/token", redeem(clientID, v.code(f.t, testRedirect))))
	return f.leaves(a.Access, testResource), a
}

// leaves returns what a token's agent is left.
func (f *fixture) leaves(token, resource string) *policy.Narrowing {
	f.t.Helper()
	access, err := f.call(token, resource)
	if err != nil {
		f.t.Fatal(err)
	}
	if access.Subject.Client.ID != access.ClientID || access.Subject.Client.Name != access.ClientName {
		f.t.Errorf("the subject's client is %+v", access.Subject.Client)
	}
	return access.Subject.Narrowing
}

// narrowTo is what is left of a narrowing to tools.
func narrowTo(names ...string) *policy.Narrowing { return &policy.Narrowing{Tools: names} }

// What a person chooses on page 3 is in the grant, and in those that come of it.
func TestAPersonNarrowsAnAgent(t *testing.T) {
	for name, tc := range map[string]struct {
		fields []string
		want   *policy.Narrowing
		audit  string
	}{
		"everything":    {[]string{"may", "all"}, nil, "The person allowed it."},
		"nothing said":  {nil, nil, "The person allowed it."},
		"read-only":     {[]string{"may", "read"}, &policy.Narrowing{ReadOnly: true}, "The person allowed it: only tools that only read."},
		"two tools":     {[]string{"may", "tools", "tool", "list", "tool", "get_a", "tool", "list"}, narrowTo("get_a", "list"), "The person allowed it: only the tools get_a and list."},
		"boxes alone":   {[]string{"tool", "list"}, nil, "The person allowed it."},
		"boxes for all": {[]string{"may", "all", "tool", "list"}, nil, "The person allowed it."},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, offering("list", "get_a", "delete"))
			clientID := f.register(testRedirect)
			got, a := f.left(clientID, f.browser(), tc.fields...)
			if !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("left %+v, want %+v", got, tc.want)
			}
			a = f.read(f.post("/token", refreshForm(clientID, a.Refresh)))
			if got := f.leaves(a.Access, testResource); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("after a refresh, left %+v", got)
			}
			if got := f.audit.find("consent", decisionAllow); len(got) != 1 || got[0].Reason != tc.audit {
				t.Errorf("recorded %+v", got)
			}
		})
	}
}

// No form, whatever is in it, leaves an agent what was not offered. What can't be is asked again, and nobody's login is lost by it.
func TestAttackFormsThatWiden(t *testing.T) {
	for name, tc := range map[string]struct {
		untrusted bool
		fields    []string
	}{
		"no tool at all":            {false, []string{"may", "tools"}},
		"a tool that is not there":  {false, []string{"may", "tools", "tool", "list", "tool", "drop_tables"}},
		"a glob":                    {false, []string{"may", "tools", "tool", "*"}},
		"another case":              {false, []string{"may", "tools", "tool", "LIST"}},
		"an empty name":             {false, []string{"may", "tools", "tool", ""}},
		"two answers":               {false, []string{"may", "read", "may", "all"}},
		"no such answer":            {false, []string{"may", "everything"}},
		"read-only, but untrusted":  {true, []string{"may", "read"}},
		"one tool, again and again": {false, slices.Concat([]string{"may", "tools"}, slices.Repeat([]string{"tool", "list"}, maxOffered+1))},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(c *Config) {
				offering("list", "get_a")(c)
				c.Trusted = func(Resource) bool { return !tc.untrusted }
			})
			clientID := f.register(testRedirect)
			b := f.browser()
			v := b.choose(b.page3Of(authorizeQuery(clientID, testRedirect)), tc.fields...)
			if v.Away != nil || !strings.Contains(v.Body, `role="alert"`) || !strings.Contains(v.Body, `name="may"`) {
				t.Fatalf("%d %v\n%s", v.Status, v.Away, v.Body)
			}
			v = b.choose(v, "may", "tools", "tool", "list")
			a := f.read(f.post("/token", redeem(clientID, v.code(t, testRedirect))))
			if got := f.leaves(a.Access, testResource); !reflect.DeepEqual(got, narrowTo("list")) {
				t.Errorf("left %+v", got)
			}
		})
	}
}

// A login for which page 3 is left out has what was chosen on it before; where the page is shown, that is what it shows as chosen.
func TestAChoiceIsRemembered(t *testing.T) {
	f := newFixture(t, offering("list", "get_a"))
	clientID, b := f.register(webRedirect), f.browser()
	redeemed := func(v *view) *policy.Narrowing {
		t.Helper()
		a := f.read(f.post("/token", redeem(clientID, v.code(t, webRedirect), "redirect_uri", webRedirect)))
		return f.leaves(a.Access, testResource)
	}
	redeemed(b.choose(b.page3Of(authorizeQuery(clientID, webRedirect)), "may", "tools", "tool", "list"))
	again := b.answer(b.authorize(authorizeQuery(clientID, webRedirect)), "/signin", "username", "alice", "password", "secret")
	if got := redeemed(again); !reflect.DeepEqual(got, narrowTo("list")) {
		t.Errorf("without page 3, left %+v", got)
	}
	v := b.page3Of(authorizeQuery(clientID, webRedirect, "prompt", "consent"))
	if !strings.Contains(v.Body, `value="tools" checked`) || !strings.Contains(v.Body, `value="list" checked`) || strings.Contains(v.Body, `value="get_a" checked`) {
		t.Errorf("the earlier choice is not shown:\n%s", v.Body)
	}
	// A form that says nothing leaves what there was, and another choice counts from now on.
	if got := redeemed(b.choose(v)); !reflect.DeepEqual(got, narrowTo("list")) {
		t.Errorf("nothing said, left %+v", got)
	}
	redeemed(b.choose(b.page3Of(authorizeQuery(clientID, webRedirect, "prompt", "consent")), "may", "all"))
	again = b.answer(b.authorize(authorizeQuery(clientID, webRedirect)), "/signin", "username", "alice", "password", "secret")
	if got := redeemed(again); got != nil {
		t.Errorf("after everything was chosen, left %+v", got)
	}
}

// A tool that was chosen can be chosen again when the server can't be asked, and read-only when its word does not count any more: both leave
// no more than before.
func TestAnEarlierChoiceStands(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		offering("list", "get_a")(c)
		c.Consent = ConsentAlways
	})
	clientID, b := f.register(testRedirect), f.browser()
	f.left(clientID, b, "may", "tools", "tool", "list")
	f.server.cfg.Offers = func(context.Context, *policy.Subject, Resource) Offers { return Offers{Partial: true} }
	if got, _ := f.left(clientID, b, "may", "tools", "tool", "list"); !reflect.DeepEqual(got, narrowTo("list")) {
		t.Errorf("left %+v", got)
	}
	offering("get_a")(&f.server.cfg)
	f.left(clientID, b, "may", "read")
	f.server.cfg.Offers = func(context.Context, *policy.Subject, Resource) Offers { return Offers{Partial: true} }
	f.server.cfg.Trusted = nil
	v := b.page3Of(authorizeQuery(clientID, testRedirect))
	if !strings.Contains(v.Body, `value="read" checked`) {
		t.Fatalf("the earlier choice is not shown:\n%s", v.Body)
	}
	if v = b.choose(v, "may", "read"); v.Away == nil {
		t.Error("the earlier choice can't be made again")
	}
}

// Several servers that are allowed on one page are narrowed each for itself.
func TestEachServerOnAPageIsNarrowed(t *testing.T) {
	for name, tc := range map[string]struct {
		may   string
		tools []string
		want  *policy.Narrowing
		asked bool
	}{
		"everything":        {"all", nil, nil, false},
		"one tool":          {"tools", []string{"list"}, narrowTo("list"), false},
		"a tool made up":    {"tools", []string{"drop_tables"}, nil, true},
		"none of the tools": {"tools", nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, offering("list", "get_a"))
			clientID, b := f.register(webRedirect), f.browser()
			v := b.page3(authorizeQuery(clientID, webRedirect))
			form := v.fields()
			form["also"] = v.offers()
			form.Set("decision", "allow")
			form.Set("may", "read")
			form.Set("may-"+v.offers()[0], tc.may)
			form["tool-"+v.offers()[0]] = tc.tools
			code := b.send(b.request(http.MethodPost, testIssuer+"/consent", form)).code(t, webRedirect)
			a := f.read(f.post("/token", redeem(clientID, code, "redirect_uri", webRedirect)))
			if got := f.leaves(a.Access, testResource); !reflect.DeepEqual(got, &policy.Narrowing{ReadOnly: true}) {
				t.Errorf("the first is left %+v", got)
			}
			images := b.authorize(authorizeQuery(clientID, webRedirect, "resource", testImages))
			if asked := images.Away == nil; asked != tc.asked {
				t.Fatalf("asked: %v", asked)
			}
			if tc.asked {
				return
			}
			code = b.returned(images).code(t, webRedirect)
			a = f.read(f.post("/token", redeem(clientID, code, "redirect_uri", webRedirect, "resource", testImages)))
			if got := f.leaves(a.Access, testImages); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("the second is left %+v", got)
			}
		})
	}
}

// Ticking a server that was allowed before changes what is left there, and not for how long it is remembered.
func TestAServerAllowedAgainBesidesIsNarrowed(t *testing.T) {
	f := newFixture(t, offering("list", "get_a"))
	clientID, b := f.register(webRedirect), f.browser()
	images := authorizeQuery(clientID, webRedirect, "resource", testImages)
	b.choose(b.page3(images), "may", "all").code(t, webRedirect)
	v := b.page3(authorizeQuery(clientID, webRedirect))
	b.choose(v, "also", v.offers()[0], "may-"+v.offers()[0], "read").code(t, webRedirect)
	f.clock.advance(alsoTTL + time.Minute)
	code := b.returned(b.authorize(images)).code(t, webRedirect)
	a := f.read(f.post("/token", redeem(clientID, code, "redirect_uri", webRedirect, "resource", testImages)))
	if got := f.leaves(a.Access, testImages); !reflect.DeepEqual(got, &policy.Narrowing{ReadOnly: true}) {
		t.Errorf("left %+v", got)
	}
}

// The page lists no more tools than people can look through, and none whose name looks like another or breaks a form.
func TestWhatCanBeChosenIsBounded(t *testing.T) {
	var names []string
	for i := range maxOffered + 1 {
		names = append(names, fmt.Sprintf("tool_%04d", i))
	}
	f := newFixture(t, offering(names...))
	v := f.browser().page3Of(authorizeQuery(f.register(testRedirect), testRedirect))
	if strings.Contains(v.Body, "tool_0001") || !strings.Contains(v.Body, "too many tools") || !strings.Contains(v.Body, `name="may"`) {
		t.Errorf("the page is\n%.2000s", v.Body)
	}
	f = newFixture(t, offering("ok", "with space", "", " edge", "two  spaces", "line\r\nbreak", "zero\u200bwidth", "bidi\u202e", "no\u00a0break", "e\u0301", "bad\xff", strings.Repeat("x", maxToolName+1), "ok"))
	all := f.server.choices(t.Context(), &identity.Person{Provider: "local", ID: "alice"}, []Resource{{URL: testResource}}, []*policy.Narrowing{nil})
	var got []string
	for _, tool := range all[0].Tools {
		got = append(got, tool.Name)
	}
	if want := []string{"ok", "with space"}; !slices.Equal(got, want) {
		t.Errorf("offered are %q, want %q", got, want)
	}
}

// Somebody whose role shows no tools has nothing to choose.
func TestNothingToChoose(t *testing.T) {
	f := newFixture(t, offering())
	b := f.browser()
	v := b.page3Of(authorizeQuery(f.register(testRedirect), testRedirect))
	if strings.Contains(v.Body, `name="may"`) {
		t.Errorf("there is something to choose:\n%s", v.Body)
	}
	b.choose(v).code(t, testRedirect)
}

// A narrowing to no tools at all is not one to all of them, however it is kept.
func TestANarrowingToNothingIsKept(t *testing.T) {
	value, err := json.Marshal(grantRecord{Narrowing: &policy.Narrowing{Tools: []string{}}})
	if err != nil {
		t.Fatal(err)
	}
	var g grantRecord
	if err := json.Unmarshal(value, &g); err != nil || g.Narrowing == nil || g.Narrowing.Tools == nil {
		t.Errorf("%s is read as %+v, %v", value, g.Narrowing, err)
	}
}

// Whatever a form says, an agent may use nothing that its person may not, and, of what was to be ticked, nothing that was not.
func TestNoFormWidensTheRole(t *testing.T) {
	document, err := policy.Parse("policy.yaml", []byte(`
roles:
  member:
    allow:
      - {server: "github", tools: ["get_*", list, write]}
    deny:
      - {tools: ["get_secret"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	universe := []string{"get_a", "get_b", "get_secret", "list", "write", "delete", "*", "get_*", "", "LIST", "lіst"}
	view := func(s *policy.Subject) *policy.View { return p.View(s, "github") }
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		subject := &policy.Subject{Roles: []string{"member"}}
		c := &choice{}
		c.trusted, c.Partial = random.IntN(2) == 0, random.IntN(2) == 0
		for _, name := range universe[:6] {
			if view(subject).Decide(policy.Tool, name).Allowed && random.IntN(4) > 0 {
				c.Tools = append(c.Tools, Offer{Name: name})
			}
		}
		if random.IntN(4) == 0 {
			c.before = &policy.Narrowing{ReadOnly: random.IntN(2) == 0, Tools: []string{"get_a"}}
		}
		c.prepare()
		form := url.Values{}
		for range random.IntN(3) {
			form.Add("may", []string{"all", "read", "tools", "", "ALL", "everything"}[random.IntN(6)])
		}
		for range random.IntN(5) {
			form.Add("tool", universe[random.IntN(len(universe))])
		}
		left, err := c.take(params{form}, "")
		if err != nil {
			continue
		}
		narrowed := *subject
		narrowed.Narrowing = left
		for _, name := range universe {
			for _, known := range []policy.Annotations{{}, {Known: true}, {Known: true, ReadOnly: true}} {
				may := view(subject).Judge(policy.Tool, name, &policy.Facts{Subject: subject, Tool: known}).Allowed
				agent := view(&narrowed).Judge(policy.Tool, name, &policy.Facts{Subject: &narrowed, Tool: known}).Allowed
				if agent && !may {
					t.Fatalf("the form %v lets an agent use %q: %+v", form, name, left)
				}
			}
			if left != nil && slices.Contains(left.Tools, name) && !slices.ContainsFunc(c.Tools, func(t Offer) bool { return t.Name == name }) {
				t.Fatalf("the form %v leaves %q, which was not offered", form, name)
			}
		}
		if form.Get("may") == "tools" && (left == nil || left.Tools == nil) {
			t.Fatalf("the form %v leaves %+v", form, left)
		}
	}
}

// FuzzChoices holds that no form leaves an agent anything that was not to be chosen, whatever stands in it.
func FuzzChoices(f *testing.F) {
	for _, form := range []string{"may=all", "may=read", "may=tools&tool=list&tool=get_a", "may=tools", "may=tools&tool=drop", "may=&may=all", "tool=list", "may-x=tools&tool-x=list", "%zz"} {
		f.Add(form, "", true)
		f.Add(form, "-x", false)
	}
	f.Fuzz(func(t *testing.T, raw, suffix string, trusted bool) {
		form, err := parseParams(raw, maxChoiceBytes)
		if err != nil {
			return
		}
		c := &choice{Offers: Offers{Tools: []Offer{{Name: "list"}, {Name: "get_a", ReadOnly: true}}}, trusted: trusted, before: narrowTo("gone")}
		c.prepare()
		left, err := c.take(form, suffix)
		switch may := form.get("may" + suffix); {
		case err != nil:
			if left != nil || chooseAgain(err) == "" {
				t.Fatalf("%q is refused with %v and leaves %+v", raw, err, left)
			}
		case may == "":
			if !reflect.DeepEqual(left, c.before) {
				t.Fatalf("%q says nothing and leaves %+v", raw, left)
			}
		case (left == nil) != (may == "all"), may == "read" && (!trusted || !left.ReadOnly), may == "tools" && len(left.Tools) == 0:
			t.Fatalf("%q leaves %+v", raw, left)
		case left != nil && slices.ContainsFunc(left.Tools, func(name string) bool { return name != "list" && name != "get_a" && name != "gone" }):
			t.Fatalf("%q leaves %+v", raw, left)
		}
	})
}
