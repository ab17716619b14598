package guard

import (
	"strconv"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// What a model reads of a call that was not made is one plain sentence or two: what was not done and why, who can change that
// or when, and whether trying again helps. All of them are here, so that they read as if one had said them.

// overLimit says that a limit is reached.
func overLimit(what string, l *policy.Limit, wait time.Duration) string {
	return "Not done: " + what + " may be used " + times(l.Count) + " " + period(l.Per) + " " + counted[l.By] +
		", and it was. Try again in " + seconds(wait) + "; trying before then will not help."
}

// notApprovedYet says that a person was asked, and has not answered.
func notApprovedYet(what, page string) string {
	return "Not done yet: a person has to approve this use of " + what + ", and nobody has so far. Ask them to open " + page +
		" and to approve it there; after that, make the same call again with the same arguments. It will not help before."
}

// deniedByPerson says that a person was asked, and said no.
func deniedByPerson(what string) string {
	return "Not done: the person was asked to approve this use of " + what + ", and denied it. Trying again will not help."
}

// declinedHere says that a person did not want to be asked.
func declinedHere(what string) string {
	return "Not done: a person has to approve this use of " + what + ", and it was cancelled before they did."
}

// nobodyApproves says that there is no person who could be asked.
func nobodyApproves(what string) string {
	return "Not done: each use of " + what + " has to be approved by a person, and this client acts for none who can sign in here. Trying again will not help."
}

// tooManyWait says that a person has been asked too much already.
func tooManyWait(what, page string) string {
	return "Not done: a person has to approve this use of " + what + ", and too many other calls wait for that already. Ask them to answer those first, at " +
		page + "; then try again."
}

// tooLongToShow says that nobody can approve what they are not shown.
func tooLongToShow(what string) string {
	return "Not done: a person has to approve this use of " + what + ", and its arguments are longer than what they can be shown. Trying again will not help; shorter arguments may."
}

// waitsFor is what a client may show while it waits.
func waitsFor(what, page string) string {
	return "Waiting for a person to approve the use of " + what + " at " + page
}

// pleaseApprove is what a person is shown before they open the page.
func pleaseApprove(what string) string {
	return "Your agent wants to use " + what + ". Open the page to see with what, and to approve or deny it."
}

// notWithThese says that something may be used, but not in this way.
func notWithThese(what string) string {
	return "Not done: " + what + " may not be used with these arguments; whoever administers access to this server can allow it, and sending the same again will not help."
}

// counted says in words whose calls a limit counts together.
var counted = [...]string{
	policy.PerUser:   "by one person",
	policy.PerClient: "by one agent of a person",
	policy.PerTool:   "by everybody together",
}

// stoppedWith says of a request why the batch that it came in was not run.
const stoppedWith = "Not run: the batch it came in holds a request that is not allowed. Sending the same batch again will not help; send this one without it."

// called is a thing as sentences call it. Its name is a client's own text.
func called(kind policy.Kind, name string) string {
	return "the " + kind.String() + " " + shorten(name, mostNamed)
}

// times is how often something may be done.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// period is in what time.
func period(d time.Duration) string {
	switch d {
	case time.Second:
		return "a second"
	case time.Minute:
		return "a minute"
	case time.Hour:
		return "an hour"
	case 24 * time.Hour:
		return "a day"
	}
	return "in " + seconds(d)
}

// seconds is how long something takes, rounded up.
func seconds(d time.Duration) string {
	n := int64((d + time.Second - 1) / time.Second)
	if n == 1 {
		return "1 second"
	}
	return strconv.FormatInt(n, 10) + " seconds"
}
