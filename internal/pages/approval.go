package pages

import (
	"net/http"
	"strconv"
	"time"
)

// Asking is what waits for a person, and what they have approved for good. Its forms post Hidden, and either call and
// action=once, action=always or action=deny, or standing and action=ask-again.
type Asking struct {
	Action   string
	Hidden   []Field
	Waiting  []WaitingCall
	Standing []StandingUse
}

// WaitingCall is a call of an agent that waits for its person.
type WaitingCall struct {
	// ID is what a form posts as call.
	ID     string
	Client Client
	// Server is the MCP server's name. Kind says what Name is the name of, such as "tool".
	Server, Kind, Name string
	// Args are all of the arguments in readable form, of several lines.
	Args  string
	Asked time.Time
	// OnceOnly is set if it can't be approved for good.
	OnceOnly bool
}

// StandingUse is something that an agent may use without asking.
type StandingUse struct {
	// ID is what a form posts as standing.
	ID                 string
	Client             Client
	Server, Kind, Name string
	Since              time.Time
}

// Approve is the page of one call that waits. Its form is one of Asking.
type Approve struct {
	Action string
	Hidden []Field
	Call   WaitingCall
	// Person, Email and Org say who is signed in; Impersonator is set when somebody else acts as Person.
	Person, Email, Org, Impersonator string
	Now                              time.Time
}

// askingView, waitingView and standingView are what the templates see.
type askingView struct {
	Action   string
	Hidden   []Field
	Waiting  []waitingView
	Standing []standingView
}

type waitingView struct {
	ID, Server, Kind, Name, Args, Asked string
	OnceOnly                            bool
	Client                              clientView
	Action                              string
	Hidden                              []Field
}

type standingView struct {
	ID, Server, Kind, Name, Since string
	Client                        clientView
}

type approveView struct {
	frame
	Person, Email, Org, Impersonator string
	Call                             waitingView
}

// Approve writes the page of a call that waits; formTargets as with Ask.
func (p *Pages) Approve(w http.ResponseWriter, formTargets []string, a Approve) {
	v := approveView{
		Person: line(a.Person), Email: line(a.Email), Org: line(a.Org), Impersonator: line(a.Impersonator),
		Call: viewWaiting(a.Call, a.Action, a.Hidden, a.Now),
	}
	if v.Email == v.Person {
		v.Email = ""
	}
	v.Place = v.Call.Server
	v.Title = "Let your app use " + v.Call.Name + "?"
	v.Foot = "Nothing is done before you say so."
	p.write(w, http.StatusOK, formTargets, p.approve, &v.frame, &v)
}

// viewAsking brings what waits into words; nil if there is nothing.
func viewAsking(a *Asking, now time.Time) *askingView {
	if a == nil || len(a.Waiting)+len(a.Standing) == 0 {
		return nil
	}
	v := &askingView{Action: a.Action, Hidden: a.Hidden}
	for _, c := range a.Waiting {
		v.Waiting = append(v.Waiting, viewWaiting(c, a.Action, a.Hidden, now))
	}
	for _, s := range a.Standing {
		v.Standing = append(v.Standing, standingView{
			ID: s.ID, Server: line(s.Server), Kind: line(s.Kind), Name: line(s.Name), Since: day(s.Since), Client: viewClient(s.Client),
		})
	}
	return v
}

// viewWaiting brings a call into words. The arguments are fit to be shown already, line by line.
func viewWaiting(c WaitingCall, action string, hidden []Field, now time.Time) waitingView {
	return waitingView{
		ID: c.ID, Server: line(c.Server), Kind: line(c.Kind), Name: line(c.Name), Args: c.Args, OnceOnly: c.OnceOnly, Client: viewClient(c.Client),
		Asked: minutes(now.Sub(c.Asked)), Action: action, Hidden: hidden,
	}
}

// minutes says how long ago something was that was not long ago.
func minutes(age time.Duration) string {
	switch n := int(age / time.Minute); {
	case n < 1:
		return "just now"
	case n == 1:
		return "a minute ago"
	default:
		return strconv.Itoa(n) + " minutes ago"
	}
}
