package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"
)

// drawn is a page as a browser gets it.
type drawn struct {
	status int
	header http.Header
	body   string
	root   *html.Node
}

func drawPage(t *testing.T, p *Pages, s sample) drawn {
	t.Helper()
	rec := httptest.NewRecorder()
	s.draw(p, rec)
	root, err := html.Parse(strings.NewReader(rec.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return drawn{rec.Code, rec.Header(), rec.Body.String(), root}
}

func find(t *testing.T, name string) sample {
	t.Helper()
	i := slices.IndexFunc(samples, func(s sample) bool { return s.name == name })
	if i < 0 {
		t.Fatalf("no sample %s", name)
	}
	return samples[i]
}

// all returns the elements with a name.
func (d drawn) all(name string) (found []*html.Node) {
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words is what a person reads in an element, with single spaces.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		switch {
		case d.Type == html.TextNode && d.Parent.Data != "style":
			b.WriteString(d.Data)
		case d.Type == html.ElementNode && slices.Contains([]string{"p", "div", "br", "h1", "h2", "h3", "li", "dt", "dd", "button"}, d.Data):
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestEveryPageIsSoundHTML(t *testing.T) {
	p := New()
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			d := drawPage(t, p, s)
			for element, want := range map[string]int{"html": 1, "title": 1, "h1": 1, "main": 1, "header": 1, "style": 1, "script": 0, "link": 0, "img": 0, "iframe": 0, "base": 0, "object": 0} {
				if got := len(d.all(element)); got != want {
					t.Errorf("%d of <%s>, want %d", got, element, want)
				}
			}
			if got := attr(d.all("html")[0], "lang"); got != "en" {
				t.Errorf("lang is %q", got)
			}
			if words(d.all("title")[0]) == "" || words(d.all("h1")[0]) == "" {
				t.Error("no title, or no heading")
			}
			ids := make(map[string]bool)
			labels := make(map[string]bool)
			for n := range d.root.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				for _, a := range n.Attr {
					if a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" && n.Data != "a" {
						t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
					}
				}
				if id := attr(n, "id"); id != "" {
					if ids[id] {
						t.Errorf("id %s is there twice", id)
					}
					ids[id] = true
				}
				if n.Data == "label" {
					labels[attr(n, "for")] = true
				}
			}
			for _, input := range d.all("input") {
				if attr(input, "type") != "hidden" && !labels[attr(input, "id")] && input.Parent.Data != "label" {
					t.Errorf("field %s has no label", attr(input, "name"))
				}
				if by := attr(input, "aria-describedby"); by != "" && !ids[by] {
					t.Errorf("field %s is described by nothing", attr(input, "name"))
				}
			}
			if strings.Contains(words(d.root), "{{") || strings.Contains(d.body, "ZgotmplZ") || strings.Contains(d.body, "<no value>") {
				t.Error("a template was not filled in")
			}
		})
	}
}

func TestFormsPostWhatWasPromised(t *testing.T) {
	p := New()
	for _, s := range samples {
		d := drawPage(t, p, s)
		kind, _, _ := strings.Cut(s.name, "-")
		forms := d.all("form")
		if kind == "welcome" || kind == "connections" || kind == "change" || kind == "approve" {
			continue // their forms are many; see TestFormsOfConnections and TestFormsOfApprovals
		}
		if kind == "message" {
			if len(forms) != 0 {
				t.Errorf("%s has a form", s.name)
			}
			continue
		}
		want := map[string]struct {
			action  string
			buttons []string
		}{
			"ask": {"/consent", []string{"allow", "cancel"}}, "signin": {"/signin", []string{"allow", "cancel"}}, "grant": {"/consent", []string{"allow", "deny"}},
			"organization": {"/organization", []string{"allow", "cancel"}},
		}[kind]
		if len(forms) != 1 || attr(forms[0], "method") != "post" || attr(forms[0], "action") != want.action {
			t.Errorf("%s: form posts to %v", s.name, forms)
			continue
		}
		var buttons []string
		for _, b := range d.all("button") {
			if attr(b, "type") != "submit" || attr(b, "name") != "decision" {
				t.Errorf("%s: a button named %q", s.name, attr(b, "name"))
			}
			buttons = append(buttons, attr(b, "value"))
		}
		// The first one is what the Enter key presses.
		if !slices.Equal(buttons, want.buttons) {
			t.Errorf("%s: buttons %q, want %q", s.name, buttons, want.buttons)
		}
		var fields []string
		for _, i := range d.all("input") {
			fields = append(fields, attr(i, "name")+"="+attr(i, "value"))
		}
		wantFields := map[string][]string{
			"ask-providers": {"tx=t0ken", "provider=workos", "provider=local"}, "signin": {"tx=t0ken", "username=", "password="}, "signin-wrong": {"tx=t0ken", "username=alice", "password="}, "signin-own": {"tx=t0ken", "username=", "password="},
			"organization": {"tx=t0ken", "organization=org_1", "organization=org_2", "organization=org_3"}, "organization-own": {"tx=t0ken", "organization=org_1", "organization=org_2"},
			"grant-others": {"tx=t0ken", "also=a", `also="><b>`},
			"grant-choosing": {
				"tx=t0ken", "may=all", "may=read", "may=tools", "tool=create_issue", "tool=get_issue", "tool=list_issues",
				"also=a", "may-a=all", "may-a=tools", "tool-a=create_issue", "also=b", "may-b=all",
			},
			"grant-choosing-again":   append([]string{"tx=t0ken", "may=all", "may=read", "may=tools"}, prefixed("tool=", many(20))...),
			"grant-choosing-many":    {"tx=t0ken", "may=all", "may=read"},
			"grant-choosing-hostile": {"tx=t0ken", "may=all", "may=read", "may=tools", `tool="><b>x`},
		}[s.name]
		if wantFields == nil {
			wantFields = []string{"tx=t0ken"}
		}
		if !slices.Equal(fields, wantFields) {
			t.Errorf("%s: fields %q, want %q", s.name, fields, wantFields)
		}
	}
}

func prefixed(prefix string, list []string) (out []string) {
	for _, s := range list {
		out = append(out, prefix+s)
	}
	return out
}

// What is chosen when a page is shown is what was chosen before, and each choice has its own group of buttons.
func TestChoicesShowWhatIsChosen(t *testing.T) {
	p := New()
	for name, want := range map[string][]string{
		"grant-choosing": {"may=tools", "tool=get_issue", "may-a=all", "may-b=all"}, "grant-choosing-again": {"may=read"}, "grant-choosing-many": {"may=all"},
	} {
		var got []string
		for _, i := range drawPage(t, p, find(t, name)).all("input") {
			if slices.ContainsFunc(i.Attr, func(a html.Attribute) bool { return a.Key == "checked" }) {
				got = append(got, attr(i, "name")+"="+attr(i, "value"))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: checked are %q, want %q", name, got, want)
		}
	}
	for _, fieldset := range drawPage(t, p, find(t, "grant-choosing")).all("fieldset") {
		if fieldset.FirstChild.NextSibling.Data != "legend" && fieldset.FirstChild.Data != "legend" {
			t.Error("a group of buttons has no legend")
		}
	}
}

func TestPagesSayWhatIsTrue(t *testing.T) {
	p := New()
	for name, c := range map[string]struct{ says, doesNotSay []string }{
		"ask-web": {
			[]string{"Allow claude.ai to use github?", "Calls itself Claude", "nobody has checked this name", "Answer goes to claude.ai", "https://mcp.example.com/github", "started to connect from claude.ai", "Allow Cancel"},
			[]string{"Sign in with", "this computer", "The name comes from"},
		},
		"ask-proved":            {[]string{"Allow claude.ai to use", "Calls itself Claude", "The name comes from claude.ai"}, []string{"nobody has checked", "another site"}},
		"ask-proved-program":    {[]string{"Any program on this computer can say it is claude.ai", "localhost:51234", "a program on this computer"}, []string{"another site"}},
		"ask-proved-nameless":   {[]string{"claude.ai", "It gave no name"}, []string{"Calls itself"}},
		"ask-elsewhere":         {[]string{"The answer goes to another site", "collector.test"}, nil},
		"ask-program":           {[]string{"Allow a program on this computer to use github?", "Calls itself Claude Code", "localhost:51234", "Any program on this computer can ask this"}, nil},
		"ask-anonymous":         {[]string{"It gave no name", "nobody has checked who it is", "127.0.0.1:33418"}, []string{"Calls itself"}},
		"ask-device":            {[]string{"Allow an app on this device to use github?", "cursor:", "Any app on this device can open cursor: links"}, []string{"this computer", "cursor::"}},
		"ask-operator":          {[]string{"Allow Build robot to use github?", "Set up by the people who run this gateway", "ci.example.com"}, []string{"Calls itself", "checked"}},
		"ask-operator-nameless": {[]string{"An app without a name", "Set up by the people"}, nil},
		"ask-providers":         {[]string{"Sign in with your organization account user name and password"}, nil},
		"signin":                {[]string{"Sign in to let a program on this computer use github", "User name", "Password", "Cancel"}, []string{"wrong"}},
		"signin-wrong":          {[]string{"The user name or the password is wrong."}, nil},
		"grant": {
			[]string{"Let a program on this computer act for you on github?", "Signed in as Alice Jones alice@example.com Acme Corporation", "Use these tools get_* list_* search_* create_issue Except get_secret.", "docs://**", "stands for any characters", "Calls itself Claude Code", "localhost:51234", "Any program on this computer", "Allow Deny"},
			[]string{"Nothing", "more"},
		},
		"grant-choosing": {
			[]string{
				"How much of this may it use? Everything my role allows Also what is added later.", "Only tools that only read At the moment get_issue, list_issues.",
				"Only the tools I tick Nothing that is added later.", "create_issue Create an issue", "list_issues Only reads", "get_issue Get an issue, only reads", "the server could not be asked",
				"what this server says of its tools is not relied on here",
			},
			[]string{"list_issues list_issues"},
		},
		"grant-choosing-again": {[]string{"Tick the tools that it may use", "tool_number_7 and 12 more."}, nil},
		"grant-choosing-many":  {[]string{"too many tools here to choose among them", "Of which the server says so."}, []string{"I tick"}},
		"grant-all":            {[]string{"Use every tool Use every prompt"}, []string{"stands for any", "more"}},
		"grant-many":           {[]string{"and 39 more", "and 7 more", "tool_number_2 and 2 more", "and 292 more", "and 100 more", "and 8 more."}, []string{"tool_number_200"}},
		"grant-nothing":        {[]string{"your role allows nothing here", "ask it@example.com", "Allow Deny"}, nil},
		"grant-nothing-nobody": {[]string{"your role allows nothing here", "ask the people who run this gateway"}, nil},
		"grant-impersonator":   {[]string{"staff@example.com is signed in as this person", "recorded under both names"}, nil},
		"message-back":         {[]string{"You can’t come in", "Go back to claude.ai"}, nil},
		"message-back-app":     {[]string{"Go back to your app"}, nil},
		"signin-own":           {[]string{"to see your connections"}, []string{"to let"}},
		"welcome":              {[]string{"See which apps act in your name", "Sign in"}, []string{"Sign in with", "signed out"}},
		"welcome-again":        {[]string{"You are signed out.", "Sign in with WorkOS user name and password"}, nil},
		"connections": {
			[]string{
				"Signed in as Alice Jones alice@example.com Acme Corporation", "Access has ended.", "claude.ai on github Calls itself Claude. The name comes from claude.ai.",
				"Since 14 October 2026, used just now. It may use everything your role allows. End access", "A program on a computer on images Calls itself Claude Code. Its answer went to localhost:51234.",
				"used within the last two hours", "An app on a device on github", "Its answer went to cursor:.", "used within the last day",
				"Build robot on github Build robot. Set up by the people who run this gateway.", "last used on 14 November 2026", "An app on github It gave no name.", "never used",
				"End all access Every app on this page loses access at once.", "Sign out",
			},
			[]string{"Personal tokens", "every token"},
		},
		"connections-narrowed": {
			[]string{
				"It may use only tool_number_0, tool_number_1, tool_number_2, tool_number_3, tool_number_4, tool_number_5, tool_number_6, tool_number_7 and 3 more.",
				"Allowed in Firefox on Linux, from 203.0.113.x.", "It may use only tools that only read.", "It may use no tools.", "staff@example.com allowed it in your name.",
				"Made in Safari on a Mac. It may use only list.", "Change End access", "Change Revoke", "Servers you may use github https://mcp.example.com/github",
				"Use these tools tool_number_0", "Except get_secret.", "docs (/docs)", "Use every tool", "Add to Cursor",
				"Claude Code claude mcp add --transport http docs-docs https://mcp.example.com/docs", "only tools that only read",
			},
			[]string{"allows nothing here"},
		},
		"change": {
			[]string{"What may claude.ai use on github?", "What your role allows Use these tools", "It may use Everything my role allows", "Save Cancel", "never use more than your role allows"}, nil,
		},
		"change-token":             {[]string{"What may the token nightly <b>job</b> use on github?", "Make the token Cancel"}, nil},
		"change-nothing":           {[]string{"Your role shows no tools there", "Back"}, []string{"Save"}},
		"connections-none":         {[]string{"No app has access in your name.", "Sign out"}, []string{"End all access", "token"}},
		"connections-tokens":       {[]string{"nightly job on github Since 20 November 2026, never used. Ends on 20 December 2026. It may use everything your role allows. Revoke", "1 day", "90 days", "Make the token", "and every token"}, nil},
		"connections-problem":      {[]string{"A token needs a name.", "You have none.", "Make the token"}, []string{"End all access"}},
		"connections-made":         {[]string{"Copy your new token nightly job now. It is not shown again.", "Sign in again to make another"}, []string{"Make the token"}},
		"connections-full":         {[]string{"You have as many as you may have."}, []string{"Make the token", "Sign in again"}},
		"connections-impersonator": {[]string{"staff@example.com is signed in as this person"}, []string{"Make the token", "Sign in again"}},
		"message":                  {[]string{"This sign-in can’t go on", "Go back to your app"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := drawPage(t, p, find(t, name))
			text := words(d.all("body")[0])
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("does not say %q:\n%s", s, text)
				}
			}
			for _, s := range c.doesNotSay {
				if strings.Contains(text, s) {
					t.Errorf("says %q:\n%s", s, text)
				}
			}
		})
	}
}

// Every form of a person's own page goes there with the session's token, and says what it does; what acts on one thing names it.
func TestFormsOfConnections(t *testing.T) {
	p := New()
	for name, want := range map[string][]string{
		"welcome":            {"signin"},
		"connections":        {"revoke g1", "revoke g2", "revoke g3", "revoke g4", "revoke g5", "revoke-all", "signout"},
		"connections-none":   {"signout"},
		"connections-tokens": {"revoke g1", "revoke pat-1", "make", "revoke-all", "signout"},
		"connections-made":   {"revoke pat-1", "signin", "revoke-all", "signout"},
		"connections-full":   {"revoke pat-1", "revoke-all", "signout"},
		"change":             {"narrow g1"},
		"change-token":       {"make g1"},
		"change-nothing":     nil,
	} {
		var got []string
		labels := make(map[string]bool)
		for _, form := range drawPage(t, p, find(t, name)).all("form") {
			if attr(form, "method") != "post" || attr(form, "action") != "/connections" {
				t.Errorf("%s: a form posts to %q", name, attr(form, "action"))
			}
			fields := make(map[string]string)
			does := ""
			for n := range form.Descendants() {
				switch n.Data {
				case "input":
					fields[attr(n, "name")] = attr(n, "value")
				case "button":
					does += attr(n, "value")
					if attr(n, "name") != "action" || attr(n, "type") != "submit" {
						t.Errorf("%s: a button named %q", name, attr(n, "name"))
					}
					if label := attr(n, "aria-label"); label != "" && labels[label] {
						t.Errorf("%s: two buttons are called %q", name, label)
					} else {
						labels[label] = true
					}
				}
			}
			if fields["token"] != "t0ken" && name != "welcome" {
				t.Errorf("%s: the form of %s has no token", name, does)
			}
			got = append(got, strings.TrimSpace(does+" "+fields["grant"]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: forms %q, want %q", name, got, want)
		}
	}
	made := drawPage(t, p, find(t, "connections-made"))
	if i := slices.IndexFunc(made.all("code"), func(n *html.Node) bool { return attr(n, "class") == "token" }); i < 0 || words(made.all("code")[i]) != "mcpgw_pat_"+strings.Repeat("Ab3-", 30) {
		t.Error("the new token is not there")
	}
}

func TestErrorsAreReadOut(t *testing.T) {
	d := drawPage(t, New(), find(t, "signin-wrong"))
	alert := slices.IndexFunc(d.all("div"), func(n *html.Node) bool { return attr(n, "role") == "alert" })
	if alert < 0 || words(d.all("div")[alert]) != "The user name or the password is wrong." {
		t.Error("the error is no alert")
	}
	if got := words(d.all("title")[0]); got != "Sign in: try again" {
		t.Errorf("title is %q", got)
	}
	fields := make(map[string]*html.Node)
	for _, i := range d.all("input") {
		fields[attr(i, "name")] = i
	}
	if attr(fields["username"], "autocomplete") != "username" || attr(fields["password"], "autocomplete") != "current-password" || attr(fields["password"], "type") != "password" {
		t.Error("a password manager would not know the fields")
	}
	if attr(fields["password"], "value") != "" {
		t.Error("the password comes back")
	}
}

func TestHostileTextsStayText(t *testing.T) {
	p := New()
	for _, name := range []string{"ask-hostile", "grant-hostile", "grant-choosing-hostile", "connections-hostile"} {
		d := drawPage(t, p, find(t, name))
		for _, bad := range []string{"<script>", "<b>", "<i>", "<img", "\u202e", "\u200b", "\x00"} {
			if strings.Contains(d.body, bad) {
				t.Errorf("%s: %q is in the page", name, bad)
			}
		}
		text := words(d.all("body")[0])
		if !strings.Contains(text, "hidden characters") || !strings.Contains(text, "…") {
			t.Errorf("%s does not say that something is left out:\n%s", name, text)
		}
		if !strings.Contains(text, ".example.evil.test:8443") {
			t.Errorf("%s hides the end of the host:\n%s", name, text)
		}
	}
	rec := httptest.NewRecorder()
	p.Ask(rec, nil, Ask{Action: `javascript:alert(1)`, Server: `"><script>x`, Resource: `</p><script>x`, Hidden: []Field{{`"><script>`, `"><script>`}}, Providers: []Choice{{`"><script>`, `<script>`}, {"b", "B"}}})
	p.SignIn(rec, nil, SignIn{Action: "/x", Username: `"><script>`, Error: `<script>`, Server: `<script>`})
	p.Message(rec, Message{Title: `<script>`, Text: `<script>`, Hint: `<script>`})
	if strings.Contains(rec.Body.String(), "<script") || strings.Contains(rec.Body.String(), "javascript:") {
		t.Errorf("a script is in\n%s", rec.Body)
	}
}

func TestHeadersShutEverythingElseOut(t *testing.T) {
	p := New()
	for _, s := range samples {
		d := drawPage(t, p, s)
		style := d.all("style")[0].FirstChild.Data
		sum := sha256.Sum256([]byte(style))
		csp := d.header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'; ", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; ",
			"base-uri 'none'; ", "form-action 'self'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: %s has no %q", s.name, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "script") {
			t.Errorf("%s: %s", s.name, csp)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "",
		} {
			if got := d.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", s.name, name, got, want)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	p := New()
	for name, want := range map[string]int{"ask-web": 200, "signin": 200, "signin-wrong": 200, "grant": 200, "message": 400, "message-short": 200} {
		if got := drawPage(t, p, find(t, name)).status; got != want {
			t.Errorf("%s: status %d, want %d", name, got, want)
		}
	}
}

func TestFormTargets(t *testing.T) {
	for target, want := range map[string]bool{
		"https:": true, "http:": true, "cursor:": true, "https://claude.ai": true, "http://127.0.0.1:8123": true,
		"http://localhost:*": true, "com.example.app:": true,
		"": false, "*": false, "'self'": false, "'unsafe-inline'": false, "https://claude.ai; script-src *": false,
		"https://claude.ai https://evil.test": false, "https://claude.ai\r\nX: y": false, "https://claude.ai/path": false,
		"https://*.evil.test": false, "javascript:": false, "JavaScript:": false, "data:": false, "claude.ai": false, "https://[::1]:80": false,
	} {
		rec := httptest.NewRecorder()
		New().Ask(rec, []string{target}, Ask{})
		_, action, _ := strings.Cut(rec.Header().Get("Content-Security-Policy"), "form-action ")
		action, _, _ = strings.Cut(action, ";")
		expect := "'self'"
		if want {
			expect += " " + target
		}
		if action != expect {
			t.Errorf("%q: form-action %s, want %s", target, action, expect)
		}
	}
}

func TestPagesAreDrawnAtTheSameTime(t *testing.T) {
	p := New()
	var wg sync.WaitGroup
	for _, s := range samples {
		want := drawPage(t, p, s).body
		for range 4 {
			wg.Go(func() {
				rec := httptest.NewRecorder()
				if s.draw(p, rec); rec.Body.String() != want {
					t.Errorf("%s came out differently", s.name)
				}
			})
		}
	}
	wg.Wait()
}

// A message may lead back to an app, wherever that is, and never to what a browser would run.
func TestMessagesLeadBack(t *testing.T) {
	p := New()
	for address, want := range map[string]string{
		"https://claude.ai/cb?error=access_denied&state=a%22b": "https://claude.ai/cb?error=access_denied&state=a%22b",
		"http://127.0.0.1:33418/callback?error=access_denied":  "http://127.0.0.1:33418/callback?error=access_denied",
		"cursor://anysphere.cursor-mcp/oauth/callback?a=b":     "cursor://anysphere.cursor-mcp/oauth/callback?a=b",
		"com.example.app:/oauth?a=b":                           "com.example.app:/oauth?a=b",
		"":                                                     "",
		"javascript:alert(1)":                                  "",
		"JavaScript://a.example/%0aalert(1)":                   "",
		"data:text/html,x":                                     "",
		"vbscript://x/y":                                       "",
		"/relative":                                            "",
		"//evil.example/":                                      "",
	} {
		d := drawPage(t, p, sample{"", message(Message{Title: "x", Back: Link{address, "a.example"}})})
		got := ""
		for _, a := range d.all("a") {
			got = attr(a, "href")
		}
		if got != want {
			t.Errorf("%q leads to %q", address, got)
		}
	}
}
