// Package pages draws what a person sees: the question before sign-in, the sign-in form, the question after it, their own page
// of connections, and messages. Every page is one HTML document without script or external resources and brings its own security headers.
package pages

import (
	"html/template"
	"net/http"
)

// Client is the agent that wants to come in, as a person should see it. Its texts may be hostile: they are escaped,
// shortened, and freed of characters that can't be seen or that change the order of others.
type Client struct {
	// Name is what the client calls itself; possibly empty, never proved unless the operator wrote it.
	Name string
	// Domain is where the client's identity was proved to come from: the host of a metadata document; otherwise empty.
	Domain string
	// Origin says how the client became known.
	Origin Origin
	// RedirectHost is the host, with port, the answer will go to; for a custom scheme the scheme.
	RedirectHost string
	// Loopback: the answer goes to a program on the person's own computer.
	Loopback bool
	// CustomScheme: the answer goes to whichever app has claimed RedirectHost's scheme.
	CustomScheme bool
}

// Origin says how a client became known.
type Origin string

// The origins of clients.
const (
	SelfRegistered   Origin = "registered itself"
	SetUp            Origin = "set up by the operator"
	MetadataDocument Origin = "metadata document"
)

// Field is a hidden form field.
type Field struct{ Name, Value string }

// Choice is a provider a person may sign in with: the value of the form field "provider", and its label.
type Choice struct{ Value, Label string }

// Ask is the page before sign-in. Its form posts Hidden, decision=allow or decision=cancel, and provider if there is
// more than one.
type Ask struct {
	Client Client
	// Server is the MCP server's name, Resource its URL.
	Server, Resource string
	// Action is where the form posts to.
	Action    string
	Hidden    []Field
	Providers []Choice
}

// SignIn is the form for local users. It posts Hidden, username, password, and decision=allow or decision=cancel. Without a
// Server, it is for the person's own page.
type SignIn struct {
	Action string
	Hidden []Field
	// Username is filled in. Error is a sentence about the last attempt.
	Username, Error string
	Client          Client
	Server          string
}

// Ability is one line of what an agent will be able to do. Title says it in words, such as "Use these tools"; Items are
// the names it means, with globs; Except those taken out again; More is how many items are not in the list.
type Ability struct {
	Title  string
	Items  []string
	More   int
	Except []string
}

// Grant is the page after sign-in. Its form posts Hidden, what was chosen, and decision=allow or decision=deny.
type Grant struct {
	Client           Client
	Server, Resource string
	// Person, Email and Org say who is signed in.
	Person, Email, Org string
	Abilities          []Ability
	// Nothing: the person's role allows nothing on this server. So does an empty list of abilities.
	Nothing bool
	// Contact says whom to ask for more, as in "ask it@example.com"; optional.
	Contact string
	// Impersonator is set when somebody else acts as Person.
	Impersonator string
	// Choosing is how much of that the agent is left; nil if there is nothing to choose. Problem is a sentence about the last choice.
	Choosing *Choosing
	Problem  string
	// Others are further servers that can be allowed at once; each that is ticked is posted as also.
	Others []Other
	Action string
	Hidden []Field
}

// Other is a server that a person may allow together with the one that the page is about.
type Other struct {
	// Value is what is posted for it.
	Value     string
	Server    string
	Abilities []Ability
	// Choosing is how much of that the agent is left; nil if there is nothing to choose.
	Choosing *Choosing
}

// Message is a page without a form.
type Message struct {
	// Status is the HTTP status; zero means 200.
	Status      int
	Title, Text string
	// Hint is a sentence about what to do next; optional.
	Hint string
	// Back leads back to the app that sent the person here; optional.
	Back Link
}

// Link leads to an app: URL is an address that was checked to be one of its own, with the answer that it is to get. To is the host it is at,
// or "" for a program or app on the person's own device. The zero Link is none, and so is one whose address a browser would run or
// show instead of going there.
type Link struct{ URL, To string }

// Pages draws pages. It is safe for concurrent use.
type Pages struct {
	ask, signIn, organization, grant, message, welcome, connections, change, approve *template.Template

	style     template.CSS
	styleHash string
}

// Ask writes the page before sign-in. formTargets are CSP sources (such as https://claude.ai, http://127.0.0.1:8123,
// https: or cursor:) that a post of the form may be redirected to, besides our own origin.
func (p *Pages) Ask(w http.ResponseWriter, formTargets []string, a Ask) {
	v := askView{
		Client: viewClient(a.Client), Server: line(a.Server), Resource: line(a.Resource),
		Action: a.Action, Hidden: a.Hidden, Providers: a.Providers,
	}
	v.Place = v.Server
	v.Title = "Allow " + v.Client.phrase() + " to use " + v.Server + "?"
	v.Foot = "Not what you expected? Cancel: nothing has been shared."
	p.write(w, http.StatusOK, formTargets, p.ask, &v.frame, &v)
}

// SignIn writes the sign-in form; formTargets as with Ask.
func (p *Pages) SignIn(w http.ResponseWriter, formTargets []string, s SignIn) {
	v := signInView{
		Client: viewClient(s.Client), Server: line(s.Server), Action: s.Action, Hidden: s.Hidden,
		Username: line(s.Username), Error: s.Error,
	}
	v.Place = v.Server
	v.Title = "Sign in"
	if v.Error != "" {
		// The first thing a screen reader says of a new page is its title.
		v.Title = "Sign in: try again"
	}
	p.write(w, http.StatusOK, formTargets, p.signIn, &v.frame, &v)
}

// Grant writes the page after sign-in; formTargets as with Ask.
func (p *Pages) Grant(w http.ResponseWriter, formTargets []string, g Grant) {
	v := grantView{
		Client: viewClient(g.Client), Server: line(g.Server),
		Person: line(g.Person), Email: line(g.Email), Org: line(g.Org), Impersonator: line(g.Impersonator),
		Nothing: g.Nothing || len(g.Abilities) == 0, Contact: line(g.Contact), Action: g.Action, Hidden: g.Hidden,
	}
	if v.Email == v.Person {
		v.Email = ""
	}
	v.Abilities, v.Starred = viewAbilities(g.Abilities)
	if !v.Nothing {
		v.Choosing, v.Problem = viewChoosing(g.Choosing, "How much of this may it use?"), g.Problem
	}
	for _, other := range g.Others {
		abilities, starred := viewAbilities(other.Abilities)
		v.Others = append(v.Others, otherView{
			Value: other.Value, Server: line(other.Server), Abilities: abilities, Starred: starred, Choosing: viewChoosing(other.Choosing, "How much of this may it use?"),
		})
	}
	v.Place = v.Server
	v.Title = "Let " + v.Client.phrase() + " act for you on " + v.Server + "?"
	if v.Problem != "" {
		v.Title = "Choose again: " + v.Title
	}
	v.Foot = "It acts in your name. When your role changes, so does what it can do."
	p.write(w, http.StatusOK, formTargets, p.grant, &v.frame, &v)
}

// Message writes a message. Its texts are ours, but may quote what a request said.
func (p *Pages) Message(w http.ResponseWriter, m Message) {
	v := messageView{Text: paragraph(m.Text), Hint: paragraph(m.Hint), Back: viewLink(m.Back), BackTo: hostText(m.Back.To)}
	v.Title = line(m.Title)
	if m.Status == 0 {
		m.Status = http.StatusOK
	}
	p.write(w, m.Status, nil, p.message, &v.frame, &v)
}
