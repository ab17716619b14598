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

// Connections is a person's own page: what acts in their name. Its forms post Hidden and action: revoke with grant, revoke-all, signout,
// signin, or make with name, resource and days.
type Connections struct {
	Action string
	Hidden []Field
	// Person, Email and Org say who is signed in; Impersonator is set when somebody else acts as Person.
	Person, Email, Org, Impersonator string
	// Notice is a sentence about what has just happened, Problem one about what went wrong; optional.
	Notice, Problem string
	Agents          []Connection
	// Tokens is nil where the operator allows no personal tokens.
	Tokens *Tokens
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
}

// Tokens are a person's personal tokens.
type Tokens struct {
	List []Connection
	// Servers are those that a new one can be for: values of the field resource, and their names. Days are how long it may live.
	Servers []Choice
	Days    []int
	// Full: there are as many as there may be. Spent: the person has to sign in again to make one.
	Full, Spent bool
	// Made is a token that was made just now, and MadeName what it is called. It is shown this once.
	Made, MadeName string
}

// connectionsView and welcomeView are what the templates see.
type connectionsView struct {
	frame
	Connections
	Agents []connectionView
	Tokens *tokensView
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
	Used string
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

// Connections writes a person's own page; formTargets as with Ask.
func (p *Pages) Connections(w http.ResponseWriter, formTargets []string, c Connections) {
	v := connectionsView{Connections: c, Agents: viewConnections(c.Agents, c.Now)}
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
		views[i] = connectionView{
			ID: c.ID, Client: viewClient(c.Client), Server: line(c.Server), Resource: line(c.Resource), Since: day(c.Since), Ends: day(c.Ends),
			Used: ago(c.Used, now),
		}
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
