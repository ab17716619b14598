package pages

import (
	"net/http"
	"slices"
	"time"
)

// Welcome is the page of somebody who is not signed in to their connections. Its form posts action=signin, and provider if there is
// more than one.
type Welcome struct {
	Action    string
	Providers []Choice
	// Notice is a sentence about what has just happened; optional.
	Notice string
}

// Connections is a person's own page: what acts in their name, and what they may use. Its forms post Hidden and action: revoke with grant,
// revoke-all, signout, signin, or make with name, resource, days and may. What an agent may use is changed on a page of its own; see Change.
type Connections struct {
	Action string
	Hidden []Field
	// Person, Email and Org say who is signed in; Impersonator is set when somebody else acts as Person.
	Person, Email, Org, Impersonator string
	// Notice is a sentence about what has just happened, Problem one about what went wrong; optional.
	Notice, Problem string
	Agents          []Connection
	// Asking is what waits for the person's answer; nil if nothing can.
	Asking *Asking
	// Tokens is nil where the operator allows no personal tokens.
	Tokens *Tokens
	// Servers are those that the person may use. Contact says whom to ask for more; optional.
	Servers []Server
	Contact string
	// Now is what times are shown in relation to.
	Now time.Time
}

// Connection is an agent, or a personal token, that has access to a server.
type Connection struct {
	// ID is what a form posts as grant.
	ID     string
	Client Client
	// Server is the MCP server's name, Resource its URL.
	Server, Resource string
	// Since is when the access was given, Used when it was last used (zero: never), Ends when it ends by itself.
	Since, Used, Ends time.Time
	// Whence says roughly where it was given, as in "Firefox on Linux"; optional. Impersonator is who gave it in the person's name.
	Whence, Impersonator string
	// May is how much of what the person may use it may: MayAll, MayRead, or MayTools for those in Tools alone. Change leads to the page
	// where that can be changed; "" if it can't be.
	May    string
	Tools  []string
	Change string
}

// Tokens are a person's personal tokens.
type Tokens struct {
	List []Connection
	// Servers are those that a new one can be for: values of the field resource, and their names. Days are how long it may live.
	Servers []Choice
	Days    []int
	// Reads: for some of the servers, tools that only read can be chosen as such.
	Reads bool
	// Full: there are as many as there may be. Spent: the person has to sign in again to make one.
	Full, Spent bool
	// Made is a token that was made just now, and MadeName what it is called. It is shown this once.
	Made, MadeName string
}

// connectionsView and welcomeView are what the templates see.
type connectionsView struct {
	frame
	Connections
	Agents  []connectionView
	Asking  *askingView
	Tokens  *tokensView
	Servers []serverView
}

type tokensView struct {
	Tokens
	List []connectionView
}

type connectionView struct {
	ID, Server, Resource string
	Client               clientView
	Since, Ends          string
	// Used is when it was last used, in words.
	Used                 string
	Whence, Impersonator string
	May                  string
	Tools                []string
	More                 int
	Change               string
}

// Change is the page on which a person says how much of what they may use an agent, or a token of theirs, may. Its form posts Hidden, what
// was chosen, and action=Does.
type Change struct {
	Action string
	Hidden []Field
	// Client is the agent, or Token what the token is called.
	Client Client
	Token  string
	// Server is the MCP server's name, Abilities what the person's role allows there.
	Server    string
	Abilities []Ability
	// Choosing is nil if there is nothing to choose.
	Choosing *Choosing
	// Problem is a sentence about the last choice; optional.
	Problem string
	// Does is the value of the button that Label stands on; Back is the address of the person's page.
	Does, Label, Back string
}

type changeView struct {
	frame
	Change
	Client    clientView
	Abilities []abilityView
	Starred   bool
	Choosing  *choosingView
}

type welcomeView struct {
	frame
	Welcome
}

// Welcome writes the page of somebody who is not signed in; formTargets as with Ask.
func (p *Pages) Welcome(w http.ResponseWriter, formTargets []string, c Welcome) {
	v := welcomeView{Welcome: c}
	v.Title = "Your connections"
	p.write(w, http.StatusOK, formTargets, p.welcome, &v.frame, &v)
}

// Change writes the page on which a person changes what an agent may use.
func (p *Pages) Change(w http.ResponseWriter, c Change) {
	v := changeView{Change: c, Client: viewClient(c.Client), Choosing: viewChoosing(c.Choosing, "It may use")}
	v.Abilities, v.Starred = viewAbilities(c.Abilities)
	v.Token, v.Server = line(c.Token), line(c.Server)
	v.Place = v.Server
	who := v.Client.Title()
	if v.Token != "" {
		who = "the token " + v.Token
	}
	v.Title = "What may " + who + " use on " + v.Server + "?"
	if v.Problem != "" {
		v.Title = "Choose again: " + v.Title
	}
	v.Foot = "It can never use more than your role allows."
	p.write(w, http.StatusOK, nil, p.change, &v.frame, &v)
}

// Connections writes a person's own page; formTargets as with Ask.
func (p *Pages) Connections(w http.ResponseWriter, formTargets []string, c Connections) {
	v := connectionsView{Connections: c, Agents: viewConnections(c.Agents, c.Now), Asking: viewAsking(c.Asking, c.Now)}
	for _, server := range c.Servers {
		v.Servers = append(v.Servers, viewServer(server))
	}
	v.Contact = line(c.Contact)
	v.Person, v.Email, v.Org, v.Impersonator = line(c.Person), line(c.Email), line(c.Org), line(c.Impersonator)
	if v.Email == v.Person {
		v.Email = ""
	}
	if c.Tokens != nil {
		v.Tokens = &tokensView{Tokens: *c.Tokens, List: viewConnections(c.Tokens.List, c.Now)}
		v.Tokens.MadeName = line(c.Tokens.MadeName)
		v.Tokens.Servers = slices.Clone(c.Tokens.Servers)
		for i, server := range v.Tokens.Servers {
			v.Tokens.Servers[i].Label = line(server.Label)
		}
	}
	v.Title = "Your connections"
	if c.Problem != "" {
		v.Title = "Your connections: try again"
	}
	v.Foot = "What you end here ends at once. Dates are in UTC."
	p.write(w, http.StatusOK, formTargets, p.connections, &v.frame, &v)
}

// viewConnections brings connections into words.
func viewConnections(list []Connection, now time.Time) []connectionView {
	views := make([]connectionView, len(list))
	for i, c := range list {
		v := connectionView{
			ID: c.ID, Client: viewClient(c.Client), Server: line(c.Server), Resource: line(c.Resource), Since: day(c.Since), Ends: day(c.Ends),
			Used: ago(c.Used, now), Whence: line(c.Whence), Impersonator: line(c.Impersonator), May: c.May, Tools: lines(c.Tools), Change: c.Change,
		}
		if n := len(v.Tools); n > shownItems {
			v.Tools, v.More = v.Tools[:shownItems], n-shownItems
		}
		views[i] = v
	}
	return views
}

// day writes a date so that nobody mistakes the day for the month.
func day(t time.Time) string { return t.UTC().Format("2 January 2006") }

// ago says roughly how long ago something was.
func ago(t, now time.Time) string {
	switch age := now.Sub(t); {
	case t.IsZero():
		return "never used"
	case age < 20*time.Minute:
		return "used just now"
	case age < 2*time.Hour:
		return "used within the last two hours"
	case age < 24*time.Hour:
		return "used within the last day"
	default:
		return "last used on " + day(t)
	}
}
