package pages

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// sample is a page as it comes up in life; together they draw every branch of the templates.
type sample struct {
	name string
	draw func(p *Pages, w http.ResponseWriter)
}

var (
	hidden  = []Field{{"tx", "t0ken"}}
	web     = Client{Name: "Claude", Origin: SelfRegistered, RedirectHost: "claude.ai"}
	proved  = Client{Name: "Claude", Domain: "claude.ai", Origin: MetadataDocument, RedirectHost: "claude.ai"}
	program = Client{Name: "Claude Code", Origin: SelfRegistered, RedirectHost: "localhost:51234", Loopback: true}
	device  = Client{Name: "Cursor", Origin: SelfRegistered, RedirectHost: "cursor", CustomScheme: true}
	hostile = Client{
		Name:         "<script>alert(1)</script>\u202e evil \u200b\u200b\" onclick=\"x\u0000" + fmt.Sprint(make([]byte, 100)),
		Origin:       SelfRegistered,
		RedirectHost: "accounts.google.com.secure-login.a-very-long-host-name-that-does-not-end.example.evil.test:8443",
	}
	anonymous = Client{Origin: SelfRegistered, RedirectHost: "127.0.0.1:33418", Loopback: true}
)

func ask(c Client, providers ...Choice) func(*Pages, http.ResponseWriter) {
	return func(p *Pages, w http.ResponseWriter) {
		p.Ask(w, []string{"https:"}, Ask{
			Client: c, Server: "github", Resource: "https://mcp.example.com/github",
			Action: "/consent", Hidden: hidden, Providers: providers,
		})
	}
}

func signIn(username, problem string) func(*Pages, http.ResponseWriter) {
	return func(p *Pages, w http.ResponseWriter) {
		p.SignIn(w, nil, SignIn{Action: "/signin", Hidden: hidden, Username: username, Error: problem, Client: program, Server: "github"})
	}
}

func organization(o Organization) func(*Pages, http.ResponseWriter) {
	o.Action, o.Hidden = "/organization", hidden
	return func(p *Pages, w http.ResponseWriter) { p.Organization(w, nil, o) }
}

func grant(g Grant) func(*Pages, http.ResponseWriter) {
	g.Server, g.Resource, g.Action, g.Hidden = "github", "https://mcp.example.com/github", "/consent", hidden
	return func(p *Pages, w http.ResponseWriter) { p.Grant(w, []string{"http://localhost:51234"}, g) }
}

func message(m Message) func(*Pages, http.ResponseWriter) {
	return func(p *Pages, w http.ResponseWriter) { p.Message(w, m) }
}

func welcome(c Welcome) func(*Pages, http.ResponseWriter) {
	c.Action = "/connections"
	return func(p *Pages, w http.ResponseWriter) { p.Welcome(w, []string{"https:"}, c) }
}

func connections(c Connections) func(*Pages, http.ResponseWriter) {
	c.Action, c.Hidden, c.Now = "/connections", []Field{{"token", "t0ken"}}, today
	return func(p *Pages, w http.ResponseWriter) { p.Connections(w, []string{"https:"}, c) }
}

var (
	today  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	agents = []Connection{
		{ID: "g1", Client: proved, Server: "github", Resource: "https://mcp.example.com/github", Since: today.AddDate(0, 0, -40), Used: today.Add(-time.Minute)},
		{ID: "g2", Client: program, Server: "images", Since: today.AddDate(0, 0, -3), Used: today.Add(-time.Hour)},
		{ID: "g3", Client: device, Server: "github", Since: today.AddDate(0, 0, -3), Used: today.Add(-5 * time.Hour)},
		{ID: "g4", Client: Client{Name: "Build robot", Origin: SetUp, RedirectHost: "ci.example.com"}, Server: "github", Since: today.AddDate(-1, 0, 0), Used: today.AddDate(0, 0, -9)},
		{ID: "g5", Client: Client{}, Server: "github", Since: today},
	}
	nightly = []Connection{{ID: "pat-1", Client: Client{Name: "nightly job"}, Server: "github", Since: today.AddDate(0, 0, -3), Ends: today.AddDate(0, 0, 27)}}
)

var tickable = []Tool{
	{Name: "create_issue", Title: "Create an issue"}, {Name: "get_issue", Title: "Get an issue", ReadOnly: true, Chosen: true}, {Name: "list_issues", Title: "list_issues", ReadOnly: true},
}

func many20() (tools []Tool) {
	for _, name := range many(20) {
		tools = append(tools, Tool{Name: name, Title: "A tool with a title that takes more room than there is on one line of a phone", ReadOnly: true})
	}
	return tools
}

var usable = []Server{
	{Name: "github", URL: "https://mcp.example.com/github", Abilities: []Ability{{Title: "Use these tools", Items: many(12), Except: []string{"get_secret"}}}},
	{Name: "docs (/docs)", URL: "https://mcp.example.com/docs", Abilities: []Ability{{Title: "Use every tool"}, {Title: "Read these resources", Items: []string{"docs://**"}}}},
}

func change(c Change) func(*Pages, http.ResponseWriter) {
	c.Action, c.Back, c.Hidden, c.Server = "/connections", "/connections", []Field{{"token", "t0ken"}, {"grant", "g1"}}, "github"
	return func(p *Pages, w http.ResponseWriter) { p.Change(w, c) }
}

func many(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("tool_number_%d", i))
	}
	return list
}

var samples = []sample{
	{"ask-web", ask(web, Choice{"workos", "your organization account"})},
	{"ask-proved", ask(proved)},
	{"ask-proved-program", ask(Client{Name: "Claude Code", Domain: "claude.ai", Origin: MetadataDocument, RedirectHost: "localhost:51234", Loopback: true})},
	{"ask-proved-nameless", ask(Client{Domain: "claude.ai", Origin: MetadataDocument, RedirectHost: "claude.ai"})},
	{"ask-elsewhere", ask(Client{Name: "Claude", Domain: "claude.ai", Origin: MetadataDocument, RedirectHost: "collector.test"})},
	{"ask-program", ask(program)},
	{"ask-anonymous", ask(anonymous)},
	{"ask-device", ask(device)},
	{"ask-operator", ask(Client{Name: "Build robot", Origin: SetUp, RedirectHost: "ci.example.com"})},
	{"ask-operator-nameless", ask(Client{Origin: SetUp, RedirectHost: "127.0.0.1:1", Loopback: true})},
	{"ask-nothing-known", ask(Client{})},
	{"ask-providers", ask(web, Choice{"workos", "your organization account"}, Choice{"local", "user name and password"})},
	{"ask-hostile", ask(hostile)},
	{"signin", signIn("", "")},
	{"signin-wrong", signIn("alice", "The user name or the password is wrong.")},
	{"grant", grant(Grant{
		Client: program, Person: "Alice Jones", Email: "alice@example.com", Org: "Acme Corporation",
		Abilities: []Ability{
			{Title: "Use these tools", Items: []string{"get_*", "list_*", "search_*", "create_issue"}, Except: []string{"get_secret"}},
			{Title: "Read these resources", Items: []string{"docs://**"}},
		},
	})},
	{"grant-all", grant(Grant{Client: proved, Person: "alice", Abilities: []Ability{{Title: "Use every tool"}, {Title: "Use every prompt"}}})},
	{"grant-others", grant(Grant{
		Client: proved, Person: "alice", Abilities: []Ability{{Title: "Use every tool"}}, Others: []Other{
			{Value: "a", Server: "images", Abilities: []Ability{{Title: "Use these tools", Items: many(30), More: 3, Except: []string{"delete_*"}}}},
			{Value: "\"><b>", Server: "<b>docs</b>", Abilities: []Ability{{Title: "Use every prompt"}}},
		},
	})},
	{"grant-choosing", grant(Grant{
		Client: program, Person: "Alice Jones", Email: "alice@example.com", Org: "Acme Corporation",
		Abilities: []Ability{{Title: "Use these tools", Items: []string{"get_*", "list_*", "create_issue"}}},
		Choosing:  &Choosing{Now: MayTools, Reads: true, Tools: tickable},
		Others: []Other{
			{Value: "a", Server: "images", Abilities: []Ability{{Title: "Use every tool"}}, Choosing: &Choosing{Suffix: "-a", Now: MayAll, Tools: tickable[:1]}},
			{Value: "b", Server: "docs (/docs)", Abilities: []Ability{{Title: "Use every tool"}}, Choosing: &Choosing{Suffix: "-b", Now: MayAll, Partial: true}},
		},
	})},
	{"grant-choosing-again", grant(Grant{
		Client: web, Person: "Alice Jones", Abilities: []Ability{{Title: "Use every tool"}}, Problem: "Tick the tools that it may use, or choose something else.",
		Choosing: &Choosing{Now: MayRead, Reads: true, Partial: true, Tools: many20()},
	})},
	{"grant-choosing-many", grant(Grant{
		Client: web, Person: "Alice Jones", Abilities: []Ability{{Title: "Use every tool"}}, Choosing: &Choosing{Now: MayAll, Many: true, Reads: true},
	})},
	{"grant-choosing-hostile", grant(Grant{
		Client: hostile, Person: "alice", Abilities: []Ability{{Title: "Use every tool"}},
		Choosing: &Choosing{Now: MayAll, Reads: true, Tools: []Tool{{Name: `"><b>x`, Title: "<script>\u202e\u200b", ReadOnly: true}}},
	})},
	{"grant-many", grant(Grant{
		Client: web, Person: "Alice Jones", Email: "alice@example.com",
		Abilities: []Ability{
			{Title: "Use these tools", Items: many(40), More: 7},
			{Title: "Use these prompts", Items: many(3), More: 2},
			{Title: "Read these resources", Items: many(300), Except: many(20)},
		},
	})},
	{"grant-nothing", grant(Grant{Client: device, Person: "Bob", Email: "bob@example.com", Org: "Acme Corporation", Nothing: true, Contact: "it@example.com"})},
	{"grant-nothing-nobody", grant(Grant{Client: anonymous, Person: "bob"})},
	{"grant-impersonator", grant(Grant{
		Client: Client{Name: "Build robot", Origin: SetUp, RedirectHost: "ci.example.com"}, Person: "Alice Jones", Email: "alice@example.com", Org: "Acme",
		Impersonator: "staff@example.com", Abilities: []Ability{{Title: "Use every tool"}},
	})},
	{"grant-hostile", grant(Grant{Client: hostile, Person: "<b>\u202eAlice</b>", Email: "a@\u200bb", Org: "\"><img src=x>", Abilities: []Ability{{Title: "Use these tools", Items: []string{"<i>x</i>"}}}})},
	{"message", message(Message{
		Status: 400, Title: "This sign-in can’t go on", Text: "It was not started in this browser, it is finished already, or it has taken more than ten minutes.",
		Hint: "Go back to your app and connect again. Cookies have to be allowed for this site.",
	})},
	{"organization", organization(Organization{Client: program, Server: "github", Choices: []Choice{{"org_1", "Acme Corporation"}, {"org_2", "Globex"}, {"org_3", "org_3"}}})},
	{"organization-own", organization(Organization{Choices: []Choice{{"org_1", "Acme"}, {"org_2", "<b>\u202eevil"}}})},
	{"signin-own", func(p *Pages, w http.ResponseWriter) { p.SignIn(w, nil, SignIn{Action: "/signin", Hidden: hidden}) }},
	{"welcome", welcome(Welcome{})},
	{"welcome-again", welcome(Welcome{Notice: "You are signed out.", Providers: []Choice{{"workos", "WorkOS"}, {"local", "user name and password"}}})},
	{"connections-narrowed", connections(Connections{
		Person: "Alice Jones", Email: "alice@example.com", Servers: usable, Agents: []Connection{
			{ID: "g1", Client: proved, Server: "github", Since: today, Used: today, May: MayTools, Tools: many(11), Change: "/connections?change=g1", Whence: "Firefox on Linux, from 203.0.113.x"},
			{ID: "g2", Client: program, Server: "github", Since: today, Used: today, May: MayRead, Change: "/connections?change=g2"},
			{ID: "g3", Client: web, Server: "github", Since: today, Used: today, May: MayTools, Tools: []string{}, Impersonator: "staff@example.com"},
		}, Tokens: &Tokens{List: []Connection{
			{ID: "pat-1", Client: Client{Name: "nightly job"}, Server: "github", Since: today, Ends: today, May: MayTools, Tools: []string{"list"}, Change: "/connections?change=pat-1", Whence: "Safari on a Mac"},
		}, Servers: []Choice{{"https://mcp.example.com/github", "github"}}, Days: []int{1}, Reads: true},
	})},
	{"change", change(Change{
		Client: proved, Abilities: usable[0].Abilities, Choosing: &Choosing{Now: MayTools, Reads: true, Tools: tickable}, Does: "narrow", Label: "Save",
	})},
	{"change-again", change(Change{Client: program, Abilities: usable[1].Abilities, Choosing: &Choosing{Now: MayAll, Tools: tickable}, Problem: "Choose again.", Does: "narrow", Label: "Save"})},
	{"change-token", change(Change{Token: "nightly <b>job</b>", Abilities: usable[1].Abilities, Choosing: &Choosing{Now: MayTools, Tools: tickable}, Does: "make", Label: "Make the token"})},
	{"change-nothing", change(Change{Client: web})},
	{"connections-none", connections(Connections{Person: "bob"})},
	{"connections", connections(Connections{
		Person: "Alice Jones", Email: "alice@example.com", Org: "Acme Corporation", Agents: agents, Notice: "Access has ended.",
	})},
	{"connections-tokens", connections(Connections{Person: "Alice Jones", Agents: agents[:1], Tokens: &Tokens{
		List: nightly, Servers: []Choice{{"https://mcp.example.com/github", "github"}, {"https://mcp.example.com/images", "images"}}, Days: []int{1, 7, 30, 90},
	}})},
	{"connections-problem", connections(Connections{Person: "Alice Jones", Problem: "A token needs a name.", Tokens: &Tokens{
		Servers: []Choice{{"https://mcp.example.com/github", "github"}}, Days: []int{1},
	}})},
	{"connections-made", connections(Connections{Person: "Alice Jones", Tokens: &Tokens{
		List: nightly, Spent: true, Made: "mcpgw_pat_" + strings.Repeat("Ab3-", 30), MadeName: "nightly job",
	}})},
	{"connections-full", connections(Connections{Person: "Alice Jones", Tokens: &Tokens{List: nightly, Full: true}})},
	{"connections-impersonator", connections(Connections{Person: "Alice Jones", Impersonator: "staff@example.com", Tokens: new(Tokens)})},
	{"connections-hostile", connections(Connections{
		Person: "<b>\u202eAlice</b>", Agents: []Connection{{ID: `"><i>`, Client: hostile, Server: "<i>x</i>", Since: today, Used: today}},
		Tokens: &Tokens{List: []Connection{{ID: "x", Client: Client{Name: "<img src=x>\u200b"}, Server: "github", Since: today, Ends: today}}},
	})},
	{"message-short", message(Message{Title: "Signed out"})},
	{"message-back", message(Message{
		Status: 403, Title: "You can’t come in", Text: "You have signed in, but you may not use this server.", Hint: "If you should be able to, ask it@example.com.",
		Back: Link{"https://claude.ai/cb?error=access_denied&state=a%22b", "claude.ai"},
	})},
	{"message-back-app", message(Message{Title: "You can’t come in", Back: Link{URL: "cursor://anysphere.cursor-mcp/oauth/callback?error=access_denied"}})},
}
