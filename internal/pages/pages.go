// Package pages draws what a person sees: the question before sign-in, the sign-in form, the question after it, and
// messages. Every page is one HTML document without script or external resources and brings its own security headers.
package pages

import "net/http"

// Client is the agent that wants to come in, as a person should see it. Its texts may be hostile: the templates escape
// and shorten them.
type Client struct {
	// Name is what the client calls itself; possibly empty, never proved.
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

// SignIn is the form for local users. It posts Hidden, username, password, and decision=allow or decision=cancel.
type SignIn struct {
	Action          string
	Hidden          []Field
	Username, Error string
	Client          Client
	Server          string
}

// Ability is one line of what an agent will be able to do: a title, some items, and how many more there are.
type Ability struct {
	Title string
	Items []string
	More  int
}

// Grant is the page after sign-in. Its form posts Hidden and decision=allow or decision=deny.
type Grant struct {
	Client           Client
	Server, Resource string
	// Person, Email and Org say who is signed in.
	Person, Email, Org string
	Abilities          []Ability
	// Nothing: the person's role allows nothing on this server.
	Nothing bool
	// Contact says whom to ask for more; optional.
	Contact string
	// Impersonator is set when somebody else acts as Person.
	Impersonator string
	Action       string
	Hidden       []Field
}

// Message is a page without a form.
type Message struct {
	// Status is the HTTP status; zero means 200.
	Status      int
	Title, Text string
	// Hint says what to do next; optional.
	Hint string
}

// Pages draws pages. It is safe for concurrent use.
type Pages struct{}

// New returns the pages.
func New() *Pages { return &Pages{} }

// Ask writes the page before sign-in. formTargets are origins (such as https://claude.ai, http://127.0.0.1:8123, or
// cursor:) that a post of the form may be redirected to, besides our own.
func (p *Pages) Ask(w http.ResponseWriter, formTargets []string, a Ask) {}

// SignIn writes the sign-in form; formTargets as with Ask.
func (p *Pages) SignIn(w http.ResponseWriter, formTargets []string, s SignIn) {}

// Grant writes the page after sign-in; formTargets as with Ask.
func (p *Pages) Grant(w http.ResponseWriter, formTargets []string, g Grant) {}

// Message writes a message.
func (p *Pages) Message(w http.ResponseWriter, m Message) {}
